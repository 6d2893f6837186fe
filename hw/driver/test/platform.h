/* SPDX-License-Identifier: Apache-2.0
 *
 * What a test program runs on: an engine that is simulated here or behind a socket, and memory of
 * which the engine sees what was flushed, and the host what it invalidated.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include "cnnaccel.h"

enum { PLATFORM_BYTES = 1 << 22, PLATFORM_ADDRESS = 0x10000000, PLATFORM_POLL_CYCLES = 50000 };

struct platform {
    struct cnnaccel_hal hal;
    uint8_t *block; /* the host's view, aligned to CNNACCEL_ALIGNMENT */
    /* From now on memory answers nothing, or does again. */
    void (*silence)(void *context, bool silent);
};

/* PLATFORM_BYTES of the heap, aligned; ends the program when there are none. */
uint8_t *platform_block(void);

/* where: the library of a simulated engine, or the path of a socket; no way back from a failure. */
struct platform platform_open(const char *where);
void platform_close(struct platform *platform);

#endif
