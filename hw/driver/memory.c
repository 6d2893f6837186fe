/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers in contiguous memory: placed in a block, and checked.
 */
#include "cnnaccel.h"

/* The next part of a block: `bytes` of what is left, from a multiple of the alignment on. */
static struct cnnaccel_buffer cut(struct cnnaccel_buffer *left, uint32_t bytes)
{
    const struct cnnaccel_buffer part = {left->data, left->address, bytes};
    const uint32_t used = CNNACCEL_ROUND_UP(bytes);

    left->data += used;
    left->address += used;
    left->bytes -= used;
    return part;
}

enum cnnaccel_status cnnaccel_place(struct cnnaccel_memory *memory,
                                    const struct cnnaccel_model *model, void *block,
                                    uint64_t address, uint32_t bytes)
{
    const enum cnnaccel_status status = cnnaccel_check_model(model);
    struct cnnaccel_buffer left = {block, address, bytes};
    const uint64_t ends = (uint64_t)2 * CNNACCEL_ALIGNMENT; /* of input and output, rounded up */
    uint64_t needed, iteration;
    uint32_t iterations = 1;

    if (status != CNNACCEL_OK)
        return status;
    if (memory == NULL || block == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    needed = CNNACCEL_ROUND_UP((uint64_t)model->program_bytes) +
             CNNACCEL_ROUND_UP((uint64_t)model->weights_bytes) +
             CNNACCEL_ROUND_UP((uint64_t)model->scratch_bytes);
    iteration = (uint64_t)model->input_stride + model->output_stride;
    if (needed + CNNACCEL_ROUND_UP((uint64_t)model->input_stride) +
            CNNACCEL_ROUND_UP((uint64_t)model->output_stride) > bytes)
        return CNNACCEL_BAD_MEMORY;
    if (bytes - needed > ends + iteration)
        iterations = (uint32_t)((bytes - needed - ends) / iteration);
    memory->program = cut(&left, model->program_bytes);
    memory->weights = cut(&left, model->weights_bytes);
    memory->scratch = cut(&left, model->scratch_bytes);
    memory->input = cut(&left, iterations * model->input_stride);
    memory->output = cut(&left, iterations * model->output_stride);
    return CNNACCEL_OK;
}

/* Whether a buffer can hold so much, where both sides can reach it. */
static bool holds(const struct cnnaccel_buffer *buffer, uint32_t bytes)
{
    const uint64_t last = buffer->address + buffer->bytes;

    if (bytes == 0)
        return true;
    return buffer->data != NULL && buffer->bytes >= bytes &&
           (uintptr_t)buffer->data % CNNACCEL_ALIGNMENT == 0 &&
           buffer->address % CNNACCEL_ALIGNMENT == 0 && last > buffer->address &&
           (last - 1) >> (CNNACCEL_ADDRESS_BITS - 1) >> 1 == 0;
}

enum cnnaccel_status cnnaccel_check_memory(const struct cnnaccel_memory *memory,
                                           const struct cnnaccel_model *model)
{
    const enum cnnaccel_status status = cnnaccel_check_model(model);

    if (status != CNNACCEL_OK)
        return status;
    if (memory == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    if (!holds(&memory->program, model->program_bytes) ||
        !holds(&memory->weights, model->weights_bytes) ||
        !holds(&memory->scratch, model->scratch_bytes) ||
        !holds(&memory->input, model->input_stride) ||
        !holds(&memory->output, model->output_stride))
        return CNNACCEL_BAD_MEMORY;
    return CNNACCEL_OK;
}
