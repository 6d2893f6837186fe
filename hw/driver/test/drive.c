/* SPDX-License-Identifier: Apache-2.0
 *
 * drive WHERE: does what the lines of its input say, and answers each with a line
 *
 *     command, status, words, counters
 *
 *     open TIMEOUT_US
 *     load MODEL PROGRAM WEIGHTS BYTES    MODEL 0 or 1; BYTES of the block, 0 for all
 *     run COUNT IMAGES RESULTS            reads and writes these files
 *     pack MODEL COUNT IMAGES INPUT       without an engine
 *     unpack MODEL COUNT OUTPUT RESULTS
 *     parts COUNT IMAGES RESULTS          the same by pack, start, poll, unpack
 *     stall COUNT IMAGES RESULTS          so, but memory falls silent in between
 *     dump BUFFER BYTES FILE              BUFFER 0 program .. 4 output, as the host sees it
 *     lose BUFFER                         the engine looks for it where no memory is
 *     silence 0 or 1                      memory answers nothing
 *     reset
 *     argmax MODEL RESULTS                of the first
 *     misuse                              all calls that make no sense
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "misuse.h"
#include "platform.h"

extern const struct cnnaccel_model *const model_0, *const model_1;

enum { PATH = 1024 };

static struct platform platform;
static struct cnnaccel engine;
static struct cnnaccel_memory memory;

static void die(const char *what)
{
    perror(what);
    exit(3);
}

static void *zeros(size_t bytes)
{
    void *const made = calloc(bytes + !bytes, 1);

    if (made == NULL)
        die("calloc");
    return made;
}

/* A file of at most so many bytes; how many it has. */
static uint32_t read_file(const char *path, void *data, uint32_t most)
{
    FILE *const file = fopen(path, "rb");
    size_t got;

    if (file == NULL)
        die(path);
    got = fread(data, 1, most, file);
    fclose(file);
    return (uint32_t)got;
}

static void write_file(const char *path, const void *data, size_t bytes)
{
    FILE *const file = fopen(path, "wb");

    if (file == NULL || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0)
        die(path);
}

static const struct cnnaccel_model *models(unsigned number)
{
    return number == 0 ? model_0 : model_1;
}

static struct cnnaccel_buffer *buffer(unsigned number)
{
    struct cnnaccel_buffer *const all[] = {
        &engine.memory.program, &engine.memory.weights, &engine.memory.scratch,
        &engine.memory.input, &engine.memory.output,
    };

    return all[number % 5];
}

uint8_t *platform_block(void)
{
    void *block;

    if (posix_memalign(&block, CNNACCEL_ALIGNMENT, PLATFORM_BYTES) != 0)
        die("posix_memalign");
    return block;
}

static enum cnnaccel_status load(unsigned number, const char *program, const char *weights,
                                 uint32_t bytes)
{
    const struct cnnaccel_model *const model = models(number);
    const enum cnnaccel_status status = cnnaccel_place(
        &memory, model, platform.block, PLATFORM_ADDRESS, bytes == 0 ? PLATFORM_BYTES : bytes);

    if (status != CNNACCEL_OK)
        return status;
    memset(memory.program.data, 0xee, model->program_bytes);
    memset(memory.weights.data, 0xee, model->weights_bytes);
    read_file(program, memory.program.data, model->program_bytes);
    read_file(weights, memory.weights.data, model->weights_bytes);
    return cnnaccel_load(&engine, model, &memory);
}

/* As cnnaccel_run does it for images of one start, but by parts; how often it was found busy.
 * stall: memory falls silent when it was found so once. */
static enum cnnaccel_status parts(uint32_t count, const uint8_t *images, uint8_t *results,
                                  bool stall)
{
    const struct cnnaccel_memory *const at = &engine.memory;
    enum cnnaccel_status status;
    unsigned polls = 0;
    bool busy = true;

    memset(&engine.counters, 0, sizeof engine.counters);
    status = cnnaccel_pack(engine.model, images, count, at->input.data, at->input.bytes);
    if (status == CNNACCEL_OK)
        status = cnnaccel_start(&engine, (count - 1) / engine.model->images + 1);
    while (status == CNNACCEL_OK && busy) {
        status = cnnaccel_poll(&engine, &busy);
        if (busy)
            platform.hal.wait(platform.hal.context);
        if (busy && stall)
            platform.silence(platform.hal.context, true);
        polls += busy;
    }
    printf("%u ", polls);
    if (status != CNNACCEL_OK)
        return status;
    return cnnaccel_unpack(engine.model, at->output.data, at->output.bytes, count, results);
}

