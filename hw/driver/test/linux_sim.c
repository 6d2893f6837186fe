/* SPDX-License-Identifier: Apache-2.0
 *
 * hal_linux.h on the simulated engine, so that main.c runs without a board: REGISTERS is the
 * library.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hal_linux.h"
#include "platform.h"

static struct platform simulated;

uint8_t *platform_block(void)
{
    void *block;

    if (posix_memalign(&block, CNNACCEL_ALIGNMENT, PLATFORM_BYTES) != 0)
        exit(3);
    return block;
}

enum cnnaccel_status cnnaccel_linux_open(struct cnnaccel_linux *platform, const char *registers,
                                         const char *memory)
{
    (void)memory;
    simulated = platform_open(registers);
    platform->hal = simulated.hal;
    platform->block = simulated.block;
    platform->address = PLATFORM_ADDRESS;
    platform->bytes = PLATFORM_BYTES;
    return CNNACCEL_OK;
}

enum cnnaccel_status cnnaccel_linux_close(struct cnnaccel_linux *platform)
{
    (void)platform;
    platform_close(&simulated);
    return CNNACCEL_OK;
}
