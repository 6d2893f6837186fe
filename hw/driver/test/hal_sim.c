/* SPDX-License-Identifier: Apache-2.0
 *
 * The platform is the library that hw/sim/engine_sim.cpp becomes, in this process.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform.h"

/* As in hw/sim/engine_sim.cpp. */
struct sim_memory {
    uint8_t *data;
    uint64_t base, bytes;
    uint32_t latency, bus_permille, outstanding, stall_permille, seed, style;
};

static struct sim {
    void *library, *engine;
    struct sim_memory memory;
    void (*free)(void *engine);
    uint32_t (*read)(void *engine, uint32_t offset);
    void (*write)(void *engine, uint32_t offset, uint32_t value);
    uint64_t (*run)(void *engine, uint64_t most_cycles);
    uint64_t (*now)(void *engine);
    void (*slow)(void *engine, const struct sim_memory *memory);
    const char *(*complaint)(void *engine);
    uint8_t *host; /* PLATFORM_BYTES, as memory.data */
} sim;

static void check(bool well, const char *what)
{
    if (!well) {
        fprintf(stderr, "%s\n", what);
        exit(3);
    }
}

static void find(void *function, const char *name)
{
    void *const found = dlsym(sim.library, name);

    check(found != NULL, name);
    memcpy(function, &found, sizeof found); /* ISO C has no cast between the two kinds */
}

static void check_rules(void)
{
    const char *const complaint = sim.complaint(sim.engine);

    check(complaint[0] == '\0', complaint);
}

static uint32_t read32(void *context, uint32_t offset)
{
    (void)context;
    return sim.read(sim.engine, offset);
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
    (void)context;
    sim.write(sim.engine, offset, value);
}

static size_t offset_of(const void *data, size_t bytes)
{
    const size_t offset = (size_t)((const uint8_t *)data - sim.host);

    check(offset < PLATFORM_BYTES && bytes <= PLATFORM_BYTES - offset, "no memory of ours");
    return offset;
}

static void flush(void *context, const void *data, size_t bytes)
{
    (void)context;
    memcpy(sim.memory.data + offset_of(data, bytes), data, bytes);
}

static void invalidate(void *context, void *data, size_t bytes)
{
    (void)context;
    memcpy(data, sim.memory.data + offset_of(data, bytes), bytes);
}

static uint32_t now_us(void *context)
{
    (void)context;
    return (uint32_t)(sim.now(sim.engine) / 100);
}

static void wait(void *context)
{
    (void)context;
    sim.run(sim.engine, PLATFORM_POLL_CYCLES);
    check_rules();
}

static void silence(void *context, bool silent)
{
    (void)context;
    sim.memory.bus_permille = silent ? 0 : 800;
    sim.slow(sim.engine, &sim.memory);
}

struct platform platform_open(const char *where)
{
    const struct platform platform = {
        .hal = {NULL, read32, write32, flush, invalidate, now_us, wait},
        .block = platform_block(),
        .silence = silence,
    };
    void *(*new_engine)(const struct sim_memory *memory);

    sim.library = dlopen(where, RTLD_NOW);
    check(sim.library != NULL, where);
    find(&new_engine, "sim_new");
    find(&sim.free, "sim_free");
    find(&sim.read, "sim_read");
    find(&sim.write, "sim_write");
    find(&sim.run, "sim_run");
    find(&sim.now, "sim_now");
    find(&sim.slow, "sim_slow");
    find(&sim.complaint, "sim_complaint");
    sim.host = platform.block;
    sim.memory = (struct sim_memory){
        platform_block(), PLATFORM_ADDRESS, PLATFORM_BYTES,
        40, 800, 8, 0, 0, 0,
    };
    memset(sim.host, 0x55, PLATFORM_BYTES);
    memset(sim.memory.data, 0xaa, PLATFORM_BYTES);
    sim.engine = new_engine(&sim.memory);
    return platform;
}

void platform_close(struct platform *platform)
{
    sim.free(sim.engine);
    free(sim.memory.data);
    free(platform->block);
}
