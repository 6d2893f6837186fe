"""The runtime as a wheel of its own: what `pip install` takes on a board, without a build."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping

from cnnaccel import __version__

NAME = "cnnaccel_runtime"
WHEEL = f"{NAME}-{__version__}-py3-none-any.whl"
_INFO = f"{NAME}-{__version__}.dist-info"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_TEXTS = {
    "METADATA": f"""\
Metadata-Version: 2.1
Name: cnnaccel-runtime
Version: {__version__}
Summary: Runs networks that cnnaccel compiled on a board
License: Apache-2.0
Requires-Python: >=3.8
Requires-Dist: numpy
Requires-Dist: pynq>=2.7
Provides-Extra: pictures
Requires-Dist: pillow; extra == "pictures"

The part of cnnaccel that a board needs: driver, and the class that pynq binds to the engine.
The package cnnaccel has it too: install one of the two.
""",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: cnnaccel\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    # pynq imports what is named here before it looks for drivers
    "entry_points.txt": "[pynq.lib]\ncnnaccel = cnnaccel.runtime.engine\n",
}


def render_wheel(sources: Mapping[str, bytes]) -> bytes:
    """The file `WHEEL` with these sources, by their place; the same sources give the same bytes.

    As the binary distribution format of packaging.python.org has it.
    """
    files = dict(sources)
    files |= {f"{_INFO}/{name}": text.encode() for name, text in _TEXTS.items()}
    record = f"{_INFO}/RECORD"
    lines = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.external_attr = 0o100644 << 16
            wheel.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
