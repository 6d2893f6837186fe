/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs compiled networks on the engine, from C99, on bare metal or Linux; does what
 * cnnaccel/runtime/driver.py does. No malloc, no float, no globals: all state is in structures of
 * the caller, so that several engines need no more than several of them. Not for two threads.
 *
 *     cnnaccel_open(&engine, &hal, timeout_us);
 *     cnnaccel_place(&memory, &cnnaccel_model, block, its bus address, its size);
 *     program.bin into memory.program.data, weights.bin into memory.weights.data
 *     cnnaccel_load(&engine, &cnnaccel_model, &memory);
 *     cnnaccel_run(&engine, images, count, results);
 *
 * Every function returns a status, 0 if all is well; cnnaccel_explain has words for it.
 */
#ifndef CNNACCEL_H
#define CNNACCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "params.h"

/* Of every buffer, at the host and on the bus: whole cache lines, so that no neighbour is lost. */
enum { CNNACCEL_ALIGNMENT = 64 };
#define CNNACCEL_ROUND_UP(bytes) \
    (((bytes) + CNNACCEL_ALIGNMENT - 1) / CNNACCEL_ALIGNMENT * CNNACCEL_ALIGNMENT)

enum cnnaccel_status {
    CNNACCEL_OK,
    CNNACCEL_BAD_ARGUMENT, /* a pointer that is NULL, or a number that makes no sense */
    CNNACCEL_NO_ENGINE, /* the register `id` answers something else */
    CNNACCEL_OTHER_VERSION, /* engine or program has another format than params.h */
    CNNACCEL_OTHER_ENGINE, /* params.h, engine, model and program are not of one hardware */
    CNNACCEL_BAD_MODEL, /* a struct cnnaccel_model that contradicts itself */
    CNNACCEL_OTHER_MODEL, /* program.bin is not the one model.h was rendered from */
    CNNACCEL_BAD_PROGRAM, /* program.bin is damaged, or no program */
    CNNACCEL_BAD_WEIGHTS, /* weights.bin is damaged, or of another program */
    CNNACCEL_BAD_MEMORY, /* a buffer is missing, too small, misaligned or beyond the bus */
    CNNACCEL_NOT_LOADED, /* no network is */
    CNNACCEL_NOT_STARTED, /* nothing runs that could end */
    CNNACCEL_FAILED, /* the engine stopped with an error */
    CNNACCEL_TIMEOUT, /* the engine does nothing any more */
    CNNACCEL_RESET_TIMEOUT, /* memory does not answer what was under way */
    CNNACCEL_NO_PLATFORM, /* a device of the platform cannot be opened, mapped or used */
    CNNACCEL_NOT_CONFIGURED, /* the FPGA holds no working bitstream */
    CNNACCEL_NEEDS_SCALING, /* a picture must be scaled before it is the network's image */
    CNNACCEL_TRANSPARENT, /* a picture is transparent in places */
};

/* What the driver needs of a platform; README.md has the contract. No function can fail. */
struct cnnaccel_hal {
    void *context; /* the first argument of each */
    /* A register by its offset in bytes; accesses happen in the order of the program. */
    uint32_t (*read32)(void *context, uint32_t offset);
    void (*write32)(void *context, uint32_t offset, uint32_t value);
    /* Bytes the host wrote are in DRAM, before the next write32. */
    void (*flush)(void *context, const void *data, size_t bytes);
    /* The host's next reads of these bytes come from DRAM. */
    void (*invalidate)(void *context, void *data, size_t bytes);
    /* Microseconds, from anywhere on; it may wrap to 0 after 2**32 - 1. */
    uint32_t (*now_us)(void *context);
    /* Is called between two looks at a busy engine: until its interrupt or for some milliseconds
     * at most; may return at once. */
    void (*wait)(void *context);
};

/* Contiguous memory as both sides see it. */
struct cnnaccel_buffer {
    uint8_t *data;
    uint64_t address; /* on the bus, of data[0] */
    uint32_t bytes;
};

