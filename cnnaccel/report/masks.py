"""Pictures of segmentation: an image, its mask, and what a network took for the mask."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
SIDE_BY_SIDE = "From the left: the image, what is wanted, what int8 gave; grey is judged by nobody."
_GAP = 2
"""White columns between the parts."""
_IGNORED = 255
_GREY = 128


def colours(classes: int) -> Pixels:
    """uint8[256, 3]: a colour for each class, the first black; grey of what nobody judges."""
    found = np.full((256, 3), _GREY, np.uint8)
    found[0] = 0
    for number in range(1, min(classes, _IGNORED)):
        hue = (number - 1) * 0.618034 % 1  # by the golden ratio, neighbours differ most
        found[number] = [round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, 0.95)]
    return found


def side_by_side(
    images: Pixels, wanted: npt.NDArray[np.int64], taken: npt.NDArray[np.int64]
) -> Pixels:
    """uint8[N, 3, H, W'] of images [N, C, H, W], their masks, and what was taken for these.

    Masks [N, P, Q] of another size are shown at that of the images, pixel by pixel.
    """
    planes = images[:, :3] if images.shape[1] >= 3 else images[:, :1].repeat(3, axis=1)
    height, width = planes.shape[2:]
    highest = max(int(one[one != _IGNORED].max(initial=0)) for one in (wanted, taken))
    palette = colours(highest + 1)
    white = np.full((len(planes), 3, height, _GAP), 255, np.uint8)
    parts = [planes]
    for masks in (wanted, taken):
        rows = np.arange(height) * masks.shape[1] // height
        columns = np.arange(width) * masks.shape[2] // width
        shown = palette[masks[:, rows][:, :, columns]]
        parts += [white, shown.transpose(0, 3, 1, 2)]
    return np.concatenate(parts, axis=3)
