/* SPDX-License-Identifier: Apache-2.0
 *
 * The HAL on a Cortex-A9 without an operating system: caches by CP15 (ARM DDI 0406, B3.17 and
 * B4.2) and the PL310 (ARM DDI 0246), time by the global timer (ARM DDI 0407, 4.3). Where the
 * board's own library is linked anyway, its cache functions may take the place of flush and
 * invalidate.
 */
#include "hal_baremetal.h"

#ifndef __arm__
#error "written for a Cortex-A9; on another processor write the six functions of cnnaccel_hal"
#endif

enum { LINE_BYTES = 32 };

/* Addresses of a Zynq-7000 (UG585, appendix B). */
static const uintptr_t L2_CONTROL = 0xf8f02100, L2_SYNC = 0xf8f02730, L2_INVALIDATE = 0xf8f02770,
                       L2_CLEAN_INVALIDATE = 0xf8f027f0;
static const uintptr_t TIMER_LOW = 0xf8f00200, TIMER_HIGH = 0xf8f00204, TIMER_CONTROL = 0xf8f00208;

static volatile uint32_t *at(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

/* All that was begun has ended. */
static void barrier(void)
{
    __asm__ volatile("dsb" ::: "memory");
}

static uint32_t read32(void *context, uint32_t offset)
{
    const struct cnnaccel_baremetal *const platform = context;
    const uint32_t value = *at(platform->registers + offset);

    barrier();
    return value;
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
    const struct cnnaccel_baremetal *const platform = context;

    barrier();
    *at(platform->registers + offset) = value;
}

/* A line of L1: DCCIMVAC writes it back and drops it, DCIMVAC drops it. */
static void clean_invalidate_line(uintptr_t line)
{
    __asm__ volatile("mcr p15, 0, %0, c7, c14, 1" : : "r"(line) : "memory");
}

static void invalidate_line(uintptr_t line)
{
    __asm__ volatile("mcr p15, 0, %0, c7, c6, 1" : : "r"(line) : "memory");
}

/* Every line of a part of memory in L2, if that is on. */
static void for_l2(uintptr_t operation, uintptr_t first, size_t bytes)
{
    if ((*at(L2_CONTROL) & 1) == 0)
        return;
    for (uintptr_t line = first; line < first + bytes; line += LINE_BYTES)
        *at(operation) = (uint32_t)line;
    *at(L2_SYNC) = 0;
    barrier();
}

static uintptr_t line_of(const void *data)
{
    return (uintptr_t)data & ~(uintptr_t)(LINE_BYTES - 1);
}

static void flush(void *context, const void *data, size_t bytes)
{
    const uintptr_t first = line_of(data), end = (uintptr_t)data + bytes;

    (void)context;
    barrier();
    for (uintptr_t line = first; line < end; line += LINE_BYTES)
        clean_invalidate_line(line);
    barrier();
    for_l2(L2_CLEAN_INVALIDATE, first, end - first);
}

static void invalidate(void *context, void *data, size_t bytes)
{
    const uintptr_t first = line_of(data), end = (uintptr_t)data + bytes;

    (void)context;
    for_l2(L2_INVALIDATE, first, end - first); /* first, else L1 is filled from it again */
    for (uintptr_t line = first; line < end; line += LINE_BYTES)
        invalidate_line(line);
    barrier();
}

static uint32_t now_us(void *context)
{
    const struct cnnaccel_baremetal *const platform = context;
    uint32_t high, low;

    do {
        high = *at(TIMER_HIGH);
        low = *at(TIMER_LOW);
    } while (high != *at(TIMER_HIGH));
    return (uint32_t)(((uint64_t)high << 32 | low) / platform->ticks_per_us);
}

/* Nothing else is to be done here. */
static void wait(void *context)
{
    (void)context;
}

enum cnnaccel_status cnnaccel_baremetal_open(struct cnnaccel_baremetal *platform,
                                             uintptr_t registers, uint32_t cpu_mhz)
{
    const struct cnnaccel_hal hal = {platform, read32, write32, flush, invalidate, now_us, wait};

    if (platform == NULL || registers % sizeof(uint32_t) != 0 || cpu_mhz < 2)
        return CNNACCEL_BAD_ARGUMENT;
    platform->hal = hal;
    platform->registers = registers;
    platform->ticks_per_us = cpu_mhz / 2;
    *at(TIMER_CONTROL) |= 1;
    return CNNACCEL_OK;
}
