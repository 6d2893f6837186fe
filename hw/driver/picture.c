/* SPDX-License-Identifier: Apache-2.0
 *
 * From a picture to an image of the network's, as far as that is integer work: crop, grey, planes;
 * what cnnaccel/runtime/pictures.py does where nothing is scaled.
 */
#include "cnnaccel.h"

/* Where a picture and an image lie over one another, along one side: image pixel i shows picture
 * pixel i + first; or, with `between`, the mean of that one and the next. */
struct side {
    int32_t first; /* below 0 where the picture is padded */
    bool between;
};

/* A side is centred. Pillow crops at halves of pixels, and pads at the nearest even pixel. */
static struct side centred(uint32_t picture, uint32_t image)
{
    const uint32_t gap = picture < image ? image - picture : picture - image;
    const uint32_t half = gap / 2;
    struct side side = {.first = (int32_t)half, .between = gap % 2 != 0};

    if (picture < image) {
        side.first = -(int32_t)(side.between ? half + half % 2 : half);
        side.between = false;
    }
    return side;
}

/* Whether the picture becomes the image without being scaled. */
static bool fits(const struct cnnaccel_model *model, const struct cnnaccel_picture *picture)
{
    const uint32_t rows = model->input_shape[1], columns = model->input_shape[2];
    const bool same_rows = picture->rows == rows, same_columns = picture->columns == columns;

    if (same_rows && same_columns)
        return true;
    if (!same_rows && !same_columns)
        return false;
    switch (model->crop) {
    case CNNACCEL_CENTER:
        return picture->rows >= rows && picture->columns >= columns;
    case CNNACCEL_PAD:
        return picture->rows <= rows && picture->columns <= columns;
    case CNNACCEL_SQUASH:
    default:
        return false;
    }
}

/* A channel of a pixel: as it is, of a grey picture, or grey of red, green and blue: ITU-R BT.601
 * in 65536ths, as Pillow has it. */
static uint32_t channel_of(const uint8_t *pixel, uint32_t channels, uint32_t wanted, uint32_t at)
{
    if (channels == 1)
        return pixel[0];
    if (wanted == 3)
        return pixel[at];
    return (19595u * pixel[0] + 38470u * pixel[1] + 7471u * pixel[2] + 0x8000u) >> 16;
}

/* One plane of the image. */
static void frame_plane(const struct cnnaccel_model *model, const struct cnnaccel_picture *picture,
                        uint32_t plane, uint8_t *image)
{
    const uint32_t rows = model->input_shape[1], columns = model->input_shape[2];
    const struct side down = centred(picture->rows, rows);
    const struct side across = centred(picture->columns, columns);
    const size_t next = down.between ? picture->stride : across.between ? picture->channels : 0;

    for (uint32_t y = 0; y < rows; y++) {
        const int64_t row = (int64_t)y + down.first;

        for (uint32_t x = 0; x < columns; x++, image++) {
            const int64_t column = (int64_t)x + across.first;
            const uint8_t *pixel;
            uint32_t value;

            *image = 0;
            if (row < 0 || row >= picture->rows || column < 0 || column >= picture->columns)
                continue;
            pixel = picture->pixels + (size_t)row * picture->stride +
                    (size_t)column * picture->channels;
            value = channel_of(pixel, picture->channels, model->input_shape[0], plane);
            if (next != 0) /* one side alone is cropped */
                value = (value + 1 + channel_of(pixel + next, picture->channels,
                                                model->input_shape[0], plane)) / 2;
            *image = (uint8_t)value;
        }
    }
}

/* Whether the fourth byte of every pixel says that it is opaque. */
static bool opaque(const struct cnnaccel_picture *picture)
{
    if (picture->channels != 4)
        return true;
    for (uint32_t y = 0; y < picture->rows; y++)
        for (uint32_t x = 0; x < picture->columns; x++)
            if (picture->pixels[(size_t)y * picture->stride + (size_t)x * 4 + 3] != UINT8_MAX)
                return false;
    return true;
}

enum cnnaccel_status cnnaccel_frame(const struct cnnaccel_model *model,
                                    const struct cnnaccel_picture *picture, uint8_t *image)
{
    uint32_t planes, bytes;

    if (model == NULL || picture == NULL || picture->pixels == NULL || image == NULL)
        return CNNACCEL_BAD_ARGUMENT;
    planes = model->input_shape[0];
    bytes = (uint32_t)model->input_shape[1] * model->input_shape[2];
    if (planes * (uint64_t)bytes != model->image_bytes || bytes == 0)
        return CNNACCEL_BAD_MODEL;
    if ((planes != 1 && planes != 3) || picture->rows == 0 || picture->columns == 0 ||
        (picture->channels != 1 && picture->channels != 3 && picture->channels != 4) ||
        (uint64_t)picture->columns * picture->channels > picture->stride)
        return CNNACCEL_BAD_ARGUMENT;
    if (!fits(model, picture))
        return CNNACCEL_NEEDS_SCALING;
    if (!opaque(picture))
        return CNNACCEL_TRANSPARENT;
    for (uint32_t plane = 0; plane < planes; plane++)
        frame_plane(model, picture, plane, image + (size_t)plane * bytes);
    return CNNACCEL_OK;
}
