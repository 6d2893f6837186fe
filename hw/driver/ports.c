/* SPDX-License-Identifier: Apache-2.0
 *
 * How images and results lie in DRAM; what cnnaccel/runtime/ports.py does.
 */
#include <string.h>

#include "cnnaccel.h"

static uint32_t pixels(const uint16_t shape[3])
{
    return (uint32_t)shape[1] * shape[2];
}

/* Where input or output holds pixel i of a channel [rows][columns]. */
static size_t place_of(const struct cnnaccel_model *model, const uint16_t shape[3], size_t i)
{
    return model->transposed ? i % shape[2] * shape[1] + i / shape[2] : i;
}

/* Iterations for so many images. */
static uint32_t iterations_for(const struct cnnaccel_model *model, uint32_t count)
{
    return count / model->images + (count % model->images != 0);
}

/* One image [channels][y][x] to [y][x][channel], or to [word][y][x][lane]. A pixel is C or as many
 * bytes as channels wide; where its words lie apart, they do so by `plane` bytes. */
static void pack_image(const struct cnnaccel_model *model, const uint8_t *image, uint8_t *packed)
{
    const uint32_t channels = model->input_shape[0], count = pixels(model->input_shape);
    const uint32_t width = model->input_raw ? channels : CNNACCEL_INPUT_LANES;
    const size_t plane = (size_t)width * count;

    for (uint32_t channel = 0; channel < channels; channel++) {
        const uint8_t *from = image + (size_t)channel * count;
        uint8_t *to = packed + channel / width * plane + channel % width;
        const int8_t *table = model->input_table;

        if (table != NULL)
            table += (size_t)channel * 256;
        for (size_t i = 0; i < count; i++) {
            uint8_t *pixel = to + place_of(model, model->input_shape, i) * width;

            *pixel = table == NULL ? from[i] : (uint8_t)table[from[i]];
        }
    }
}

enum cnnaccel_status cnnaccel_pack(const struct cnnaccel_model *model, const uint8_t *images,
                                   uint32_t count, uint8_t *packed, uint32_t bytes)
{
    const enum cnnaccel_status status = cnnaccel_check_model(model);
    size_t laid_bytes, needed;

    if (status != CNNACCEL_OK)
        return status;
    if (count == 0)
        return CNNACCEL_OK;
    if (images == NULL || packed == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    if ((uint64_t)iterations_for(model, count) * model->input_stride > bytes)
        return CNNACCEL_BAD_MEMORY;
    needed = (size_t)iterations_for(model, count) * model->input_stride;
    laid_bytes = model->input_stride / model->images;
    if (model->input_shape[0] % CNNACCEL_INPUT_LANES != 0 && !model->input_raw)
        memset(packed, 0, needed); /* lanes without a channel */
    else
        memset(packed + count * laid_bytes, 0, needed - count * laid_bytes);
    for (size_t image = 0; image < count; image++)
        pack_image(model, images + image * model->image_bytes, packed + image * laid_bytes);
    return CNNACCEL_OK;
}

/* One output of an image out of its iteration's [word][y][x][image][lane]. */
static void unpack_output(const struct cnnaccel_model *model, const struct cnnaccel_output *output,
                          const uint8_t *iteration, size_t image, uint8_t *result)
{
    const uint32_t count = pixels(output->shape);
    const size_t step = (size_t)model->images * CNNACCEL_INPUT_LANES;

    for (uint32_t channel = 0; channel < output->shape[0]; channel++) {
        const uint32_t lane = output->lanes[channel];
        const uint8_t *from = iteration + lane / CNNACCEL_INPUT_LANES * (count * step) +
                              image * CNNACCEL_INPUT_LANES + lane % CNNACCEL_INPUT_LANES;

        for (size_t i = 0; i < count; i++)
            result[channel * (size_t)count + i] = from[place_of(model, output->shape, i) * step];
    }
}

/* All outputs of an image, one after another. */
static void unpack_result(const struct cnnaccel_model *model, const uint8_t *iteration,
                          size_t image, uint8_t *result)
{
    for (uint32_t i = 0; i < model->output_count; i++) {
        const struct cnnaccel_output *output = &model->outputs[i];
        const size_t count = pixels(output->shape);

        unpack_output(model, output, iteration, image, result);
        iteration += count * output->words * CNNACCEL_INPUT_LANES * model->images;
        result += count * output->shape[0];
    }
}

enum cnnaccel_status cnnaccel_unpack(const struct cnnaccel_model *model, const uint8_t *packed,
                                     uint32_t bytes, uint32_t count, void *results)
{
    const enum cnnaccel_status status = cnnaccel_check_model(model);

    if (status != CNNACCEL_OK)
        return status;
    if (count == 0)
        return CNNACCEL_OK;
    if (packed == NULL || results == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    if ((uint64_t)iterations_for(model, count) * model->output_stride > bytes)
        return CNNACCEL_BAD_MEMORY;
    for (size_t image = 0; image < count; image++)
        unpack_result(model, packed + image / model->images * model->output_stride,
                      image % model->images, (uint8_t *)results + image * model->result_bytes);
    return CNNACCEL_OK;
}

enum cnnaccel_status cnnaccel_argmax(const struct cnnaccel_model *model, const void *result,
                                     uint32_t *index)
{
    const enum cnnaccel_status status = cnnaccel_check_model(model);
    const uint8_t *values = result;
    uint8_t flip, most;
    uint32_t count;

    if (status != CNNACCEL_OK)
        return status;
    if (result == NULL || index == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    count = model->outputs[0].shape[0] * pixels(model->outputs[0].shape);
    flip = model->outputs[0].is_signed ? 0x80 : 0; /* int8_t in the order of uint8_t */
    most = values[0] ^ flip;
    *index = 0;
    for (uint32_t i = 1; i < count; i++) {
        const uint8_t value = values[i] ^ flip;

        if (value > most) {
            most = value;
            *index = i;
        }
    }
    return CNNACCEL_OK;
}
