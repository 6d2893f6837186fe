/* SPDX-License-Identifier: Apache-2.0
 *
 * Bare metal on a Zynq-7000 (Cortex-A9, PL310): one core, memory mapped one to one.
 */
#ifndef CNNACCEL_HAL_BAREMETAL_H
#define CNNACCEL_HAL_BAREMETAL_H

#include "cnnaccel.h"

struct cnnaccel_baremetal {
    struct cnnaccel_hal hal;
    uintptr_t registers;
    uint32_t ticks_per_us;
};

/* registers: where the engine is, as the address editor of Vivado says. cpu_mhz: of the processor,
 * whose global timer counts at half of that; it is switched on. `platform` must stay where it is.
 */
enum cnnaccel_status cnnaccel_baremetal_open(struct cnnaccel_baremetal *platform,
                                             uintptr_t registers, uint32_t cpu_mhz);

#endif