/* Files and arrays are as large as images and results need, so that ASan sees what goes beyond. */
static enum cnnaccel_status run(char how, uint32_t count, const char *from, const char *to)
{
    const size_t image = engine.model == NULL ? 0 : engine.model->image_bytes;
    const size_t result = engine.model == NULL ? 0 : engine.model->result_bytes;
    uint8_t *const images = zeros(count * image), *const results = zeros(count * result);
    enum cnnaccel_status status;

    read_file(from, images, (uint32_t)(count * image));
    status = how == 'r' ? cnnaccel_run(&engine, images, count, results)
                        : parts(count, images, results, how == 's');
    if (status == CNNACCEL_OK)
        write_file(to, results, count * result);
    free(images);
    free(results);
    return status;
}

static enum cnnaccel_status pack(const struct cnnaccel_model *model, uint32_t count,
                                 const char *from, const char *to)
{
    const uint32_t iterations = (count + model->images - 1) / model->images;
    const uint32_t bytes = iterations * model->input_stride, given = count * model->image_bytes;
    uint8_t *const images = zeros(given), *const packed = zeros(bytes);
    enum cnnaccel_status status;

    memset(packed, 0x55, bytes);
    read_file(from, images, given);
    status = cnnaccel_pack(model, images, count, packed, bytes);
    write_file(to, packed, bytes);
    free(images);
    free(packed);
    return status;
}

static enum cnnaccel_status unpack(const struct cnnaccel_model *model, uint32_t count,
                                   const char *from, const char *to)
{
    const uint32_t iterations = (count + model->images - 1) / model->images;
    const uint32_t bytes = iterations * model->output_stride, wanted = count * model->result_bytes;
    uint8_t *const packed = zeros(bytes), *const results = zeros(wanted);
    enum cnnaccel_status status;

    read_file(from, packed, bytes);
    status = cnnaccel_unpack(model, packed, bytes, count, results);
    write_file(to, results, wanted);
    free(packed);
    free(results);
    return status;
}

/* Of the first result in a file, where the largest value is. */
static enum cnnaccel_status argmax(const struct cnnaccel_model *model, const char *path)
{
    uint8_t *const result = zeros(model->result_bytes);
    enum cnnaccel_status status;
    uint32_t index = 0;

    read_file(path, result, model->result_bytes);
    status = cnnaccel_argmax(model, result, &index);
    printf("%" PRIu32 " ", index);
    free(result);
    return status;
}

static void print_answer(enum cnnaccel_status status)
{
    const struct cnnaccel_counters *const counters = &engine.counters;
    char words[512];

    if (cnnaccel_explain(&engine, status, words, sizeof words) != CNNACCEL_OK)
        strcpy(words, "no words");
    printf("%d\t%s\t%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", (int)status, words,
           counters->cycles, counters->steps, counters->read_bytes, counters->written_bytes);
}

static enum cnnaccel_status obey(const char *line)
{
    char first[PATH], second[PATH];
    unsigned number, value;

    if (sscanf(line, "open %u", &value) == 1)
        return cnnaccel_open(&engine, &platform.hal, value);
    if (sscanf(line, "load %u %1023s %1023s %u", &number, first, second, &value) == 4)
        return load(number, first, second, value);
    if (sscanf(line, "run %u %1023s %1023s", &value, first, second) == 3 ||
        sscanf(line, "parts %u %1023s %1023s", &value, first, second) == 3 ||
        sscanf(line, "stall %u %1023s %1023s", &value, first, second) == 3)
        return run(line[0], value, first, second);
    if (sscanf(line, "pack %u %u %1023s %1023s", &number, &value, first, second) == 4)
        return pack(models(number), value, first, second);
    if (sscanf(line, "unpack %u %u %1023s %1023s", &number, &value, first, second) == 4)
        return unpack(models(number), value, first, second);
    if (sscanf(line, "argmax %u %1023s", &number, first) == 2)
        return argmax(models(number), first);
    if (sscanf(line, "dump %u %u %1023s", &number, &value, first) == 3)
        write_file(first, buffer(number)->data, value);
    else if (sscanf(line, "lose %u", &number) == 1)
        buffer(number)->address = UINT32_C(0xf0000000);
    else if (sscanf(line, "silence %u", &value) == 1)
        platform.silence(platform.hal.context, value != 0);
    else if (strcmp(line, "reset\n") == 0)
        return cnnaccel_reset(&engine);
    else if (strcmp(line, "misuse\n") == 0)
        printf("%s ", misuse(&engine, model_0, platform.block, &platform.hal));
    else
        die(line);
    return CNNACCEL_OK;
}

int main(int count, char **arguments)
{
    char line[3 * PATH];

    if (count != 2)
        die("drive WHERE");
    platform = platform_open(arguments[1]);
    while (fgets(line, sizeof line, stdin) != NULL) {
        print_answer(obey(line));
        fflush(stdout);
    }
    platform_close(&platform);
    return 0;
}
