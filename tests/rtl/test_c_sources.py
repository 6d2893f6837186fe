"""The sources of the driver in C: clean under every compiler and checker, without malloc or float,
and what Linux, bare metal and a fuzzer make of them. No engine."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.hardware import load_hardware
from cnnaccel.runtime import layout
from tests.support.c_driver import CORE, DRIVER, STRICT, compiled, headers, need, run
from tests.support.graphs import small_network

TINY = load_hardware("tiny")
TEST = DRIVER / "test"
ARM = "arm-linux-gnueabihf-"
A9 = ("-mcpu=cortex-a9",)
HOSTED = [path for path in sorted(DRIVER.rglob("*.c")) if "bare" not in path.name]
BARE = [*CORE, DRIVER / "hal_baremetal.c", DRIVER / "main_baremetal.c"]
WARNINGS = (*STRICT, "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wcast-qual",
            "-Wundef", "-D_POSIX_C_SOURCE=200809L", "-DMODEL_NAME=model_0")  # fmt: skip
LIBRARY = {"memcpy", "memset", "memcmp", "__aeabi_uidiv", "__aeabi_uidivmod", "__aeabi_uldivmod",
           "_GLOBAL_OFFSET_TABLE_"}  # fmt: skip
"""What the driver may ask for: bytes moved, integers divided, and what position-independent code
needs."""
MOST_LINES, MOST_COLUMNS = 300, 100


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all four files of a network for `tiny`."""
    folder = compiled(tmp_path_factory.mktemp("network"), small_network(), TINY, 4)
    return headers(folder, TINY, folder)


def compile_all(network: Path, sources: list[Path], folder: Path, *command: str) -> list[Path]:
    need(command[0])
    made = [folder / f"{source.stem}.o" for source in sources]
    for source, target in zip(sources, made, strict=True):
        run(*command, *WARNINGS, f"-I{network}", f"-I{DRIVER}", "-c", source, "-o", target)
    return made


# -- compilers and checkers -----------------------------------------------------------------------


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_warnings(compiler: str, network: Path, tmp_path: Path) -> None:
    compile_all(network, HOSTED, tmp_path, compiler, "-O1")


def test_no_warnings_for_the_board(network: Path, tmp_path: Path) -> None:
    compile_all(network, HOSTED, tmp_path, f"{ARM}gcc", *A9, "-O2")
    compile_all(network, BARE, tmp_path, f"{ARM}gcc", *A9, "-O2", "-ffreestanding")


def test_nothing_to_say_for_the_analyzer(network: Path, tmp_path: Path) -> None:
    """gcc's own: leaks, uses after free, NULL."""
    compile_all(network, [*CORE, DRIVER / "hal_linux.c"], tmp_path, "gcc", "-O2", "-fanalyzer")


def test_cppcheck(network: Path) -> None:
    need("cppcheck")
    sources = {*HOSTED, *BARE} - set(TEST.glob("*.c"))
    run("cppcheck", "--std=c99", "--enable=warning,style,performance,portability", "--quiet",
        "--error-exitcode=1", "--suppress=missingIncludeSystem", "-D__arm__",
        f"-I{network}", f"-I{DRIVER}", *sorted(sources))  # fmt: skip


def test_clang_tidy(network: Path) -> None:
    need("clang-tidy")
    checks = (
        "-*,clang-analyzer-*,bugprone-*,-bugprone-easily-swappable-parameters,"
        "-bugprone-signed-bitwise,-bugprone-reserved-identifier"  # enumerators; what POSIX asks for
    )
    run("clang-tidy", f"--checks={checks}", "--warnings-as-errors=*", *CORE,
        DRIVER / "hal_linux.c", DRIVER / "main.c", "--", "-std=c99",
        f"-I{network}", f"-I{DRIVER}")  # fmt: skip


