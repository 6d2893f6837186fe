"""Products made of LUTs: every one there is."""

from __future__ import annotations

import ctypes

import numpy as np

from cnnaccel.hardware import load_hardware
from cnnaccel.resources import resource
from cnnaccel.tools.verilate import build

HW = resource("hw")


def test_every_product() -> None:
    sources = [HW / "rtl" / f"{name}.sv" for name in ("cnnaccel_pkg", "lut_product")]
    harness = HW / "tb" / "lut_product_tb.cpp"
    library = ctypes.CDLL(str(build("lut_product", sources, load_hardware("tiny"), harness)))
    products = np.zeros((384, 256), np.int16)
    library.all_products(products.ctypes.data_as(ctypes.c_void_p))
    assert np.array_equal(products, np.outer(np.arange(-128, 256), np.arange(-128, 128)))
