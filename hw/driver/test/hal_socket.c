/* SPDX-License-Identifier: Apache-2.0
 *
 * The platform is behind a Unix socket, so that a program for another processor finds it. A request
 * is {kind, value, address}, little endian; bytes follow a flush, an answer all but write and
 * flush.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform.h"

struct request {
    uint32_t kind; /* a letter */
    uint32_t value;
    uint64_t address;
};

static int server;
static uint8_t *host;

static void fail(const char *what)
{
    perror(what);
    exit(3);
}

static void send_all(const void *data, size_t bytes)
{
    const uint8_t *at = data;

    while (bytes != 0) {
        const ssize_t sent = write(server, at, bytes);

        if (sent <= 0)
            fail("write");
        at += sent;
        bytes -= (size_t)sent;
    }
}

static void receive_all(void *data, size_t bytes)
{
    uint8_t *at = data;

    while (bytes != 0) {
        const ssize_t got = read(server, at, bytes);

        if (got <= 0)
            fail("read");
        at += got;
        bytes -= (size_t)got;
    }
}

static void ask(char kind, uint32_t value, uint64_t address)
{
    const struct request request = {(uint32_t)kind, value, address};

    send_all(&request, sizeof request);
}

static uint32_t answer(void)
{
    uint32_t value;

    receive_all(&value, sizeof value);
    return value;
}

static uint64_t address_of(const void *data)
{
    return (uint64_t)((const uint8_t *)data - host) + PLATFORM_ADDRESS;
}

static uint32_t read32(void *context, uint32_t offset)
{
    (void)context;
    ask('R', 0, offset);
    return answer();
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
    (void)context;
    ask('W', value, offset);
}

static void flush(void *context, const void *data, size_t bytes)
{
    (void)context;
    ask('F', (uint32_t)bytes, address_of(data));
    send_all(data, bytes);
}

static void invalidate(void *context, void *data, size_t bytes)
{
    (void)context;
    ask('I', (uint32_t)bytes, address_of(data));
    receive_all(data, bytes);
}

static uint32_t now_us(void *context)
{
    (void)context;
    ask('T', 0, 0);
    return answer();
}

static void wait(void *context)
{
    (void)context;
    ask('Z', PLATFORM_POLL_CYCLES, 0);
    (void)answer();
}

static void silence(void *context, bool silent)
{
    (void)context;
    ask('S', silent, 0);
    (void)answer();
}

struct platform platform_open(const char *where)
{
    const struct platform platform = {
        .hal = {NULL, read32, write32, flush, invalidate, now_us, wait},
        .block = platform_block(),
        .silence = silence,
    };
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    host = platform.block;
    if (strlen(where) >= sizeof name.sun_path)
        fail(where);
    memset(host, 0x55, PLATFORM_BYTES);
    strcpy(name.sun_path, where);
    server = socket(AF_UNIX, SOCK_STREAM, 0);
    if (server < 0 || connect(server, (const struct sockaddr *)&name, sizeof name) != 0)
        fail(where);
    return platform;
}

void platform_close(struct platform *platform)
{
    close(server);
    free(platform->block);
}
