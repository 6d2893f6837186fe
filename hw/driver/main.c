/* SPDX-License-Identifier: Apache-2.0
 *
 * An example for Linux:
 *
 *     cnnaccel-run REGISTERS MEMORY PROGRAM WEIGHTS IMAGES
 *
 * IMAGES holds raw uint8_t[count][channels][rows][columns]. Prints, for every image, the class and
 * the values of the result, and at the end what the engine counted. hal_linux.h says what REGISTERS
 * and MEMORY may be.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hal_linux.h"
#include "model.h"

enum { IMAGES_AT_ONCE = 16 * CNNACCEL_MODEL_IMAGES, TIMEOUT_US = 1000000 };

static uint8_t images[(size_t)IMAGES_AT_ONCE * CNNACCEL_MODEL_IMAGE_BYTES];
static uint8_t results[(size_t)IMAGES_AT_ONCE * CNNACCEL_MODEL_RESULT_BYTES];
static struct cnnaccel_linux platform;
static struct cnnaccel engine;
static struct cnnaccel_memory memory;

/* Says what went wrong, if anything did. */
static bool well(enum cnnaccel_status status, const char *what)
{
    char words[512];

    if (status == CNNACCEL_OK)
        return true;
    (void)cnnaccel_explain(&engine, status, words, sizeof words);
    fprintf(stderr, "%s: %s", what, words);
    fprintf(stderr, platform.error == 0 ? "\n" : " (%s)\n", strerror(platform.error));
    return false;
}

/* A file of exactly so many bytes. */
static bool read_whole(const char *path, void *data, size_t bytes)
{
    FILE *const file = fopen(path, "rb");
    bool whole;

    if (file == NULL) {
        perror(path);
        return false;
    }
    whole = fread(data, 1, bytes, file) == bytes && fgetc(file) == EOF;
    fclose(file);
    if (!whole)
        fprintf(stderr, "%s: should have %zu bytes\n", path, bytes);
    return whole;
}

static bool load(const char *program, const char *weights)
{
    return well(cnnaccel_open(&engine, &platform.hal, TIMEOUT_US), "engine") &&
           well(cnnaccel_place(&memory, &cnnaccel_model, platform.block, platform.address,
                               platform.bytes),
                "memory") &&
           read_whole(program, memory.program.data, CNNACCEL_MODEL_PROGRAM_BYTES) &&
           read_whole(weights, memory.weights.data, CNNACCEL_MODEL_WEIGHTS_BYTES) &&
           well(cnnaccel_load(&engine, &cnnaccel_model, &memory), program);
}

static bool print_result(const uint8_t *result)
{
    uint32_t best;

    if (!well(cnnaccel_argmax(&cnnaccel_model, result, &best), "argmax"))
        return false;
    printf("%" PRIu32, best);
    if (cnnaccel_model.classes != NULL)
        printf(" %s", cnnaccel_model.classes[best]);
    for (uint32_t i = 0; i < CNNACCEL_MODEL_OUTPUTS; i++) {
        const struct cnnaccel_output *output = &cnnaccel_model.outputs[i];
        const size_t values = (size_t)output->shape[0] * output->shape[1] * output->shape[2];

        for (size_t at = 0; at < values; at++)
            printf(" %d", output->is_signed ? (int8_t)result[at] : result[at]);
        result += values;
    }
    printf("\n");
    return true;
}

/* So many of `images`. */
static bool run_some(uint32_t count)
{
    if (!well(cnnaccel_run(&engine, images, count, results), "run"))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!print_result(results + i * CNNACCEL_MODEL_RESULT_BYTES))
            return false;
    return true;
}

/* Whether what was read of a file is the beginning of a .npy. */
static bool is_npy(size_t bytes)
{
    static const uint8_t numpy[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

    return bytes >= sizeof numpy && memcmp(images, numpy, sizeof numpy) == 0;
}

/* Says what a file should hold. */
static bool no_images(const char *path, size_t bytes)
{
    fprintf(stderr, "%s: should hold images uint8_t[%d][%d][%d] of %d bytes each%s\n", path,
            CNNACCEL_MODEL_INPUT_CHANNELS, CNNACCEL_MODEL_INPUT_ROWS, CNNACCEL_MODEL_INPUT_COLUMNS,
            CNNACCEL_MODEL_IMAGE_BYTES,
            is_npy(bytes) ? "; this is a .npy, of which images.tofile(PATH) writes the pixels alone"
                          : "");
    return false;
}

/* All images of a file, as many at once as `images` holds. */
static bool run(FILE *file, const char *path)
{
    uint64_t cycles = 0, count = 0;
    size_t bytes;

    do {
        bytes = fread(images, 1, sizeof images, file);
        if (ferror(file)) {
            perror(path);
            return false;
        }
        if (bytes % CNNACCEL_MODEL_IMAGE_BYTES != 0 ||
            (count == 0 && (bytes == 0 || is_npy(bytes))))
            return no_images(path, bytes);
        if (!run_some((uint32_t)(bytes / CNNACCEL_MODEL_IMAGE_BYTES)))
            return false;
        cycles += engine.counters.cycles;
        count += bytes / CNNACCEL_MODEL_IMAGE_BYTES;
    } while (bytes == sizeof images);
    fprintf(stderr, "%" PRIu64 " images in %" PRIu64 " cycles\n", count, cycles);
    return true;
}

int main(int count, char **arguments)
{
    FILE *file;
    bool done;

    if (count != 6) {
        fprintf(stderr, "usage: %s REGISTERS MEMORY PROGRAM WEIGHTS IMAGES\n", arguments[0]);
        return 2;
    }
    file = fopen(arguments[5], "rb");
    if (file == NULL) {
        perror(arguments[5]);
        return 1;
    }
    done = well(cnnaccel_linux_open(&platform, arguments[1], arguments[2]), arguments[1]) &&
           load(arguments[3], arguments[4]) && run(file, arguments[5]);
    fclose(file);
    return well(cnnaccel_linux_close(&platform), arguments[1]) && done ? 0 : 1;
}
