/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer's target: bytes as the two files of a program, or as the description of a model and
 * images. An input is 0, the size of program.bin in 4 bytes, program.bin, weights.bin; or 1, a
 * struct shape, lanes, images. Every array is as large as its contents, so that ASan sees what the
 * driver touches beyond them.
 */
#include <stdlib.h>
#include <string.h>

#include "cnnaccel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct shape {
    uint16_t input[3], output[3], words;
    uint8_t images, raw, table, count, honest, enough;
};

static void must(bool true_always)
{
    if (!true_always)
        abort();
}

static uint8_t *copy_of(const uint8_t *data, size_t bytes)
{
    uint8_t *const copy = malloc(bytes + !bytes);

    must(copy != NULL);
    if (bytes != 0)
        memcpy(copy, data, bytes);
    return copy;
}

static uint8_t *zeros(size_t bytes)
{
    uint8_t *const made = calloc(bytes + !bytes, 1);

    must(made != NULL);
    return made;
}

/* Not the driver's, on purpose. */
static uint32_t crc32(const uint8_t *data, size_t bytes)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Makes it a program of this engine, all checksums right, whatever the sizes say. */
static void sign(uint8_t *program, size_t program_bytes, const uint8_t *weights,
                 size_t weights_bytes)
{
    struct cnnaccel_header header;

    if (program_bytes < sizeof header)
        return;
    memcpy(&header, program, sizeof header);
    header.magic = CNNACCEL_MAGIC;
    header.version = CNNACCEL_FORMAT_VERSION;
    header.digest = CNNACCEL_DIGEST;
    header.sections_crc =
        crc32(program + sizeof header, least(program_bytes - sizeof header,
                                             (size_t)header.once_bytes + header.body_bytes));
    header.weights_crc = crc32(weights, least(weights_bytes, header.weights_bytes));
    memcpy(program, &header, sizeof header);
    header.header_crc = crc32(program, offsetof(struct cnnaccel_header, header_crc));
    memcpy(program, &header, sizeof header);
}

static void try_program(const uint8_t *data, size_t bytes)
{
    uint32_t size;
    uint8_t *program, *weights;
    size_t weights_bytes;

    if (bytes < sizeof size)
        return;
    memcpy(&size, data, sizeof size);
    data += sizeof size;
    bytes -= sizeof size;
    size = (uint32_t)least(size, bytes);
    weights_bytes = bytes - size;
    program = copy_of(data, size);
    weights = copy_of(data + size, weights_bytes);
    for (int signs = 0; signs < 2; signs++) {
        struct cnnaccel_header header;

        if (cnnaccel_check_program(program, size, weights, weights_bytes, &header) == CNNACCEL_OK) {
            must(sizeof header + (uint64_t)header.once_bytes + header.body_bytes == size);
            must(header.weights_bytes == weights_bytes && header.again_bytes <= header.once_bytes);
        }
        sign(program, size, weights, weights_bytes);
    }
    free(program);
    free(weights);
}

/* A model of this shape, its sizes right if it is honest and they can be. */
static struct cnnaccel_model describe(const struct shape *shape, struct cnnaccel_output *output,
                                      const uint16_t *lanes, const int8_t *table)
{
    const uint32_t wide = CNNACCEL_INPUT_LANES, raw = shape->raw & 1;
    const uint32_t pixels = (uint32_t)shape->input[1] * shape->input[2];
    const uint32_t values = (uint32_t)shape->output[1] * shape->output[2];
    const uint32_t held = raw ? shape->input[0] : (shape->input[0] + wide - 1) / wide * wide;
    const uint32_t lie = shape->honest == 0;
    struct cnnaccel_model model = {
        .name = "", .digest = CNNACCEL_DIGEST, .images = shape->images, .input_raw = raw,
        .outputs = output, .output_count = 1,
        .input_table = shape->table & 1 ? table : NULL,
        .image_bytes = shape->input[0] * pixels, .result_bytes = shape->output[0] * values,
        .input_stride = shape->images * held * pixels + lie,
        .output_stride = shape->images * values * shape->words * wide,
    };

    memcpy(model.input_shape, shape->input, sizeof model.input_shape);
    *output = (struct cnnaccel_output){.name = "", .words = shape->words, .lanes = lanes};
    memcpy(output->shape, shape->output, sizeof output->shape);
    return model;
}

/* Images of zeros, packed into exactly enough bytes, or into one too few. */
static void try_pack(const struct cnnaccel_model *model, uint32_t count, bool enough)
{
    const uint32_t iterations = count / model->images + (count % model->images != 0);
    const uint32_t bytes = iterations * model->input_stride - !enough;
    uint8_t *const images = zeros((size_t)count * model->image_bytes), *const packed = zeros(bytes);
    const enum cnnaccel_status status = cnnaccel_pack(model, images, count, packed, bytes);

    must(status == (enough ? CNNACCEL_OK : CNNACCEL_BAD_MEMORY));
    free(images);
    free(packed);
}

static void try_unpack(const struct cnnaccel_model *model, uint32_t count)
{
    const uint32_t iterations = count / model->images + (count % model->images != 0);
    const uint32_t bytes = iterations * model->output_stride;
    uint8_t *const packed = zeros(bytes);
    uint8_t *const results = zeros((size_t)count * model->result_bytes);
    uint32_t index;

    must(cnnaccel_unpack(model, packed, bytes, count, results) == CNNACCEL_OK);
    must(cnnaccel_argmax(model, results, &index) == CNNACCEL_OK && index == 0);
    free(packed);
    free(results);
}

/* Images of any shape, but few and small. */
static void try_model(const uint8_t *data, size_t bytes)
{
    struct shape shape;
    struct cnnaccel_model model;
    struct cnnaccel_output output;
    uint8_t *lanes, *table;
    uint32_t count;

    if (bytes < sizeof shape)
        return;
    memcpy(&shape, data, sizeof shape);
    for (int i = 0; i < 3; i++) {
        shape.input[i] %= 24;
        shape.output[i] %= 24;
    }
    count = shape.count % 16 + 1;
    bytes -= sizeof shape;
    if (shape.output[0] * sizeof(uint16_t) > bytes)
        return;
    lanes = copy_of(data + sizeof shape, shape.output[0] * sizeof(uint16_t));
    table = zeros(shape.input[0] * (size_t)256);
    model = describe(&shape, &output, (const uint16_t *)(const void *)lanes,
                     (const int8_t *)table);
    if (cnnaccel_check_model(&model) == CNNACCEL_OK && model.output_stride < 1 << 18) {
        must(shape.honest != 0);
        try_pack(&model, count, shape.enough != 0);
        try_unpack(&model, count);
    }
    free(lanes);
    free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    if (data[0] == 0)
        try_program(data + 1, bytes - 1);
    else
        try_model(data + 1, bytes - 1);
    return 0;
}
