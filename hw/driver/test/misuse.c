/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls that make no sense.
 */
#include "misuse.h"

#define REFUSE(expected, call)  \
    do {                        \
        if ((call) != expected) \
            return #call;       \
    } while (0)

static const char *misuse_engine(const struct cnnaccel *open, const struct cnnaccel_model *model,
                                 const struct cnnaccel_hal *hal)
{
    struct cnnaccel engine = *open;
    struct cnnaccel_hal part = *hal;
    uint8_t bytes[4] = {0};
    bool busy;

    REFUSE(CNNACCEL_NOT_STARTED, cnnaccel_wait(&engine));
    REFUSE(CNNACCEL_NOT_STARTED, cnnaccel_poll(&engine, &busy));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_poll(&engine, NULL));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_run(&engine, NULL, 1, bytes));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_run(&engine, bytes, 1, NULL));
    REFUSE(CNNACCEL_OK, cnnaccel_run(&engine, NULL, 0, NULL));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_start(&engine, 0));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_start(&engine, engine.room + 1));
    REFUSE(CNNACCEL_OK, cnnaccel_start(&engine, 1));
    REFUSE(CNNACCEL_OK, cnnaccel_load(&engine, model, &open->memory));
    REFUSE(CNNACCEL_NOT_STARTED, cnnaccel_poll(&engine, &busy));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_load(&engine, model, NULL));
    REFUSE(CNNACCEL_NOT_LOADED, cnnaccel_start(&engine, 1));
    REFUSE(CNNACCEL_NOT_LOADED, cnnaccel_run(&engine, bytes, 1, bytes));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_load(&engine, NULL, &open->memory));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_load(NULL, model, &open->memory));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_reset(NULL));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_open(NULL, hal, 1));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_open(&engine, NULL, 1));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_open(&engine, hal, UINT32_MAX));
    part.wait = NULL;
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_open(&engine, &part, 1));
    return NULL;
}

static const char *misuse_memory(const struct cnnaccel *open, const struct cnnaccel_model *model,
                                 uint8_t *block)
{
    struct cnnaccel engine = *open;
    struct cnnaccel_memory memory = open->memory;

    REFUSE(CNNACCEL_BAD_MEMORY, cnnaccel_place(&memory, model, block, 0, 1024));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_place(&memory, model, NULL, 0, 1 << 20));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_place(NULL, model, block, 0, 1 << 20));
    memory.input.data++;
    REFUSE(CNNACCEL_BAD_MEMORY, cnnaccel_load(&engine, model, &memory));
    memory = open->memory;
    memory.output.address += 4;
    REFUSE(CNNACCEL_BAD_MEMORY, cnnaccel_load(&engine, model, &memory));
    memory = open->memory;
    memory.weights.address = UINT64_MAX - 63;
    REFUSE(CNNACCEL_BAD_MEMORY, cnnaccel_load(&engine, model, &memory));
    memory.weights.address = UINT64_C(1) << CNNACCEL_ADDRESS_BITS;
    REFUSE(CNNACCEL_BAD_MEMORY, cnnaccel_load(&engine, model, &memory));
    memory = open->memory;
    memory.program.bytes = model->program_bytes - 1;
    REFUSE(CNNACCEL_BAD_MEMORY, cnnaccel_load(&engine, model, &memory));
    memory.program.data = NULL;
    REFUSE(CNNACCEL_BAD_MEMORY, cnnaccel_load(&engine, model, &memory));
    return NULL;
}

static const char *misuse_model(const struct cnnaccel *open, const struct cnnaccel_model *model)
{
    const uint16_t lane = (uint16_t)(model->outputs[0].words * CNNACCEL_INPUT_LANES);
    struct cnnaccel engine = *open;
    struct cnnaccel_model wrong = *model;
    struct cnnaccel_output output = model->outputs[0];
    uint16_t lanes[4] = {0, 1, lane, 0};
    struct cnnaccel_header header;
    uint8_t bytes[4] = {0};
    char text[4];

    wrong.digest++;
    REFUSE(CNNACCEL_OTHER_ENGINE, cnnaccel_load(&engine, &wrong, &open->memory));
    wrong = *model;
    wrong.program_crc++;
    REFUSE(CNNACCEL_OTHER_MODEL, cnnaccel_load(&engine, &wrong, &open->memory));
    wrong = *model;
    wrong.images++;
    REFUSE(CNNACCEL_BAD_MODEL, cnnaccel_check_model(&wrong));
    wrong = *model;
    wrong.input_shape[1] = 0;
    REFUSE(CNNACCEL_BAD_MODEL, cnnaccel_check_model(&wrong));
    wrong = *model;
    wrong.output_count = 0;
    REFUSE(CNNACCEL_BAD_MODEL, cnnaccel_check_model(&wrong));
    wrong.output_count = 1;
    wrong.outputs = &output;
    output.shape[0] = 3;
    wrong.result_bytes = 3u * output.shape[1] * output.shape[2];
    output.lanes = lanes;
    REFUSE(CNNACCEL_BAD_MODEL, cnnaccel_check_model(&wrong));
    lanes[2]--;
    REFUSE(CNNACCEL_OK, cnnaccel_check_model(&wrong));
    wrong.layers = NULL;
    REFUSE(CNNACCEL_BAD_MODEL, cnnaccel_check_model(&wrong));
    REFUSE(CNNACCEL_BAD_MEMORY, cnnaccel_pack(model, bytes, UINT32_MAX, bytes, 4));
    REFUSE(CNNACCEL_BAD_MEMORY, cnnaccel_unpack(model, bytes, 4, 1, bytes));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_argmax(model, NULL, NULL));
    REFUSE(CNNACCEL_BAD_PROGRAM, cnnaccel_check_program(bytes, 4, NULL, 0, &header));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_check_program(bytes, 4, NULL, 1, &header));
    REFUSE(CNNACCEL_BAD_ARGUMENT, cnnaccel_explain(open, CNNACCEL_OK, text, sizeof text));
    REFUSE(0, text[3]);
    return NULL;
}

const char *misuse(const struct cnnaccel *engine, const struct cnnaccel_model *model,
                   uint8_t *block, const struct cnnaccel_hal *hal)
{
    const char *accepted = misuse_engine(engine, model, hal);

    if (accepted == NULL)
        accepted = misuse_memory(engine, model, block);
    if (accepted == NULL)
        accepted = misuse_model(engine, model);
    return accepted == NULL ? "refused" : accepted;
}
