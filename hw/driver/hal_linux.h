/* SPDX-License-Identifier: Apache-2.0
 *
 * Linux: registers by UIO or /dev/mem, contiguous memory by u-dma-buf or /dev/mem.
 */
#ifndef CNNACCEL_HAL_LINUX_H
#define CNNACCEL_HAL_LINUX_H

#include "cnnaccel.h"

struct cnnaccel_linux {
    struct cnnaccel_hal hal;
    /* Contiguous memory, for cnnaccel_place. */
    uint8_t *block;
    uint64_t address;
    uint32_t bytes;
    int error; /* errno of the first call that failed, 0 if none did */
    /* The rest is the HAL's own. */
    volatile uint32_t *registers;
    int interrupt; /* the UIO device, or -1 */
    int sync_offset, sync_size, sync_for_device, sync_for_cpu; /* of u-dma-buf, or -1 */
};

/* CNNACCEL_NOT_CONFIGURED: the state of the kernel's FPGA manager is not `operating`; nothing is
 * mapped then. Where there is no such manager, nobody knows, and the engine is looked for.
 * registers: "/dev/uio0", whose first map is the engine, or "/dev/mem@43c00000", a physical address
 * in hex. memory: "/dev/udmabuf0", cached, or "/dev/mem@18000000+1000000", address and size in hex
 * of memory that the kernel does not use (mem= or a reserved-memory node), not cached. `platform`
 * must stay where it is. */
enum cnnaccel_status cnnaccel_linux_open(struct cnnaccel_linux *platform, const char *registers,
                                         const char *memory);

/* Gives all back, also after an open that failed. CNNACCEL_NO_PLATFORM: some call failed since. */
enum cnnaccel_status cnnaccel_linux_close(struct cnnaccel_linux *platform);

#endif