@pytest.mark.parametrize("path", sorted(DRIVER.rglob("*.[ch]")), ids=lambda path: path.name)
def test_files_are_short_and_have_a_licence(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert text.startswith("/* SPDX-License-Identifier: Apache-2.0") and text.endswith("\n")
    assert len(lines) < MOST_LINES and max(map(len, lines)) <= MOST_COLUMNS
    assert not re.search(r"\t|[ \t]$", text, re.MULTILINE)


# -- no malloc, no float, one place for caches ----------------------------------------------------


@pytest.mark.parametrize("command", [("gcc",), (f"{ARM}gcc", *A9)], ids=lambda command: command[0])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_asks_for_memory_functions_alone(
    command: tuple[str, ...], level: str, network: Path, tmp_path: Path
) -> None:
    """What the driver wants from a C library, and of gcc's own helpers: integer division."""
    objects = compile_all(network, list(CORE), tmp_path, *command, level)
    wanted, defined = set(), set()
    for line in run(command[0].removesuffix("gcc") + "nm", *objects).splitlines():
        match = re.fullmatch(r"(?:[0-9a-f]+)? +(\w) (\w+)", line)
        if match and match[1] == "U":
            wanted.add(match[2])
        elif match:
            defined.add(match[2])
    assert wanted - defined <= LIBRARY
    assert {"cnnaccel_run", "cnnaccel_load"} <= defined


@pytest.mark.parametrize("command", [("gcc",), (f"{ARM}gcc", *A9)], ids=lambda command: command[0])
def test_no_float(command: tuple[str, ...], network: Path, tmp_path: Path) -> None:
    """gcc refuses floats without their registers; that it does is tried too."""
    compile_all(network, list(CORE), tmp_path, *command, "-O2", "-mgeneral-regs-only")
    for path in CORE:
        assert not re.search(r"\b(float|double|malloc|calloc|free)\b", path.read_text()), path.name
    bad = tmp_path / "bad.c"
    bad.write_text("float half(float x);\nfloat half(float x) { return x / 2; }\n")
    with pytest.raises(AssertionError, match=r"general-regs-only|SSE"):
        compile_all(network, [bad], tmp_path, *command, "-mgeneral-regs-only")


def test_caches_are_kept_in_two_places() -> None:
    text = "".join(path.read_text() for path in CORE)
    assert text.count("->flush(") == 1 and text.count("->invalidate(") == 1
    assert text.count("->wait(") == 2 and text.count("engine->timeout_us)") == 2


# -- bare metal -----------------------------------------------------------------------------------


def test_makes_objects_for_bare_metal(network: Path, tmp_path: Path) -> None:
    """By the Makefile; the files of the network are in, caches are operated line by line."""
    need("make", f"{ARM}gcc")
    run("make", "-C", DRIVER, f"MODEL={network}", f"BUILD={tmp_path}", f"BAREMETAL={ARM}",
        "baremetal")  # fmt: skip
    code = run(f"{ARM}objdump", "-d", tmp_path / "bare/hal_baremetal.o")
    for operation in ("cr7, cr14, {1}", "cr7, cr6, {1}"):  # DCCIMVAC, DCIMVAC
        assert re.search(rf"mcr\s+15, 0, \w+, {operation}", code)
    assert len(re.findall(r"\tdsb\t", code)) >= 4
    linked = tmp_path / "whole.o"
    run(f"{ARM}ld", "-r", *sorted((tmp_path / "bare").glob("*.o")), "-o", linked)
    missing = set(re.findall(r"U (\w+)", run(f"{ARM}nm", linked)))
    assert missing <= LIBRARY


def test_bare_metal_operates_every_line(network: Path, tmp_path: Path) -> None:
    """hal_baremetal.c under qemu: which lines of L1, when of L2, registers, the timer's wrap."""
    need(f"{ARM}gcc", "qemu-arm")
    sources = TEST / "bare.c", DRIVER / "hal_baremetal.c"
    run(f"{ARM}gcc", *A9, "-marm", "-O2", *STRICT, f"-I{network}", f"-I{DRIVER}", *sources,
        "-o", tmp_path / "bare")  # fmt: skip
    emulator = ("qemu-arm", "-cpu", "cortex-a9", "-L", "/usr/arm-linux-gnueabihf")
    assert run(*emulator, tmp_path / "bare") == "well\n"


# -- Linux, with files in the place of devices ----------------------------------------------------


@pytest.fixture(scope="module")
def linux(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cnnaccel-run, by the Makefile."""
    need("make", "gcc")
    folder = tmp_path_factory.mktemp("linux")
    flags = "CFLAGS=-O1 -g -fsanitize=address,undefined"
    run("make", "-C", DRIVER, f"MODEL={network}", f"BUILD={folder}", flags)
    return folder / "cnnaccel-run"


def devices(folder: Path, name: str = "u-dma-buf", size: int = 1 << 16) -> None:
    """Registers of an engine at rest, a buffer of u-dma-buf, and what sysfs has beside it."""
    registers = bytearray(4096)
    for register, value in (("id", layout.MAGIC), ("version", layout.FORMAT_VERSION)):
        struct.pack_into("<I", registers, layout.REGISTERS[register][0], value)
    struct.pack_into("<Q", registers, layout.REGISTERS["digest"][0], TINY.digest)
    attributes = folder / f"sys/class/{name}/udmabuf0"
    attributes.mkdir(parents=True)
    (folder / "dev").mkdir()
    (folder / "registers").write_bytes(registers)
    (folder / "dev/udmabuf0").write_bytes(bytes(size))
    (attributes / "phys_addr").write_text("0x1f400000\n")
    (attributes / "size").write_text(f"{size}\n")
    for attribute in ("direction", "offset", "size", "for_device", "for_cpu"):
        (attributes / f"sync_{attribute}").write_text("none\n")
    (folder / "images").write_bytes(bytes(588 * 4))


def start(linux: Path, network: Path, folder: Path, **changes: str) -> str:
    """What cnnaccel-run complains about."""
    given = {"registers": f"{folder}/registers@0", "memory": f"{folder}/dev/udmabuf0",
             "program": f"{network}/program.bin", "weights": f"{network}/weights.bin",
             "images": f"{folder}/images", **changes}  # fmt: skip
    done = subprocess.run([linux, *given.values()], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and not done.stdout, done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("name", ["u-dma-buf", "udmabuf"])
def test_linux_up_to_the_start(linux: Path, network: Path, tmp_path: Path, name: str) -> None:
    """Registers that never move end the run; by then all is where the engine would look for it."""
    devices(tmp_path, name)
    found = start(linux, network, tmp_path)
    assert found.startswith("run: the engine stopped with error 0, it did not fail, at instruction")
    memory = (tmp_path / "dev/udmabuf0").read_bytes()
    program = (network / "program.bin").read_bytes()
    weights = (network / "weights.bin").read_bytes()
    assert memory.startswith(program)
    at = -(-len(program) // 64) * 64
    assert memory[at : at + len(weights)] == weights
    registers = (tmp_path / "registers").read_bytes()
    for register, value in (
        ("program_address", 0x1F400000 + layout.HEADER_BYTES),
        ("weights_address", 0x1F400000 + at),
        ("weights_bytes", len(weights)),
        ("count", 1),
    ):
        offset, words = layout.REGISTERS[register]
        assert int.from_bytes(registers[offset : offset + 4 * words], "little") == value
    attributes = tmp_path / f"sys/class/{name}/udmabuf0"
    assert (attributes / "sync_direction").read_text().startswith("0")
    assert (attributes / "sync_for_device").read_text().startswith("1")
    offset = int.from_bytes(registers[layout.REGISTERS["output_address"][0] :][:4], "little")
    assert (attributes / "sync_offset").read_text() == str(offset - 0x1F400000)
    assert (attributes / "sync_for_cpu").read_text() == "none\n"


def test_linux_asks_the_fpga_before_it_maps_anything(
    linux: Path, network: Path, tmp_path: Path
) -> None:
    devices(tmp_path)
    state = tmp_path / "sys/class/fpga_manager/fpga0/state"
    state.parent.mkdir(parents=True)
    registers = {"registers": f"{tmp_path}/dev/uio0@0"}
    for said in ("unknown", "power off", "write error", "operation"):
        state.write_text(f"{said}\n")  # and there is no uio0, which nobody misses
        found = start(linux, network, tmp_path, **registers)
        assert "fpga_manager says that no bitstream works; load it first" in found
    state.write_text("operating\n")
    assert "(No such file" in start(linux, network, tmp_path, **registers)
    shutil.copy(tmp_path / "registers", tmp_path / "dev/uio0")
    assert start(linux, network, tmp_path, **registers).startswith("run: the engine stopped")


def test_linux_says_what_is_missing(linux: Path, network: Path, tmp_path: Path) -> None:
    devices(tmp_path, size=20000)
    weights = tmp_path / "weights"
    weights.write_bytes((network / "weights.bin").read_bytes()[:-1])
    empty = tmp_path / "empty"
    empty.write_bytes(bytes(4096))
    nothing, npy = tmp_path / "nothing", tmp_path / "images.npy"
    nothing.touch()
    np.save(npy, np.zeros((2, 3, 14, 14), np.uint8))
    for changes, words in (
        ({"registers": "/dev/none"}, "cannot be opened, mapped or used (No such file"),
        ({"memory": "/dev/none"}, "cannot be opened, mapped or used (No such file"),
        ({"memory": f"{empty}@0+zero"}, "cannot be opened, mapped or used"),
        ({"memory": f"{empty}@0+1000"}, "memory: a buffer is missing, too small"),
        ({"registers": f"{empty}@0"}, "there is no engine; is the bitstream loaded, and is this "
         f"its address? (found 00000000, params.h has {layout.MAGIC:08x})"),
        ({"weights": str(weights)}, f"{weights}: should have"),
        ({"weights": f"{tmp_path}/registers"}, "registers: should have"),
        ({"program": "none"}, "none: No such file"),
        ({"images": "none"}, "none: No such file"),
        ({"images": str(weights)}, f"{weights}: should hold images uint8_t[3][14][14] of 588"),
        ({"images": str(nothing)}, f"{nothing}: should hold images"),
        ({"images": str(npy)}, "this is a .npy, of which images.tofile(PATH) writes the pixels"),
        ({"images": str(tmp_path)}, f"{tmp_path}: Is a directory"),
    ):  # fmt: skip
        assert words in start(linux, network, tmp_path, **changes)


def test_readme_runs(network: Path, tmp_path: Path) -> None:
    """Its command builds the example in a folder as export makes it; its program compiles."""
    need("make", "gcc")
    shutil.copytree(network, tmp_path / "export")
    shutil.copytree(DRIVER, tmp_path / "export/driver")
    text = (DRIVER / "README.md").read_text(encoding="utf-8")
    command = re.search(r"^    (make -C driver)", text, re.MULTILINE)
    assert command is not None
    run("sh", "-c", f"cd {tmp_path}/export && {command[1]}")
    assert (tmp_path / "export/driver/build/cnnaccel-run").is_file()
    run("make", "-C", tmp_path / "export/driver", "clean")
    assert not (tmp_path / "export/driver/build/cnnaccel-run").exists()
    lines = re.search(
        r"((?:^    [^\n]*\n|\n)*^    status = cnnaccel_argmax.*\n)", text, re.MULTILINE
    )
    assert lines is not None
    head, body = lines[1].split("    ...\n")
    (tmp_path / "export/own.c").write_text(
        f"{head}int main(void)\n{{\n    static uint8_t images[CNNACCEL_MODEL_IMAGE_BYTES], "
        "results[CNNACCEL_MODEL_RESULT_BYTES];\n    uint32_t count = 1, best;\n    "
        f"enum cnnaccel_status status;\n\n{body}    return (int)status;\n}}\n"
    )
    sources = [*CORE, DRIVER / "hal_linux.c", tmp_path / "export/own.c"]
    run("gcc", *STRICT, f"-I{tmp_path}/export", f"-I{DRIVER}", *sources, "-o", tmp_path / "own")


# -- fuzzing --------------------------------------------------------------------------------------

FUZZ = ("clang", "-O1", "-g", "-fsanitize=fuzzer,address,undefined",
        "-fno-sanitize-recover=undefined")  # fmt: skip


def fuzzer(network: Path, folder: Path, sources: list[Path]) -> Path:
    need("clang")
    probe = folder / "probe.c"
    probe.write_text("int LLVMFuzzerTestOneInput(void);\nint LLVMFuzzerTestOneInput(void) "
                     "{ return 0; }\n")  # fmt: skip
    command = [*FUZZ, str(probe), "-o", str(folder / "probe")]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("libFuzzer is missing; tests/install-tools brings libclang-rt-dev")
    run(*FUZZ, "-std=c99", f"-I{network}", f"-I{DRIVER}", TEST / "fuzz.c", *sources, "-o",
        folder / "fuzz")  # fmt: skip
    return folder / "fuzz"


def seeds(network: Path, folder: Path) -> Path:
    """A corpus: the network whole and truncated, and the shapes of a model."""
    program = (network / "program.bin").read_bytes()
    weights = (network / "weights.bin").read_bytes()
    folder.mkdir()
    for size in (0, 3, 127, layout.HEADER_BYTES, 200, len(program)):
        rest = weights if size == len(program) else weights[:64]
        data = b"\0" + struct.pack("<I", size) + program[:size] + rest
        (folder / f"program{size}").write_bytes(data)
    for raw in (0, 1):
        shape = struct.pack("<7H6B", 3, 14, 14, 10, 1, 1, 3, 4, raw, 1, 7, 1, 1)
        (folder / f"model{raw}").write_bytes(b"\1" + shape + struct.pack("<10H", *range(10)))
    return folder


def fuzz(target: Path, corpus: Path, seconds: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [target, f"-max_total_time={seconds}", "-max_len=20000", "-seed=1", corpus],
        cwd=target.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("seconds", [5, pytest.param(600, marks=pytest.mark.slow)])
def test_fuzzer_finds_nothing(seconds: int, network: Path, tmp_path: Path) -> None:
    target = fuzzer(network, tmp_path, [DRIVER / "network.c", DRIVER / "ports.c"])
    done = fuzz(target, seeds(network, tmp_path / "corpus"), seconds)
    assert done.returncode == 0, done.stderr[-3000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs and int(runs[1]) > 1000


@pytest.mark.parametrize(
    ("file", "check", "mutant"),
    [
        ("network.c", "program_bytes - sizeof *header != sections", "false"),
        ("network.c", "bytes < sizeof *header", "false"),
        ("network.c", "weights_bytes != header->weights_bytes", "false"),
        ("network.c", "LANES >= output->words", "LANES > output->words"),
        ("ports.c", "iterations_for(model, count) * model->input_stride > bytes",
         "count / model->images * model->input_stride > bytes"),
    ],
)  # fmt: skip
def test_fuzzer_finds_a_missing_check(
    file: str, check: str, mutant: str, network: Path, tmp_path: Path
) -> None:
    """Within seconds, so that the run above which finds nothing says something."""
    for name in ("network.c", "ports.c"):
        shutil.copy(DRIVER / name, tmp_path)
    text = (tmp_path / file).read_text()
    assert text.count(check) == 1
    (tmp_path / file).write_text(text.replace(check, mutant))
    target = fuzzer(network, tmp_path, [tmp_path / "network.c", tmp_path / "ports.c"])
    done = fuzz(target, seeds(network, tmp_path / "corpus"), 30)
    assert done.returncode != 0 and "AddressSanitizer: heap-buffer-overflow" in done.stderr