/* All that an engine reads and writes. The larger input and output, the fewer starts. */
struct cnnaccel_memory {
    struct cnnaccel_buffer program; /* program.bin as it is */
    struct cnnaccel_buffer weights; /* weights.bin */
    struct cnnaccel_buffer scratch; /* the engine's own; may be missing where its size is 0 */
    struct cnnaccel_buffer input; /* for one iteration or more */
    struct cnnaccel_buffer output;
};

/* What becomes of a picture whose sides are not as the network's; network.json says which. */
enum cnnaccel_crop {
    CNNACCEL_CENTER, /* cut at the longer side */
    CNNACCEL_SQUASH, /* stretched */
    CNNACCEL_PAD, /* black beside */
};

/* Instructions from this one on belong to this layer. */
struct cnnaccel_layer {
    uint32_t first;
    const char *name;
};

/* A tensor that the engine gives back. Shapes are channels, rows, columns of one image. */
struct cnnaccel_output {
    const char *name;
    uint16_t shape[3];
    bool is_signed; /* values are int8_t, else uint8_t */
    uint16_t words; /* an iteration of it is [word][y][x][image][lane] */
    const uint16_t *lanes; /* [channels]: word * C + lane */
    double scale; /* real value of one step */
};

/* A compiled network; model.h has one. */
struct cnnaccel_model {
    const char *name;
    uint64_t digest; /* of its hardware */
    uint32_t program_crc; /* the header_crc of its program.bin */
    uint32_t images; /* of one iteration */
    uint16_t input_shape[3];
    uint32_t image_bytes, result_bytes; /* of all outputs of an image, one after another */
    bool input_raw; /* input holds [image][y][x][channel]; else [image][word][y][x][lane] */
    bool transposed; /* rows and columns are exchanged in input and output, not in the shapes */
    const struct cnnaccel_output *outputs; /* as they lie in an iteration of output */
    uint32_t output_count;
    const int8_t *input_table; /* [channels][256]: what to give for a pixel; or NULL */
    enum cnnaccel_crop crop; /* of pictures, for cnnaccel_frame */
    uint32_t input_stride, output_stride; /* bytes of an iteration */
    uint32_t program_bytes, weights_bytes, scratch_bytes;
    const struct cnnaccel_layer *layers;
    uint32_t layer_count;
    const char *const *classes; /* names of the channels of the first output, or NULL */
};

/* What the engine counted; docs/isa.md says what. */
struct cnnaccel_counters {
    uint64_t cycles, steps, compute_waits_load, compute_waits_store, load_busy, store_busy;
    uint64_t read_bytes, written_bytes;
};

/* What is known of the last status that was not CNNACCEL_OK. */
struct cnnaccel_failure {
    uint64_t found; /* id, version or digest, instead of that of params.h */
    uint32_t error, instruction, iteration; /* of CNNACCEL_FAILED */
    uint32_t waiting; /* of the timeouts: the register */
};

/* An engine and the network that is loaded; for the driver alone to write. */
struct cnnaccel {
    const struct cnnaccel_hal *hal;
    const struct cnnaccel_model *model; /* or NULL */
    struct cnnaccel_memory memory;
    struct cnnaccel_header header; /* of the program */
    struct cnnaccel_counters counters; /* of the last cnnaccel_run: sums over its starts */
    struct cnnaccel_failure failure;
    uint32_t timeout_us; /* how long an engine may do nothing */
    uint32_t room; /* iterations that fit into input and output: most of one start */
    uint32_t iterations; /* of this start */
    uint32_t skipped; /* instructions of once that this start leaves out */
    bool resident; /* the chip holds the weights */
    bool running;
    uint32_t since_us; /* when something moved last */
    uint64_t seen[4]; /* what moves, as it was then */
};

/* Finds an engine of params.h behind the registers, and resets it. timeout_us: how long it may do
 * nothing, less than 2**31. `hal` must stay. Without success every other call is refused. */
enum cnnaccel_status cnnaccel_open(struct cnnaccel *engine, const struct cnnaccel_hal *hal,
                                   uint32_t timeout_us);

/* Stops what runs and forgets it; registers and memory stay. */
enum cnnaccel_status cnnaccel_reset(struct cnnaccel *engine);

/* Divides a block of contiguous memory, aligned to CNNACCEL_ALIGNMENT, into the buffers of a model:
 * input and output get as many iterations as fit. address: of the block on the bus. */
