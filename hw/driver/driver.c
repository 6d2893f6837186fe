/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine behind its registers: finds it, gives it programs, starts it, waits for it. Caches are
 * written back in `give` and invalidated in `take`, nowhere else.
 */
#include <string.h>

#include "cnnaccel.h"

static const uint32_t INTERRUPTS =
    CNNACCEL_INTERRUPT_ENABLE_DONE_MASK | CNNACCEL_INTERRUPT_ENABLE_FAILED_MASK;

static uint32_t read32(const struct cnnaccel *engine, uint32_t offset)
{
    return engine->hal->read32(engine->hal->context, offset);
}

static void write32(const struct cnnaccel *engine, uint32_t offset, uint32_t value)
{
    engine->hal->write32(engine->hal->context, offset, value);
}

static uint64_t read64(const struct cnnaccel *engine, uint32_t offset)
{
    const uint64_t low = read32(engine, offset);

    return low | (uint64_t)read32(engine, offset + 4) << 32;
}

static void write64(const struct cnnaccel *engine, uint32_t offset, uint64_t value)
{
    write32(engine, offset, (uint32_t)(value & UINT32_MAX));
    write32(engine, offset + 4, (uint32_t)(value >> 32));
}

static uint32_t now_us(const struct cnnaccel *engine)
{
    return engine->hal->now_us(engine->hal->context);
}

/* The engine will see what the host wrote, and nothing of it will be written back later. */
static void give(const struct cnnaccel *engine, const struct cnnaccel_buffer *buffer,
                 uint32_t bytes)
{
    if (bytes != 0)
        engine->hal->flush(engine->hal->context, buffer->data, bytes);
}

/* The host will see what the engine wrote. */
static void take(const struct cnnaccel *engine, const struct cnnaccel_buffer *buffer,
                 uint32_t bytes)
{
    if (bytes != 0)
        engine->hal->invalidate(engine->hal->context, buffer->data, bytes);
}

/* Whether a register has the value that it must have; the other is kept. */
static bool answers(struct cnnaccel *engine, uint64_t found, uint64_t expected)
{
    engine->failure.found = found;
    return found == expected;
}

static enum cnnaccel_status identify(struct cnnaccel *engine)
{
    if (!answers(engine, read32(engine, CNNACCEL_REG_ID), CNNACCEL_MAGIC))
        return CNNACCEL_NO_ENGINE;
    if (!answers(engine, read32(engine, CNNACCEL_REG_VERSION), CNNACCEL_FORMAT_VERSION))
        return CNNACCEL_OTHER_VERSION;
    if (!answers(engine, read64(engine, CNNACCEL_REG_DIGEST), CNNACCEL_DIGEST))
        return CNNACCEL_OTHER_ENGINE;
    return CNNACCEL_OK;
}

