"""What commands print on narrow terminals, and where there is no Linux: nothing is cut."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.console import Console

from cnnaccel.cli import cli, main
from cnnaccel.hardware import HardwareConfig
from cnnaccel.report.measured import Measured, error_line
from cnnaccel.report.tables import graph_table, table
from cnnaccel.runtime.layout import COUNTERS
from tests.support.graphs import small_network


def shown(what: object, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(what)
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_help_cuts_nothing(width: int) -> None:
    result = CliRunner().invoke(cli, ["--help"], terminal_width=width)
    assert "..." not in result.output.partition("ARGS]...")[2]
    words = " ".join(result.output.split())
    for name, command in cli.commands.items():
        first = " ".join((command.help or "").split("\n\n")[0].split())
        assert f"{name} {first}" in words
    assert "Linux" in words and max(map(len, result.output.splitlines())) <= max(width, 50)


@pytest.mark.parametrize("name", list(cli.commands))
def test_help_of_every_command_fits_80_columns(name: str) -> None:
    output = CliRunner().invoke(cli, [name, "--help"], terminal_width=80).output
    text, _, example = output.partition("Example:")
    usage, *lines = text.splitlines()
    assert max(map(len, [usage, *lines])) <= 80 and "..." not in "".join(lines) and example


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 150])
def test_a_table_keeps_every_word_whole(width: int) -> None:
    text = shown(graph_table(small_network()), width)
    assert "\u2026" not in text and max(map(len, text.splitlines())) <= width
    wide = shown(graph_table(small_network()), 200)
    words = {word for word in wide.split() if word[0].isalnum()}
    assert not {word for word in words if word not in text}


def test_rows_where_columns_do_not_fit() -> None:
    narrow = table("a title", ["layer", "kind", "MACs"], [["convolution", "Conv2d", "1,200"],
                                                          ["total", "", "1,200"]])  # fmt: skip
    assert shown(narrow, 24).splitlines() == [
        "a title", "convolution", "    kind Conv2d, MACs   ", "    1,200               ",
        "total", "    MACs 1,200          ",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("predicted", "measured", "said"),
    [
        (1_770, 1_819, "predicted 1,770, measured 1,819; the prediction is 2.7 % too low"),
        (2_000, 1_000, "predicted 2,000, measured 1,000; the prediction is 100.0 % too high"),
        (
            99_999,
            100_000,
            "predicted 99,999, measured 100,000; the prediction is less than 0.1 % off",
        ),
        (7, 7, "predicted 7, measured 7; the prediction is exact"),
    ],
)
def test_prediction_beside_measurement(predicted: int, measured: int, said: str) -> None:
    counters = {**dict.fromkeys(COUNTERS, 0), "cycles": measured}
    ran = Measured(HardwareConfig(), 1, 1, 1, counters, 0.0)
    assert error_line(replace(ran), predicted).endswith(said)


def test_another_system_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as ended:
        main(["run", "tiny"])
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: cnnaccel runs on Linux alone, and this is win32; ")
    assert error.count("\n") == 1


def test_it_comes_before_what_only_linux_has() -> None:
    code = (
        "import sys; sys.modules['fcntl'] = None; from cnnaccel.cli import main; "
        "sys.platform = 'win32'; main(['doctor'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Linux alone" in done.stderr
    assert "Traceback" not in done.stderr
