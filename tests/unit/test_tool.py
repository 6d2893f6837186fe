"""Programs outside Python: none of them outlives the block that started it."""

from __future__ import annotations

import os
import time

import pytest

from cnnaccel.errors import ToolError
from cnnaccel.tools.tool import started_tool
from tests.support.processes import alive


def test_the_whole_group_ends_with_the_block() -> None:
    script = "sleep 100 & echo $!; trap '' TERM; wait"
    with pytest.raises(KeyboardInterrupt), started_tool(["sh", "-c", script]) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert alive(child) and os.getpgid(child) == process.pid
        raise KeyboardInterrupt
    until = time.monotonic() + 60
    while alive(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(child) and process.returncode is not None


def test_what_ended_by_itself_keeps_its_code() -> None:
    with started_tool(["sh", "-c", "echo out; echo err >&2; exit 3"]) as process:
        assert process.stdout is not None
        assert process.stdout.read() == b"out\nerr\n" and process.wait() == 3
    assert process.returncode == 3


def test_a_missing_tool() -> None:
    with (
        pytest.raises(ToolError, match="no-such-tool is not there"),
        started_tool(["no-such-tool"]),
    ):
        pass
