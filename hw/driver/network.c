/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a program and the description of a network: whole, and of each other.
 */
#include <string.h>

#include "cnnaccel.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "program.bin is little endian, and so must be the host"
#endif

/* An array of negative size where the compiler lays out the header as program.bin does not. */
typedef char header_is_packed[sizeof(struct cnnaccel_header) == CNNACCEL_HEADER_BYTES ? 1 : -1];

enum { CRC_NIBBLES = 16 };

/* CRC-32 of IEEE 802.3, as zlib's, four bits at a time. */
static uint32_t crc32(const uint8_t *data, size_t bytes)
{
    uint32_t table[CRC_NIBBLES];
    uint32_t crc = UINT32_MAX;

    for (uint32_t i = 0; i < CRC_NIBBLES; i++) {
        table[i] = i;
        for (int bit = 0; bit < 4; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? UINT32_C(0xedb88320) : 0);
    }
    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ table[crc % CRC_NIBBLES];
        crc = crc >> 4 ^ table[crc % CRC_NIBBLES];
    }
    return ~crc;
}

static enum cnnaccel_status check_header(const uint8_t *program, size_t bytes,
                                         struct cnnaccel_header *header)
{
    const size_t checked = offsetof(struct cnnaccel_header, header_crc);

    if (bytes < sizeof *header)
        return CNNACCEL_BAD_PROGRAM;
    memcpy(header, program, sizeof *header);
    if (header->magic != CNNACCEL_MAGIC || header->header_crc != crc32(program, checked))
        return CNNACCEL_BAD_PROGRAM;
    if (header->version != CNNACCEL_FORMAT_VERSION)
        return CNNACCEL_OTHER_VERSION;
    if (header->digest != CNNACCEL_DIGEST)
        return CNNACCEL_OTHER_ENGINE;
    if (header->again_bytes > header->once_bytes ||
        header->again_instructions > header->once_instructions)
        return CNNACCEL_BAD_PROGRAM;
    return CNNACCEL_OK;
}

enum cnnaccel_status cnnaccel_check_program(const uint8_t *program, size_t program_bytes,
                                            const uint8_t *weights, size_t weights_bytes,
                                            struct cnnaccel_header *header)
{
    enum cnnaccel_status status;
    uint64_t sections;

    if (program == NULL || header == NULL || (weights == NULL && weights_bytes != 0))
        return CNNACCEL_BAD_ARGUMENT;
    status = check_header(program, program_bytes, header);
    if (status != CNNACCEL_OK)
        return status;
    sections = (uint64_t)header->once_bytes + header->body_bytes;
    if (program_bytes - sizeof *header != sections)
        return CNNACCEL_BAD_PROGRAM;
    if (crc32(program + sizeof *header, (size_t)sections) != header->sections_crc)
        return CNNACCEL_BAD_PROGRAM;
    if (weights_bytes != header->weights_bytes)
        return CNNACCEL_BAD_WEIGHTS;
    if (crc32(weights, header->weights_bytes) != header->weights_crc)
        return CNNACCEL_BAD_WEIGHTS;
    return CNNACCEL_OK;
}

/* product *= factor, if both are more than 0 and it stays below 2**32. */
static bool multiply(uint32_t *product, uint32_t factor)
{
    uint64_t wide = (uint64_t)*product * factor;

    *product = (uint32_t)wide;
    return wide > 0 && wide <= UINT32_MAX;
}

/* Whether `count` tensors of so many channels, rows and columns of a shape have a size; it is taken
 * off `bytes`, which has at least so many. */
static bool take_size(uint32_t *bytes, uint32_t count, uint32_t channels, const uint16_t shape[3])
{
    if (!multiply(&count, channels) || !multiply(&count, shape[1]) ||
        !multiply(&count, shape[2]) || count > *bytes)
        return false;
    *bytes -= count;
    return true;
}

/* Whether the lanes of an output lie in its words. */
static bool lanes_fit(const struct cnnaccel_output *output)
{
    if (output->lanes == NULL)
        return false;
    for (uint32_t channel = 0; channel < output->shape[0]; channel++)
        if (output->lanes[channel] / CNNACCEL_INPUT_LANES >= output->words)
            return false;
    return true;
}

static bool sizes_fit(const struct cnnaccel_model *model)
{
    const uint16_t *in = model->input_shape;
    const uint32_t lanes = CNNACCEL_INPUT_LANES;
    const uint32_t held = model->input_raw ? in[0] : (in[0] + lanes - 1) / lanes * lanes;
    uint32_t image = model->image_bytes, input = model->input_stride;
    uint32_t result = model->result_bytes, output = model->output_stride;

    for (uint32_t i = 0; i < model->output_count; i++) {
        const struct cnnaccel_output *one = &model->outputs[i];

        if (!take_size(&result, 1, one->shape[0], one->shape) ||
            !take_size(&output, model->images, one->words * lanes, one->shape) || !lanes_fit(one))
            return false;
    }
    return take_size(&image, 1, in[0], in) && take_size(&input, model->images, held, in) &&
           image == 0 && input == 0 && result == 0 && output == 0;
}

enum cnnaccel_status cnnaccel_check_model(const struct cnnaccel_model *model)
{
    if (model == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    if (model->digest != CNNACCEL_DIGEST)
        return CNNACCEL_OTHER_ENGINE;
    if (model->outputs == NULL || model->output_count == 0 || !sizes_fit(model))
        return CNNACCEL_BAD_MODEL;
    if (model->layer_count != 0 && model->layers == NULL)
        return CNNACCEL_BAD_MODEL;
    return CNNACCEL_OK;
}
