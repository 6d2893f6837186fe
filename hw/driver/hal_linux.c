/* SPDX-License-Identifier: Apache-2.0
 *
 * The HAL on Linux. What u-dma-buf offers in sysfs, and what it means, is described at
 * https://github.com/ikwzm/udmabuf; what UIO does, in the kernel's driver-api/uio-howto.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64 /* /dev/mem has addresses from 2**31 on */

#include "hal_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { REGISTER_BYTES = 4096, PATH = 256, NUMBER = 32, WAIT_MS = 1, SLEEP_NS = 50000 };

/* Keeps the first errno, for those who call functions that cannot say. */
static void failed(struct cnnaccel_linux *platform)
{
    if (platform->error == 0)
        platform->error = errno;
}

/* Between memory and registers: neither may overtake the other. */
static void barrier(void)
{
    __sync_synchronize();
}

static uint32_t read32(void *context, uint32_t offset)
{
    const struct cnnaccel_linux *const platform = context;
    const uint32_t value = platform->registers[offset / sizeof value];

    barrier();
    return value;
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
    const struct cnnaccel_linux *const platform = context;

    barrier();
    platform->registers[offset / sizeof value] = value;
}

static void write_number(struct cnnaccel_linux *platform, int file, size_t number)
{
    char text[NUMBER];
    const int length = snprintf(text, sizeof text, "%zu", number);

    if (pwrite(file, text, (size_t)length, 0) != length)
        failed(platform);
}

/* Makes part of the block the device's, or the host's again; nothing where it is not cached. */
static void sync_part(struct cnnaccel_linux *platform, const void *data, size_t bytes, int whose)
{
    if (platform->sync_offset >= 0) {
        write_number(platform, platform->sync_offset,
                     (size_t)((const uint8_t *)data - platform->block));
        write_number(platform, platform->sync_size, bytes);
        write_number(platform, whose, 1);
    }
    barrier();
}

static void flush(void *context, const void *data, size_t bytes)
{
    struct cnnaccel_linux *const platform = context;

    sync_part(platform, data, bytes, platform->sync_for_device);
}

static void invalidate(void *context, void *data, size_t bytes)
{
    struct cnnaccel_linux *const platform = context;

    sync_part(platform, data, bytes, platform->sync_for_cpu);
}

static uint32_t now_us(void *context)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        failed(context);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u);
}

/* For the interrupt, which UIO has to enable each time; else a short sleep. */
static void wait(void *context)
{
    struct cnnaccel_linux *const platform = context;
    const struct timespec pause = {0, SLEEP_NS};
    struct pollfd line = {platform->interrupt, POLLIN, 0};
    uint32_t word = 1;

    if (platform->interrupt < 0 ||
        write(platform->interrupt, &word, sizeof word) != (ssize_t)sizeof word) {
        platform->interrupt = -1; /* a UIO device without an interrupt */
        nanosleep(&pause, NULL);
    } else if (poll(&line, 1, WAIT_MS) > 0 &&
               read(platform->interrupt, &word, sizeof word) != (ssize_t)sizeof word) {
        failed(platform);
    }
}

/* "path@address+size" in its parts, both numbers hex, 0 if they are missing. */
static bool split(const char *text, char path[PATH], uint64_t *address, uint64_t *bytes)
{
    const char *const at = strchr(text, '@');
    const size_t length = at == NULL ? strlen(text) : (size_t)(at - text);
    char *end = NULL;

    *address = *bytes = 0;
    if (length >= PATH)
        return false;
    memcpy(path, text, length);
    path[length] = '\0';
    if (at == NULL)
        return true;
    *address = strtoull(at + 1, &end, 16);
    if (*end == '+')
        *bytes = strtoull(end + 1, &end, 16);
    return *end == '\0';
}

static void *map(int file, uint64_t offset, size_t bytes)
{
    void *const found = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, (off_t)offset);

    return found == MAP_FAILED ? NULL : found;
}

/* Whether the kernel knows that no logic answers behind the registers: on a Zynq-7000 a read of one
 * would stop the processors. /dev/NAME has /sys/class/fpga_manager/fpga0/state; without that nobody
 * knows. */
static bool is_empty(const char *registers)
{
    static const char operating[] = "operating";
    const char *const dev = strstr(registers, "/dev/");
    const int length = dev == NULL ? 0 : (int)(dev - registers);
    char path[2 * PATH], state[NUMBER] = "";
    int file;
    ssize_t bytes;

    snprintf(path, sizeof path, "%.*s/sys/class/fpga_manager/fpga0/state", length, registers);
    file = open(path, O_RDONLY);
    if (file < 0)
        return false;
    bytes = read(file, state, sizeof state - 1);
    close(file);
    return bytes > 0 && strncmp(state, operating, sizeof operating - 1) != 0;
}