enum cnnaccel_status cnnaccel_place(struct cnnaccel_memory *memory,
                                    const struct cnnaccel_model *model, void *block,
                                    uint64_t address, uint32_t bytes);

/* Stops what runs, and takes over the program and weights that are in `memory`, if every bit is as
 * it was written. The chip gets them with the first start. `model` and the buffers must stay. */
enum cnnaccel_status cnnaccel_load(struct cnnaccel *engine, const struct cnnaccel_model *model,
                                   const struct cnnaccel_memory *memory);

/* Computes results of images uint8_t[count][input_shape]: [count][result_bytes], the outputs of an
 * image one after another, each int8_t or uint8_t[channels][rows][columns]; in as few starts as fit
 * the buffers. After an error the next run begins anew. */
enum cnnaccel_status cnnaccel_run(struct cnnaccel *engine, const uint8_t *images, uint32_t count,
                                  void *results);

/* What cnnaccel_run is made of, for those who fill input and read output on their own: starts so
 * many iterations; looks at the engine once; waits for it. When it is not busy any more, output
 * holds what it computed. */
enum cnnaccel_status cnnaccel_start(struct cnnaccel *engine, uint32_t iterations);
enum cnnaccel_status cnnaccel_poll(struct cnnaccel *engine, bool *busy);
enum cnnaccel_status cnnaccel_wait(struct cnnaccel *engine);

/* A picture as a camera gives it: uint8_t[rows][columns][channels]. */
struct cnnaccel_picture {
    const uint8_t *pixels;
    uint32_t rows, columns;
    uint32_t channels; /* 1 of grey; 3 of red, green, blue; 4 with a byte behind them that is 255 */
    uint32_t stride; /* bytes from a row to the next */
};

/* The image uint8_t[input_shape] of a picture for a network of 1 or 3 channels: crops or pads it,
 * makes it grey, lays its channels in planes; all values are those of the runtime in Python. It
 * scales nothing: that is no integer work, and the caller's. One side must be the network's
 * already; CNNACCEL_NEEDS_SCALING says that none is, or that the other is too short or too long for
 * `crop`. Scale by the filter of Pillow's BILINEAR, which averages, for the values of the training.
 */
enum cnnaccel_status cnnaccel_frame(const struct cnnaccel_model *model,
                                    const struct cnnaccel_picture *picture, uint8_t *image);

/* Lays images uint8_t[count][input_shape] as the engine takes them, with empty ones up to a whole
 * iteration. bytes: of `packed`. */
enum cnnaccel_status cnnaccel_pack(const struct cnnaccel_model *model, const uint8_t *images,
                                   uint32_t count, uint8_t *packed, uint32_t bytes);

/* Takes results [count][result_bytes] out of what the engine wrote. bytes: of `packed`. */
enum cnnaccel_status cnnaccel_unpack(const struct cnnaccel_model *model, const uint8_t *packed,
                                     uint32_t bytes, uint32_t count, void *results);

/* Where the largest value of the first output of one result is; the first of equals. */
enum cnnaccel_status cnnaccel_argmax(const struct cnnaccel_model *model, const void *result,
                                     uint32_t *index);

/* Whether a model is one that pack and unpack can use. */
enum cnnaccel_status cnnaccel_check_model(const struct cnnaccel_model *model);

/* Whether the buffers can hold a model and one iteration. */
enum cnnaccel_status cnnaccel_check_memory(const struct cnnaccel_memory *memory,
                                           const struct cnnaccel_model *model);

/* The header of program.bin, if both files are whole and belong together; else it is undefined. */
enum cnnaccel_status cnnaccel_check_program(const uint8_t *program, size_t program_bytes,
                                            const uint8_t *weights, size_t weights_bytes,
                                            struct cnnaccel_header *header);

/* What a status means; never NULL. */
const char *cnnaccel_strerror(enum cnnaccel_status status);

/* The same with what is known of it: instruction and layer, what each unit waits for. `text` gets
 * at most `bytes`, the last of them 0. */
enum cnnaccel_status cnnaccel_explain(const struct cnnaccel *engine, enum cnnaccel_status status,
                                      char *text, size_t bytes);

#endif
