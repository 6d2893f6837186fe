"""`export` as a user types it, and what a target does with the folder alone."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.hardware import load_hardware
from cnnaccel.render.wheel import WHEEL
from cnnaccel.runtime.selftest import case_count
from cnnaccel.workspace import sha256_of
from tests.support import faulty
from tests.support.commands import ROOT, Cnnaccel, digests
from tests.support.loopback import faulty_build, lines, profile, put_bitstream
from tests.support.target import Target

TINY = load_hardware("tiny")


@pytest.fixture
def exported(tiny: Path, cnnaccel: Cnnaccel) -> Path:
    put_bitstream(tiny)
    result = cnnaccel("export", "tiny", "--build-dir", tiny)
    assert result.code == 0, result.err
    return tiny / "tiny/export"


def test_folder_has_all_that_a_target_needs(exported: Path, tiny: Path) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    files = {str(p.relative_to(exported)) for p in exported.rglob("*") if p.is_file()}
    assert files == {*manifest["artifacts"], "manifest.json"}
    assert all(sha256_of(exported / name) == d for name, d in manifest["artifacts"].items())
    assert files > {
        "cnnaccel.bit", "cnnaccel.hwh", "hw.json", "program.bin", "weights.bin", "network.json",
        "model.h", "params.h", "README.md", "cnnaccel/__init__.py", "cnnaccel/errors.py",
        "cnnaccel/runtime/driver.py", "cnnaccel/runtime/run.py", "driver/cnnaccel.h",
        "self-test.npz", "samples.npz", "cnnaccel.ipynb", WHEEL,
    }  # fmt: skip
    assert not [name for name in files if "__pycache__" in name or name.startswith("driver/test")]
    for name in ("program.bin", "weights.bin"):
        assert (exported / name).read_bytes() == (tiny / "tiny/compile" / name).read_bytes()
    digest = f"{TINY.digest:016x}"
    assert json.loads((exported / "results.json").read_text())["digest"] == digest
    header = (exported / "model.h").read_text()
    assert f"0x{digest}" in header
    names = re.search(r"cnnaccel_model_classes\[\] = {(.*?)}", header, re.DOTALL)
    assert names and re.findall('"(.*?)"', names[1]) == [f"class {number}" for number in range(10)]
    assert digest in (exported / "README.md").read_text()


def test_same_bytes_every_time(exported: Path, tiny: Path, cnnaccel: Cnnaccel) -> None:
    before = digests(exported)
    assert cnnaccel("export", "tiny", "--build-dir", tiny).code == 0
    assert digests(exported) == before


def test_self_test_of_a_program_whose_graph_is_gone(
    exported: Path, tiny: Path, cnnaccel: Cnnaccel
) -> None:
    """Random programs are left; with the graph there are layers again."""
    whole = case_count(exported / "self-test.npz")
    (tiny / "tiny/quantize").rename(tiny / "away")
    result = cnnaccel("export", "tiny", "--build-dir", tiny, "--stored")
    assert result.code == 0 and "has random programs alone" in lines(result.out), result.err
    assert case_count(exported / "self-test.npz") == 12 < whole
    (tiny / "away").rename(tiny / "tiny/quantize")
    assert cnnaccel("export", "tiny", "--build-dir", tiny).code == 0
    assert case_count(exported / "self-test.npz") == whole


def test_without_a_bitstream(tiny: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("export", "tiny", "--build-dir", tiny)
    assert result.code == 0, result.err
    assert "no bitstream: there is no bitstream in" in lines(result.out)
    assert "`cnnaccel build-hw` makes it" in lines(result.out)
    readme = (tiny / "tiny/export/README.md").read_text()
    assert "**No bitstream is in here:**" in readme
    assert not (tiny / "tiny/export/cnnaccel.bit").exists()


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="no tclsh to run the mock of Vivado")
def test_bitstream_of_a_mock_is_left_out(tiny: Path, cnnaccel: Cnnaccel) -> None:
    where = ("tiny", "--build-dir", tiny)
    assert cnnaccel("build-hw", *where, "--vivado", ROOT / "hw/tcl/mock").code == 0
    result = cnnaccel("export", *where)
    assert result.code == 0 and "is of a mock of Vivado" in lines(result.out)
    assert not (tiny / "tiny/export/cnnaccel.bit").exists()


def test_bitstream_of_other_hardware_is_left_out(tiny: Path, cnnaccel: Cnnaccel) -> None:
    folder = put_bitstream(tiny)
    (folder / "hw.json").write_text(json.dumps({"digest": "0123456789abcdef"}))
    result = cnnaccel("export", "tiny", "--build-dir", tiny)
    assert result.code == 0, result.err
    assert "is of hardware 0123456789abcdef" in lines(result.out)
    assert not (tiny / "tiny/export/cnnaccel.bit").exists()


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_bitstream_that_does_not_say_who_built_it(
    tiny: Path, cnnaccel: Cnnaccel, text: str
) -> None:
    """Copied from another machine, without its manifest."""
    (put_bitstream(tiny) / "results.json").write_text(text)
    result = cnnaccel("export", "tiny", "--build-dir", tiny)
    assert result.code == 1 and "results.json: names no vivado" in lines(result.err)


def test_altered_bitstream(tiny: Path, cnnaccel: Cnnaccel) -> None:
    """Of a build that left a manifest."""
    folder = put_bitstream(tiny)
    names = ("cnnaccel.bit", "cnnaccel.hwh", "hw.json")
    artifacts = {name: sha256_of(folder / name) for name in names}
    manifest = {"artifacts": artifacts, "inputs": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert cnnaccel("export", "tiny", "--build-dir", tiny).code == 0
    (folder / "cnnaccel.bit").write_bytes(b"spoilt")
    result = cnnaccel("export", "tiny", "--build-dir", tiny)
    assert result.code == 1 and "cnnaccel.bit was altered" in lines(result.err)


def test_nothing_compiled(tmp_path: Path, cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("export", "tiny", "--build-dir", tmp_path)
    assert result.code == 1 and "run `cnnaccel compile` first" in lines(result.err)


# -- on the target --------------------------------------------------------------------------------


@pytest.fixture
def target(exported: Path, tmp_path: Path, rng: np.random.Generator) -> Target:
    profile(tmp_path / "home")
    folder = Path(shutil.copytree(exported, tmp_path / "copied by hand"))
    np.save(folder / "images.npy", rng.integers(0, 256, (3, 1, 28, 28), np.uint8))
    return Target(folder, tmp_path / "home")


def wanted(target: Target, tiny: Path) -> np.ndarray:
    from cnnaccel.ir import golden
    from cnnaccel.ir.storage import load_graph

    return golden.run(load_graph(tiny / "tiny/quantize"), np.load(target.folder / "images.npy"))


def test_run_one_image_of_several_arrays(target: Target, tiny: Path) -> None:
    """Of an archive, and one image alone."""
    images = np.load(target.folder / "images.npy")
    np.savez(target.folder / "images.npz", labels=np.arange(3), one=images[1])
    run = ("-m", "cnnaccel.runtime.run")
    done = target.python(*run, "images.npz", "logits.npy")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "2 arrays in it, labels, one; choose one as images.npz:labels" in done.stderr
    done = target.python(*run, "images.npz:one", "logits.npy")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(target.folder / "logits.npy"), wanted(target, tiny)[1:2])
    assert "FILE.npz:ARRAY" in target.python(*run, "--help").stdout


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_run_that_is_ended(target: Target, kind: int) -> None:
    """The engine is reset before the process goes, and its memory with it."""
    (target.home / "board.json").write_text(json.dumps({"cycles_per_poll": 100}))
    images = np.zeros((200, 1, 28, 28), np.uint8)
    np.save(target.folder / "images.npy", images)
    command = [str(target.home / "bin/python3"), "-m", "cnnaccel.runtime.run", "images.npy"]
    with subprocess.Popen(
        command, cwd=target.folder, env=target.login, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (target.home / "running").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(kind)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if kind == signal.SIGINT else 128 + kind)
    assert "Traceback" not in errors
    assert (target.home / "events").read_text().split()[-2:] == ["1", "2"]


def test_self_test_without_a_host(
    target: Target, tiny: Path, cnnaccel: Cnnaccel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the right engine, and of one whose shifts are wrong."""
    run = ("-m", "cnnaccel.runtime.run", "--self-test")
    done = target.python(*run)
    assert done.returncode == 0, done.stderr
    assert "layer conv2: 2,304 values, equal\n" in done.stdout
    assert "self-test: 12 random programs, 7 layers, the network: equal, in" in done.stdout
    assert "tiny: all 20 samples are equal to what must come out" in done.stdout
    faulty_build(tiny, tmp_path / "rtl")
    assert cnnaccel("export", "tiny", "--build-dir", tiny).code == 0
    shutil.copytree(tiny / "tiny/export", target.folder, dirs_exist_ok=True)
    target.login[faulty.VARIABLE] = str(faulty.WRONG_SHIFT)
    done = target.python(*run)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stdout
    assert re.search(
        r"^layer 'conv1' \(\d of 7 layers differ\): image 0, channel 0, y 0, x ",
        done.stderr,
        re.MULTILINE,
    )
    (target.folder / "self-test.npz").write_bytes(b"spoilt")
    done = target.python(*run)
    assert done.returncode == 1 and "self-test.npz: not what manifest.json says" in done.stderr


