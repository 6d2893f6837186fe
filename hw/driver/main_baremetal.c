/* SPDX-License-Identifier: Apache-2.0
 *
 * An example for bare metal on a Zynq-7000: one image of zeros, again and again. program.bin and
 * weights.bin are linked in, as `make baremetal` does.
 */
#include <string.h>

#include "hal_baremetal.h"
#include "model.h"

enum { CPU_MHZ = 650, TIMEOUT_US = 1000000 };

static const uintptr_t ENGINE = 0x43c00000;

extern const uint8_t _binary_program_bin_start[], _binary_weights_bin_start[];

static uint8_t block[CNNACCEL_MODEL_MEMORY_BYTES] __attribute__((aligned(CNNACCEL_ALIGNMENT)));
static uint8_t image[CNNACCEL_MODEL_IMAGE_BYTES];
static uint8_t result[CNNACCEL_MODEL_RESULT_BYTES];
static struct cnnaccel_baremetal platform;
static struct cnnaccel engine;
static struct cnnaccel_memory memory;

/* For a debugger. */
volatile enum cnnaccel_status last_status;
volatile uint32_t last_class;

int main(void)
{
    enum cnnaccel_status status = cnnaccel_baremetal_open(&platform, ENGINE, CPU_MHZ);
    uint32_t best = 0;

    if (status == CNNACCEL_OK)
        status = cnnaccel_open(&engine, &platform.hal, TIMEOUT_US);
    if (status == CNNACCEL_OK)
        status = cnnaccel_place(&memory, &cnnaccel_model, block, (uintptr_t)block, sizeof block);
    if (status == CNNACCEL_OK) {
        memcpy(memory.program.data, _binary_program_bin_start, CNNACCEL_MODEL_PROGRAM_BYTES);
        memcpy(memory.weights.data, _binary_weights_bin_start, CNNACCEL_MODEL_WEIGHTS_BYTES);
        status = cnnaccel_load(&engine, &cnnaccel_model, &memory);
    }
    while (status == CNNACCEL_OK) {
        status = cnnaccel_run(&engine, image, 1, result);
        if (status == CNNACCEL_OK)
            status = cnnaccel_argmax(&cnnaccel_model, result, &best);
        last_class = best;
    }
    last_status = status;
    return (int)status;
}
