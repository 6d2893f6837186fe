/* SPDX-License-Identifier: Apache-2.0
 *
 * hal_baremetal.c in a process: memory in the place of the PL310 and the timer, and a handler that
 * notes the operations on L1, which a process may not do, and goes on behind them.
 */
#define _GNU_SOURCE /* names of registers in a signal's context */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "hal_baremetal.h"

enum { LINE = 32, LINES = 9, MOST = 64, CLEAN_INVALIDATE = 14, INVALIDATE = 6 };

static const uintptr_t SYSTEM = 0xf8f00000, TIMER = 0x200, L2 = 0x2000;

static struct {
    unsigned kind;
    uintptr_t address;
} noted[MOST];
static unsigned count;

static void must(bool true_always, const char *what)
{
    if (!true_always) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

/* An illegal instruction: mcr p15, 0, register, c7, kind, 1, or the end. */
static void note(int number, siginfo_t *info, void *context)
{
    mcontext_t *const machine = &((ucontext_t *)context)->uc_mcontext;
    uint32_t code;

    (void)info;
    memcpy(&code, (const void *)(uintptr_t)machine->arm_pc, sizeof code);
    if ((code & 0xffff0ff0u) != 0xee070f30u || count == MOST)
        _Exit(number);
    noted[count].kind = code & 0xf;
    noted[count++].address = (&machine->arm_r0)[code >> 12 & 0xf];
    machine->arm_pc += sizeof code;
}

/* Whether every line from here on was operated on once, in order, and nothing else. */
static bool were(unsigned kind, uintptr_t first, unsigned lines)
{
    bool all = count == lines;

    for (unsigned i = 0; all && i < lines; i++)
        all = noted[i].kind == kind && noted[i].address == first + i * LINE;
    count = 0;
    return all;
}

static uint32_t *at(uint8_t *system, uintptr_t offset)
{
    return (uint32_t *)(void *)(system + offset);
}

int main(void)
{
    static uint8_t data[LINES * LINE] __attribute__((aligned(LINE)));
    static uint32_t registers[64];
    static struct cnnaccel_baremetal platform;
    const struct cnnaccel_hal *const hal = &platform.hal;
    const uintptr_t first = (uintptr_t)data;
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    uint8_t *const system = mmap((void *)SYSTEM, 0x3000, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    must((uintptr_t)system == SYSTEM && sigaction(SIGILL, &action, NULL) == 0, "no place");
    must(cnnaccel_baremetal_open(&platform, 2, 650) == CNNACCEL_BAD_ARGUMENT, "misaligned");
    must(cnnaccel_baremetal_open(&platform, (uintptr_t)registers, 650) == CNNACCEL_OK, "open");
    must(*at(system, TIMER + 8) == 1, "the timer is not on");

    hal->write32(hal->context, 0x10, 77);
    must(registers[4] == 77 && hal->read32(hal->context, 0x10) == 77, "registers");
    *at(system, TIMER) = 650;
    must(hal->now_us(hal->context) == 2, "325 ticks are a microsecond");
    *at(system, TIMER + 4) = 1;
    must(hal->now_us(hal->context) == 13215285, "both words of the timer");
    *at(system, TIMER + 4) = 325;
    must(hal->now_us(hal->context) == 2, "2**32 microseconds later it wraps");

    *at(system, L2 + 0x770) = *at(system, L2 + 0x7f0) = 1;
    hal->flush(hal->context, data, sizeof data);
    must(were(CLEAN_INVALIDATE, first, LINES), "flush of whole lines");
    hal->flush(hal->context, data + 1, LINE);
    must(were(CLEAN_INVALIDATE, first, 2), "flush of parts of two lines");
    hal->invalidate(hal->context, data + LINE, 2 * LINE);
    must(were(INVALIDATE, first + LINE, 2), "invalidate");
    must(*at(system, L2 + 0x770) == 1 && *at(system, L2 + 0x7f0) == 1, "L2 is off");

    *at(system, L2 + 0x100) = 1;
    hal->flush(hal->context, data, sizeof data);
    must(were(CLEAN_INVALIDATE, first, LINES), "flush with L2");
    must(*at(system, L2 + 0x7f0) == first + (LINES - 1) * LINE, "the last line in L2");
    hal->invalidate(hal->context, data, 3 * LINE);
    must(were(INVALIDATE, first, 3) && *at(system, L2 + 0x770) == first + 2 * LINE, "both levels");
    puts("well");
    return 0;
}
