/* SPDX-License-Identifier: Apache-2.0
 *
 * picture PLANES ROWS COLUMNS CROP, the network's; ROWS COLUMNS CHANNELS STRIDE, the picture's.
 * Pixels come from standard input, the image goes to standard output; ends with the status.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cnnaccel.h"

enum { ARGUMENTS = 8, BASE = 10 };

int main(int count, char **arguments)
{
    uint32_t value[ARGUMENTS];
    struct cnnaccel_model model = {0};
    struct cnnaccel_picture picture;
    enum cnnaccel_status status;
    uint8_t *pixels, *image;
    size_t bytes;

    if (count != ARGUMENTS + 1)
        return EXIT_FAILURE;
    for (int i = 0; i < ARGUMENTS; i++)
        value[i] = (uint32_t)strtoul(arguments[i + 1], NULL, BASE);
    for (int i = 0; i < 3; i++)
        model.input_shape[i] = (uint16_t)value[i];
    model.image_bytes = value[0] * value[1] * value[2];
    model.crop = (enum cnnaccel_crop)value[3];
    bytes = (size_t)value[4] * value[7];
    pixels = malloc(bytes);
    image = malloc(model.image_bytes);
    if (pixels == NULL || image == NULL || fread(pixels, 1, bytes, stdin) != bytes)
        return EXIT_FAILURE;
    picture = (struct cnnaccel_picture){pixels, value[4], value[5], value[6], value[7]};
    status = cnnaccel_frame(&model, &picture, image);
    if (status == CNNACCEL_OK && fwrite(image, 1, model.image_bytes, stdout) != model.image_bytes)
        return EXIT_FAILURE;
    free(pixels);
    free(image);
    return (int)status;
}
