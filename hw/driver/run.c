/* SPDX-License-Identifier: Apache-2.0
 *
 * Images to results, in as few starts as the buffers allow.
 */
#include <string.h>

#include "cnnaccel.h"

/* As many images as fit the buffers, and their results. */
static enum cnnaccel_status run_some(struct cnnaccel *engine, const uint8_t *images,
                                     uint32_t count, uint8_t *results)
{
    const struct cnnaccel_model *model = engine->model;
    const struct cnnaccel_memory *memory = &engine->memory;
    enum cnnaccel_status status;

    status = cnnaccel_pack(model, images, count, memory->input.data, memory->input.bytes);
    if (status == CNNACCEL_OK)
        status = cnnaccel_start(engine, (count - 1) / model->images + 1);
    if (status == CNNACCEL_OK)
        status = cnnaccel_wait(engine);
    if (status == CNNACCEL_OK)
        status = cnnaccel_unpack(model, memory->output.data, memory->output.bytes, count, results);
    return status;
}

enum cnnaccel_status cnnaccel_run(struct cnnaccel *engine, const uint8_t *images, uint32_t count,
                                  void *results)
{
    enum cnnaccel_status status = CNNACCEL_OK;
    const uint8_t *image = images;
    uint8_t *result = results;
    uint32_t most;

    if (engine == NULL || (count != 0 && (images == NULL || results == NULL)))
        return CNNACCEL_BAD_ARGUMENT;
    if (engine->model == NULL)
        return CNNACCEL_NOT_LOADED;
    most = engine->room * engine->model->images;
    memset(&engine->counters, 0, sizeof engine->counters);
    while (count != 0 && status == CNNACCEL_OK) {
        const uint32_t some = count < most ? count : most;

        status = run_some(engine, image, some, result);
        image += (size_t)some * engine->model->image_bytes;
        result += (size_t)some * engine->model->result_bytes;
        count -= some;
    }
    return status;
}