enum cnnaccel_status cnnaccel_open(struct cnnaccel *engine, const struct cnnaccel_hal *hal,
                                   uint32_t timeout_us)
{
    enum cnnaccel_status status;

    if (engine == NULL || hal == NULL || timeout_us > INT32_MAX || hal->read32 == NULL ||
        hal->write32 == NULL || hal->flush == NULL || hal->invalidate == NULL ||
        hal->now_us == NULL || hal->wait == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    memset(engine, 0, sizeof *engine);
    engine->hal = hal;
    engine->timeout_us = timeout_us;
    status = identify(engine);
    if (status == CNNACCEL_OK)
        status = cnnaccel_reset(engine);
    if (status != CNNACCEL_OK)
        engine->hal = NULL; /* so that nothing else is tried with it */
    return status;
}

enum cnnaccel_status cnnaccel_reset(struct cnnaccel *engine)
{
    uint32_t since;

    if (engine == NULL || engine->hal == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    engine->running = false;
    write32(engine, CNNACCEL_REG_CONTROL, CNNACCEL_CONTROL_RESET_MASK);
    since = now_us(engine);
    while (read32(engine, CNNACCEL_REG_STATUS) != 0) {
        if (now_us(engine) - since > engine->timeout_us) {
            engine->failure.waiting = read32(engine, CNNACCEL_REG_WAITING);
            return CNNACCEL_RESET_TIMEOUT;
        }
        engine->hal->wait(engine->hal->context);
    }
    return CNNACCEL_OK;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

enum cnnaccel_status cnnaccel_load(struct cnnaccel *engine, const struct cnnaccel_model *model,
                                   const struct cnnaccel_memory *memory)
{
    struct cnnaccel_header header;
    enum cnnaccel_status status;

    if (engine == NULL || engine->hal == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    engine->model = NULL;
    engine->resident = false;
    status = engine->running ? cnnaccel_reset(engine) : CNNACCEL_OK;
    if (status == CNNACCEL_OK)
        status = cnnaccel_check_memory(memory, model);
    if (status == CNNACCEL_OTHER_ENGINE)
        engine->failure.found = model->digest;
    if (status != CNNACCEL_OK)
        return status;
    status = cnnaccel_check_program(memory->program.data, model->program_bytes,
                                    memory->weights.data, model->weights_bytes, &header);
    if (status == CNNACCEL_OTHER_ENGINE)
        engine->failure.found = header.digest;
    if (status == CNNACCEL_OTHER_VERSION)
        engine->failure.found = header.version;
    if (status != CNNACCEL_OK)
        return status;
    if (header.header_crc != model->program_crc || header.scratch_bytes != model->scratch_bytes ||
        header.input_stride != model->input_stride || header.output_stride != model->output_stride)
        return CNNACCEL_OTHER_MODEL;
    give(engine, &memory->program, model->program_bytes);
    give(engine, &memory->weights, model->weights_bytes);
    give(engine, &memory->scratch, model->scratch_bytes);
    engine->memory = *memory;
    engine->room = least(memory->input.bytes / header.input_stride,
                         memory->output.bytes / header.output_stride);
    engine->header = header;
    engine->model = model;
    return CNNACCEL_OK;
}

/* Addresses and sizes of all buffers; of section once what is left to do while the chip holds the
 * weights. */
static void write_registers(struct cnnaccel *engine)
{
    const struct cnnaccel_memory *memory = &engine->memory;
    const struct cnnaccel_header *header = &engine->header;
    const uint32_t skipped = engine->resident ? header->once_bytes - header->again_bytes : 0;

    engine->skipped = 0;
    if (engine->resident)
        engine->skipped = header->once_instructions - header->again_instructions;
    write64(engine, CNNACCEL_REG_PROGRAM_ADDRESS,
            memory->program.address + CNNACCEL_HEADER_BYTES + skipped);
    write32(engine, CNNACCEL_REG_ONCE_BYTES, header->once_bytes - skipped);
    write32(engine, CNNACCEL_REG_BODY_BYTES, header->body_bytes);
    write32(engine, CNNACCEL_REG_COUNT, engine->iterations);
    write64(engine, CNNACCEL_REG_WEIGHTS_ADDRESS, memory->weights.address);
    write64(engine, CNNACCEL_REG_INPUT_ADDRESS, memory->input.address);
    write64(engine, CNNACCEL_REG_OUTPUT_ADDRESS, memory->output.address);
    write64(engine, CNNACCEL_REG_SCRATCH_ADDRESS, memory->scratch.address);
    write32(engine, CNNACCEL_REG_WEIGHTS_BYTES, header->weights_bytes);
    write32(engine, CNNACCEL_REG_INPUT_BYTES, engine->iterations * header->input_stride);
    write32(engine, CNNACCEL_REG_OUTPUT_BYTES, engine->iterations * header->output_stride);
    write32(engine, CNNACCEL_REG_SCRATCH_BYTES, header->scratch_bytes);
    write32(engine, CNNACCEL_REG_INPUT_STRIDE, header->input_stride);
    write32(engine, CNNACCEL_REG_OUTPUT_STRIDE, header->output_stride);
}

enum cnnaccel_status cnnaccel_start(struct cnnaccel *engine, uint32_t iterations)
{
    const struct cnnaccel_memory *memory;
    enum cnnaccel_status status;

    if (engine == NULL || engine->hal == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    if (engine->model == NULL)
        return CNNACCEL_NOT_LOADED;
    memory = &engine->memory;
    if (iterations == 0 || iterations > engine->room)
        return CNNACCEL_BAD_ARGUMENT;
    status = cnnaccel_reset(engine);
    if (status != CNNACCEL_OK)
        return status;
    engine->iterations = iterations;
    write_registers(engine);
    engine->resident = false; /* unless this run ends well */
    give(engine, &memory->input, iterations * engine->header.input_stride);
    give(engine, &memory->output, iterations * engine->header.output_stride);
    write32(engine, CNNACCEL_REG_INTERRUPT_STATUS, INTERRUPTS);
    write32(engine, CNNACCEL_REG_INTERRUPT_ENABLE, INTERRUPTS);
    write32(engine, CNNACCEL_REG_CONTROL, CNNACCEL_CONTROL_START_MASK);
    engine->running = true;
    memset(engine->seen, 0, sizeof engine->seen);
    engine->since_us = now_us(engine);
    return CNNACCEL_OK;
}

static void add_counters(struct cnnaccel *engine)
{
    struct cnnaccel_counters *sums = &engine->counters;

    sums->cycles += read64(engine, CNNACCEL_REG_CYCLES);
    sums->steps += read64(engine, CNNACCEL_REG_STEPS);
    sums->compute_waits_load += read64(engine, CNNACCEL_REG_COMPUTE_WAITS_LOAD);
    sums->compute_waits_store += read64(engine, CNNACCEL_REG_COMPUTE_WAITS_STORE);
    sums->load_busy += read64(engine, CNNACCEL_REG_LOAD_BUSY);
    sums->store_busy += read64(engine, CNNACCEL_REG_STORE_BUSY);
    sums->read_bytes += read64(engine, CNNACCEL_REG_READ_BYTES);
    sums->written_bytes += read64(engine, CNNACCEL_REG_WRITTEN_BYTES);
}

/* What is left to do when the engine is at rest again. */
static enum cnnaccel_status finish(struct cnnaccel *engine)
{
    engine->running = false;
    write32(engine, CNNACCEL_REG_INTERRUPT_STATUS, INTERRUPTS);
    if (read32(engine, CNNACCEL_REG_STATUS) != CNNACCEL_STATUS_DONE_MASK) {
        engine->failure.error = read32(engine, CNNACCEL_REG_ERROR);
        engine->failure.instruction =
            engine->skipped + read32(engine, CNNACCEL_REG_FAILING_INSTRUCTION);
        engine->failure.iteration = read32(engine, CNNACCEL_REG_ITERATION);
        write32(engine, CNNACCEL_REG_CONTROL, CNNACCEL_CONTROL_RESET_MASK);
        return CNNACCEL_FAILED;
    }
    engine->resident = true;
    add_counters(engine);
    take(engine, &engine->memory.output, engine->iterations * engine->header.output_stride);
    return CNNACCEL_OK;
}

enum cnnaccel_status cnnaccel_poll(struct cnnaccel *engine, bool *busy)
{
    uint64_t moving[4];

    if (engine == NULL || engine->hal == NULL || busy == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    *busy = false;
    if (!engine->running)
        return CNNACCEL_NOT_STARTED;
    if ((read32(engine, CNNACCEL_REG_STATUS) & CNNACCEL_STATUS_BUSY_MASK) == 0)
        return finish(engine);
    moving[0] = read32(engine, CNNACCEL_REG_ITERATION);
    moving[1] = read64(engine, CNNACCEL_REG_STEPS);
    moving[2] = read64(engine, CNNACCEL_REG_READ_BYTES);
    moving[3] = read64(engine, CNNACCEL_REG_WRITTEN_BYTES);
    if (memcmp(moving, engine->seen, sizeof moving) != 0) {
        memcpy(engine->seen, moving, sizeof moving);
        engine->since_us = now_us(engine);
    } else if (now_us(engine) - engine->since_us > engine->timeout_us) {
        engine->running = false;
        engine->failure.waiting = read32(engine, CNNACCEL_REG_WAITING);
        write32(engine, CNNACCEL_REG_CONTROL, CNNACCEL_CONTROL_RESET_MASK);
        return CNNACCEL_TIMEOUT;
    }
    *busy = true;
    return CNNACCEL_OK;
}

enum cnnaccel_status cnnaccel_wait(struct cnnaccel *engine)
{
    for (;;) {
        bool busy;
        const enum cnnaccel_status status = cnnaccel_poll(engine, &busy); /* has the timeout */

        if (status != CNNACCEL_OK || !busy)
            return status;
        engine->hal->wait(engine->hal->context);
    }
}