def test_lines_of_the_readme(target: Target, tiny: Path) -> None:
    """They are what they say: Python's run here, and C's are compiled."""
    _, python, c, linux = blocks((target.folder / "README.md").read_text())
    done = target.python("-c", f"{python}\nimport numpy as np\nnp.save('logits.npy', results)")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(target.folder / "logits.npy"), wanted(target, tiny))
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    declared = c[: c.index("cnnaccel_open")]
    source = target.folder / "main.c"
    source.write_text(
        "#include <string.h>\n" + declared + "extern const struct cnnaccel_hal hal;\n"
        "extern void *block, *results;\nextern uint64_t address_of_block;\n"
        "extern uint32_t bytes_of_block, count;\n"
        "extern const uint8_t *images, *program_bin, *weights_bin;\n"
        "int main(void)\n{\n" + c[len(declared) :] + "\nreturn 0;\n}\n"
    )
    flags = "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"
    subprocess.run([compiler, *flags, "-I.", "-Idriver", "main.c"], cwd=target.folder, check=True)
    subprocess.run(["make", "-C", "driver"], cwd=target.folder, check=True)
    assert (target.folder / "driver/build/cnnaccel-run").is_file()
    to_bin, compile_tree, *_ = filter(None, linux.splitlines())
    assert "cnnaccel.runtime.bitfile" in to_bin and "cnnaccel-overlay.dts" in compile_tree
    if shutil.which("dtc"):
        subprocess.run(compile_tree, shell=True, cwd=target.folder, check=True)


def blocks(readme: str) -> list[str]:
    """What stands indented behind the headings Python, C, Linux."""
    parts = re.split(r"^## .*$", readme, flags=re.MULTILINE)[1:]
    return [
        "\n".join(line[4:] for line in part.splitlines() if line.startswith("    ") or not line)
        for part in parts
    ]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("weights.bin", b"spoilt", "weights.bin: not what manifest.json says"),
        ("manifest.json", b"{}", "no manifest of an export"),
        ("manifest.json", b"[]", "no manifest of an export"),
        ("manifest.json", None, "No such file"),
        ("program.bin", None, "No such file"),
        ("images.npy", None, "No such file"),
        ("images.npy", b"no array", "images.npy: it is no .npy or .npz"),
        (
            "images.npy",
            b"",
            "it is empty; the program takes uint8 images of [1, 28, 28]",
        ),
    ],
)
def test_a_folder_that_was_spoilt(
    target: Target, name: str, change: bytes | None, words: str
) -> None:
    path = target.folder / name
    path.unlink()
    if change is not None:
        path.write_bytes(change)
    done = target.python("-m", "cnnaccel.runtime.run", "images.npy")
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