static bool open_registers(struct cnnaccel_linux *platform, const char *where)
{
    char path[PATH];
    uint64_t address, bytes;
    int file;

    if (!split(where, path, &address, &bytes))
        return false;
    file = open(path, O_RDWR | O_SYNC);
    if (file < 0)
        return false;
    platform->registers = map(file, address, REGISTER_BYTES);
    if (strchr(where, '@') == NULL)
        platform->interrupt = file; /* poll and read wait for it */
    else
        close(file);
    return platform->registers != NULL;
}

/* A file of u-dma-buf beside its device: /dev/NAME has /sys/class/u-dma-buf/NAME, in older versions
 * /sys/class/udmabuf/NAME. */
static int open_attribute(const char *device, const char *name, int flags)
{
    static const char *const classes[] = {"u-dma-buf", "udmabuf"};
    const char *const dev = strstr(device, "/dev/");
    const char *const base = strrchr(device, '/');

    for (size_t i = 0; dev != NULL && i < sizeof classes / sizeof classes[0]; i++) {
        char path[2 * PATH];
        int file;

        snprintf(path, sizeof path, "%.*s/sys/class/%s%s/%s", (int)(dev - device), device,
                 classes[i], base, name);
        file = open(path, flags);
        if (file >= 0)
            return file;
    }
    return -1;
}

static uint64_t read_attribute(const char *device, const char *name)
{
    char text[NUMBER] = "";
    const int file = open_attribute(device, name, O_RDONLY);

    if (file < 0)
        return 0;
    if (read(file, text, sizeof text - 1) < 0)
        text[0] = '\0';
    close(file);
    return strtoull(text, NULL, 0);
}

static bool open_syncs(struct cnnaccel_linux *platform, const char *device)
{
    const int direction = open_attribute(device, "sync_direction", O_WRONLY);

    platform->sync_offset = open_attribute(device, "sync_offset", O_WRONLY);
    platform->sync_size = open_attribute(device, "sync_size", O_WRONLY);
    platform->sync_for_device = open_attribute(device, "sync_for_device", O_WRONLY);
    platform->sync_for_cpu = open_attribute(device, "sync_for_cpu", O_WRONLY);
    if (direction < 0)
        return false;
    write_number(platform, direction, 0); /* both */
    close(direction);
    return platform->sync_offset >= 0 && platform->sync_size >= 0 &&
           platform->sync_for_device >= 0 && platform->sync_for_cpu >= 0 && platform->error == 0;
}

static bool open_memory(struct cnnaccel_linux *platform, const char *where)
{
    char path[PATH];
    uint64_t address, bytes;
    const bool reserved = strchr(where, '@') != NULL;
    int file;

    if (!split(where, path, &address, &bytes))
        return false;
    if (!reserved) {
        address = read_attribute(path, "phys_addr");
        bytes = read_attribute(path, "size");
        if (!open_syncs(platform, path))
            return false;
    }
    if (bytes == 0 || bytes > INT32_MAX)
        return false;
    file = open(path, reserved ? O_RDWR | O_SYNC : O_RDWR);
    if (file < 0)
        return false;
    platform->block = map(file, reserved ? address : 0, (size_t)bytes);
    close(file);
    platform->address = address;
    platform->bytes = (uint32_t)bytes;
    return platform->block != NULL;
}

enum cnnaccel_status cnnaccel_linux_open(struct cnnaccel_linux *platform, const char *registers,
                                         const char *memory)
{
    const struct cnnaccel_hal hal = {platform, read32, write32, flush, invalidate, now_us, wait};

    if (platform == NULL || registers == NULL || memory == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    memset(platform, 0, sizeof *platform);
    platform->hal = hal;
    platform->interrupt = platform->sync_offset = platform->sync_size = -1;
    platform->sync_for_device = platform->sync_for_cpu = -1;
    if (is_empty(registers))
        return CNNACCEL_NOT_CONFIGURED;
    errno = 0;
    if (!open_registers(platform, registers) || !open_memory(platform, memory)) {
        failed(platform);
        return CNNACCEL_NO_PLATFORM;
    }
    return CNNACCEL_OK;
}

enum cnnaccel_status cnnaccel_linux_close(struct cnnaccel_linux *platform)
{
    if (platform == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    const int files[] = {platform->interrupt, platform->sync_offset, platform->sync_size,
                         platform->sync_for_device, platform->sync_for_cpu};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i] >= 0)
            close(files[i]);
    if (platform->registers != NULL)
        munmap((void *)(uintptr_t)platform->registers, REGISTER_BYTES);
    if (platform->block != NULL)
        munmap(platform->block, platform->bytes);
    return platform->error == 0 ? CNNACCEL_OK : CNNACCEL_NO_PLATFORM;
}
