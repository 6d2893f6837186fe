/* SPDX-License-Identifier: Apache-2.0
 * The network net, as the driver in C wants to know it.
 * Rendered from its program.bin, weights.bin and network.json: do not edit. To be included in one
 * source file; the README.md of the driver says how.
 */
#ifndef CNNACCEL_MODEL_H
#define CNNACCEL_MODEL_H

#include "cnnaccel.h"

#if CNNACCEL_DIGEST != UINT64_C(0x1e0bd269a13d4fa1)
#error "model.h and params.h are of different engines: export again"
#endif

enum {
    CNNACCEL_MODEL_IMAGES = 2, /* of one iteration */
    CNNACCEL_MODEL_INPUT_CHANNELS = 3, /* of an image uint8_t[channels][rows][columns] */
    CNNACCEL_MODEL_INPUT_ROWS = 2, /* of an image */
    CNNACCEL_MODEL_INPUT_COLUMNS = 5, /* of an image */
    CNNACCEL_MODEL_IMAGE_BYTES = 30, /* of an image */
    CNNACCEL_MODEL_OUTPUTS = 1, /* of an image, one after another in its result */
    CNNACCEL_MODEL_CLASSES = 3, /* channels of the first output [channels][rows][columns] */
    CNNACCEL_MODEL_OUTPUT_ROWS = 2, /* of the first output */
    CNNACCEL_MODEL_OUTPUT_COLUMNS = 2, /* of the first output */
    CNNACCEL_MODEL_RESULT_BYTES = 12, /* of a result */
    CNNACCEL_MODEL_INPUT_STRIDE = 60, /* bytes of the buffer input per iteration */
    CNNACCEL_MODEL_OUTPUT_STRIDE = 64, /* bytes of the buffer output per iteration */
    CNNACCEL_MODEL_PROGRAM_BYTES = 512, /* program.bin */
    CNNACCEL_MODEL_WEIGHTS_BYTES = 100, /* weights.bin */
    CNNACCEL_MODEL_SCRATCH_BYTES = 12, /* the buffer scratch */
    /* What cnnaccel_place needs for one iteration at a time, and about what for each one more. */
    CNNACCEL_MODEL_MEMORY_BYTES =
        CNNACCEL_ROUND_UP(CNNACCEL_MODEL_PROGRAM_BYTES) +
        CNNACCEL_ROUND_UP(CNNACCEL_MODEL_WEIGHTS_BYTES) +
        CNNACCEL_ROUND_UP(CNNACCEL_MODEL_SCRATCH_BYTES) +
        CNNACCEL_ROUND_UP(CNNACCEL_MODEL_INPUT_STRIDE) +
        CNNACCEL_ROUND_UP(CNNACCEL_MODEL_OUTPUT_STRIDE),
    CNNACCEL_MODEL_ITERATION_BYTES = CNNACCEL_MODEL_INPUT_STRIDE + CNNACCEL_MODEL_OUTPUT_STRIDE,
};

/* The lane of each channel of an output, among all words: lane % C of word lane / C. */
static const uint16_t cnnaccel_model_lanes_0[] = {
    3, 2, 0,
};

static const struct cnnaccel_output cnnaccel_model_outputs[] = {
    {
        .name = "logits",
        .shape = {3, 2, 2},
        .is_signed = true,
        .words = 2,
        .lanes = cnnaccel_model_lanes_0,
        .scale = 0.5,
    },
};

/* [channels][256]: what the engine gets for a pixel. */
static const int8_t cnnaccel_model_table[] = {
    -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113,
    -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97,
    -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78,
    -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59,
    -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40,
    -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21,
    -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1,
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
    28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75,
    76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99,
    100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118,
    119, 120, 121, 122, 123, 124, 125, 126, 127, -127, -126, -125, -124, -123, -122, -121, -120,
    -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104,
    -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86,
    -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67,
    -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48,
    -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29,
    -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10,
    -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64,
    65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88,
    89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109,
    110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, -128,
    -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111,
    -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94,
    -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75,
    -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56,
    -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37,
    -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18,
    -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6,
    7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55,
    56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79,
    80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102,
    103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121,
    122, 123, 124, 125, 126, 127, -128, -127,
};

/* The first instruction of each run of instructions, of once and then body, for one layer. */
static const struct cnnaccel_layer cnnaccel_model_layers[] = {
    {0, "conv1"},
    {2, "fc \"2\""},
    {3, "conv1"},
};

static const char *const cnnaccel_model_classes[] = {
    "shirt", "a \"b\"\\", "gr\303\266\303\237e",
};

static const struct cnnaccel_model cnnaccel_model = {
    .name = "net",
    .digest = CNNACCEL_DIGEST,
    .program_crc = UINT32_C(0x922b9b33),
    .images = CNNACCEL_MODEL_IMAGES,
    .input_shape = {3, 2, 5},
    .image_bytes = CNNACCEL_MODEL_IMAGE_BYTES,
    .result_bytes = CNNACCEL_MODEL_RESULT_BYTES,
    .input_raw = true,
    .outputs = cnnaccel_model_outputs,
    .output_count = CNNACCEL_MODEL_OUTPUTS,
    .input_table = cnnaccel_model_table,
    .input_stride = CNNACCEL_MODEL_INPUT_STRIDE,
    .output_stride = CNNACCEL_MODEL_OUTPUT_STRIDE,
    .program_bytes = CNNACCEL_MODEL_PROGRAM_BYTES,
    .weights_bytes = CNNACCEL_MODEL_WEIGHTS_BYTES,
    .scratch_bytes = CNNACCEL_MODEL_SCRATCH_BYTES,
    .layers = cnnaccel_model_layers,
    .layer_count = 3,
    .classes = cnnaccel_model_classes,
};

#endif
