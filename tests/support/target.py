"""A board that has Python, numpy, pynq and an exported folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Target:
    """A folder on a board that has Python, numpy, pynq and nothing of this package."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        self.login = {
            "HOME": str(home),
            "BOARD": str(home),
            "PATH": os.environ["PATH"],
            "CNNACCEL_RUN": str(home / "run"),
            "CNNACCEL_FPGA": str(home / "fpga"),
        }

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.home / "bin/python3", *arguments], cwd=self.folder, env=self.login,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
