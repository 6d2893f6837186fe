"""The driver in C on the engine in Verilator: Python's bytes, Python's results, and what goes
wrong. Built with ASan and UBSan; for a Cortex-A9 too, under qemu."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.compiler.compile import compile_graph
from cnnaccel.errors import EngineError
from cnnaccel.hardware import load_hardware
from cnnaccel.ir import golden
from cnnaccel.ir.graph import Graph
from cnnaccel.isa.description import Description
from cnnaccel.isa.instructions import Compute, Opcode
from cnnaccel.isa.program import Note, Program
from cnnaccel.runtime import layout
from cnnaccel.runtime.device import SimDevice
from cnnaccel.runtime.driver import Accelerator
from cnnaccel.runtime.network import load_network
from cnnaccel.runtime.ports import Output, Ports
from cnnaccel.tools.simulation import simulated_bitstream
from tests.support import c_driver
from tests.support.c_driver import build, compiled, drive, need, run, served
from tests.support.graphs import conv2d, requant, small_network, spec, spilling
from tests.support.networks import pixels, quantized

TINY = load_hardware("tiny")
PYNQ = load_hardware("pynq_z1")
GRAPH = small_network()
OPEN = "open 2000"


def images_for(graph: Graph, count: int) -> np.ndarray:
    return pixels(graph.input.shape, count, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With two networks for `tiny`, `small` of four images at a time, `spill` of one, and a
    program `drive` that knows both."""
    need("gcc")
    made = tmp_path_factory.mktemp("c")
    small = compiled(made / "small", GRAPH, TINY, 4)
    build(made, TINY, (small, compiled(made / "spill", spilling(), TINY, 1)))
    return made


@pytest.fixture(scope="module")
def program(folder: Path) -> list[str | Path]:
    """The command that runs `drive` on the simulated engine."""
    return [folder / "drive", simulated_bitstream(TINY)]


def load(number: int, network: Path, memory_bytes: int = 0) -> str:
    return f"load {number} {network}/program.bin {network}/weights.bin {memory_bytes}"


@dataclasses.dataclass(frozen=True)
class Step:
    """One run of Python's driver: what it took and gave, and what C shall match."""

    images: np.ndarray
    results: np.ndarray
    packed: np.ndarray
    """All of INPUT."""
    counters: dict[str, int]

    def lines(self, folder: Path, number: int) -> list[str]:
        """That run in C, which leaves its results and its memory in the folder."""
        self.images.tofile(folder / f"{number}.images")
        return [
            f"run {len(self.images)} {folder}/{number}.images {folder}/{number}.results",
            f"dump 3 {self.packed.size} {folder}/{number}.input",
        ]

    def check(self, folder: Path, number: int, answer: c_driver.Answer) -> None:
        assert (answer.status, answer.words) == (0, "all is well")
        results = np.fromfile(folder / f"{number}.results", self.results.dtype)
        assert np.array_equal(results.reshape(self.results.shape), self.results)
        assert np.array_equal(np.fromfile(folder / f"{number}.input", np.uint8), self.packed)
        for name in ("steps", "read_bytes", "written_bytes"):
            assert answer.counters[name] == self.counters[name], name


@pytest.fixture
def board() -> Iterator[Accelerator]:
    accelerator = Accelerator(simulated_bitstream(TINY), SimDevice(memory_bytes=8 << 20))
    yield accelerator
    accelerator.buffers.clear()


def in_python(board: Accelerator, images: np.ndarray) -> Step:
    assert board.network is not None
    results, ports = board.run(images), board.network.ports
    size = -(-len(images) // ports.images) * board.network.header["input_stride"]
    packed = np.array(board.buffers["input"][:size]) if size else np.zeros(0, np.uint8)
    return Step(images, results, packed, dict(board.counters))


def compare(
    board: Accelerator, program: list[str | Path], folder: Path, runs: list[tuple[int, Path, int]]
) -> None:
    """Runs of (model, network, images), a network loaded where it is another than before."""
    lines, steps, before = [OPEN], [], None
    for number, (model, network, count) in enumerate(runs):
        if network != before:
            board.load(network)
            lines.append(load(model, network))
        before = network
        shape = board.network.ports.input_shape  # type: ignore[union-attr]
        steps.append((len(lines), in_python(board, pixels(shape, count, seed=number))))
        lines += steps[-1][1].lines(folder, number)
    answers = drive(program, lines)
    assert all(answer.status == 0 for answer in answers)
    for number, (at, step) in enumerate(steps):
        step.check(folder, number, answers[at])


def test_same_memory_and_results_as_python(
    board: Accelerator, program: list[str | Path], folder: Path, tmp_path: Path
) -> None:
    """Every number of images, cold and warm, another network in between and back again."""
    small, spill = (0, folder / "small"), (1, folder / "spill")
    counts = [(small, 1), (small, 7), (small, 4), (spill, 2), (spill, 1), (small, 3), (small, 8)]
    compare(board, program, tmp_path, [(*network, count) for network, count in counts])


@pytest.mark.slow
def test_networks_of_the_first_release(tmp_path: Path) -> None:
    """LeNet and ResNet8 on the engine of the PYNQ-Z1."""
    lenet = 0, compiled(tmp_path / "lenet", quantized("lenet"), PYNQ, 4)
    resnet8 = 1, compiled(tmp_path / "resnet8", quantized("resnet8"), PYNQ, 1)
    program = build(tmp_path, PYNQ, (lenet[1], resnet8[1]))
    bitstream = simulated_bitstream(PYNQ)
    board = Accelerator(bitstream, SimDevice(memory_bytes=8 << 20))
    runs = [(*lenet, 10), (*lenet, 1), (*resnet8, 2), (*resnet8, 1), (*lenet, 3)]
    compare(board, [program, bitstream], tmp_path, runs)
    board.buffers.clear()


def test_tall_images_are_laid_down(tmp_path: Path) -> None:
    """Raw pixels and words, more rows than an instruction counts, results with rows and columns."""
    graphs = []
    for name, shape, stride in (("raw", (1, 2050, 3), (82, 1)), ("words", (5, 2048, 2), (64, 1))):
        rng = np.random.default_rng(5)
        weight = rng.integers(-20, 20, (3, shape[0], 4, 2), np.int8)
        layer = conv2d(spec("image", shape), weight, "conv", stride=stride,
                       dtype="int8", requant=requant(1, 4, "int8"))  # fmt: skip
        graphs.append(Graph(name, spec("image", shape), (layer,)))
    folders = [compiled(tmp_path / graph.name, graph, TINY, 1) for graph in graphs]
    program, bitstream = build(tmp_path, TINY, folders), simulated_bitstream(TINY)
    board = Accelerator(bitstream, SimDevice(memory_bytes=8 << 20))
    compare(board, [program, bitstream], tmp_path, [(n, at, 3) for n, at in enumerate(folders)])
    for graph, at in zip(graphs, folders, strict=True):
        assert board.load(at).ports.transposed
        images = images_for(graph, 3)
        assert np.array_equal(board.run(images), golden.run(graph, images))
    board.buffers.clear()


def test_small_buffers_take_more_starts(
    program: list[str | Path], folder: Path, tmp_path: Path
) -> None:
    """Room for one iteration, and for two, of five; results stay golden's."""
    images = images_for(GRAPH, 18)
    images.tofile(tmp_path / "images")
    header = load_network(folder / "small").header
    iteration = header["input_stride"] + header["output_stride"]
    least = sum(
        -(-size // 64) * 64
        for size in (
            (folder / "small/program.bin").stat().st_size, header["weights_bytes"],
            header["scratch_bytes"], header["input_stride"], header["output_stride"],
        )
    )  # fmt: skip
    lines = [OPEN, load(0, folder / "small", least - 64)]
    for number, size in enumerate((least, least + iteration + 128, 0)):
        lines.append(load(0, folder / "small", size))
        lines.append(f"run 18 {tmp_path}/images {tmp_path}/{number}")
    _, too_small, *answers = drive(program, lines)
    assert too_small.words.startswith("a buffer is missing, too small")
    expected = golden.run(GRAPH, images)
    cycles = []
    for number, answer in enumerate(answers[1::2]):
        assert answer.status == 0
        results = np.fromfile(tmp_path / str(number), GRAPH.results[0].dtype)
        assert np.array_equal(results.reshape(expected.shape), expected)
        cycles.append(answer.counters["cycles"])
    assert cycles[0] > cycles[1] > cycles[2]


def test_by_parts(program: list[str | Path], folder: Path, tmp_path: Path) -> None:
    """Who polls an engine on its own finds it busy a while, and the same results."""
    images = images_for(GRAPH, 14)
    images.tofile(tmp_path / "images")
    both = [f"{how} 14 {tmp_path}/images {tmp_path}/{how}" for how in ("run", "parts")]
    lines = [OPEN, load(0, folder / "small"), *both]
    *_, whole, parts = drive(program, lines)
    assert (whole.status, parts.status) == (0, 0) and int(parts.said) >= 1
    assert whole.counters["steps"] >= parts.counters["steps"] > 0
    assert (tmp_path / "run").read_bytes() == (tmp_path / "parts").read_bytes()
    assert (tmp_path / "run").read_bytes() == golden.run(GRAPH, images).tobytes()


def test_argmax_is_the_first_of_the_largest(
    program: list[str | Path], folder: Path, tmp_path: Path
) -> None:
    rows = [[-128] * 10, [-1, 0, 3, -128, 127, 5, 127, 2, 1, 0], [-5, -7, -3, -3, *[-128] * 6]]
    lines = [OPEN, load(0, folder / "small")]
    for number, row in enumerate(rows):
        np.array(row, np.int8).tofile(tmp_path / str(number))
        lines.append(f"argmax 0 {tmp_path}/{number}")
    found = [int(answer.said) for answer in drive(program, lines)[2:]]
    assert found == [int(np.argmax(row)) for row in rows]


# -- layouts that the networks above do not have --------------------------------------------------

TABLE = tuple(
    tuple((7 * at + 50 * channel) % 256 - 128 for at in range(256)) for channel in range(6)
)
NOTHING = Compute(opcode=Opcode.MAX, drain=False, out_w=0)
LANES = (2, -1, 1, 0, 0, -1, -1, -1)


def outputs(*kinds: tuple[str, tuple[int, int, int]], images: int = 1) -> tuple[Output, ...]:
    """Outputs of these types and shapes, one after another in an iteration."""
    found: list[Output] = []
    at = 0
    for number, (dtype, shape) in enumerate(kinds):
        found.append(Output(f"output {number}", shape, dtype, 0.5, LANES, at))
        at += len(LANES) * shape[1] * shape[2] * images
    return tuple(found)


LAYOUTS = {
    "words": Ports((6, 2, 3), False, outputs(("uint8", (3, 2, 1)), images=2), 2, 4),
    "table": Ports((6, 2, 3), True, outputs(("int8", (3, 1, 2)), images=3), 3, 4, TABLE),
    "table of words": Ports((6, 2, 3), False, outputs(("int8", (3, 3, 2))), 1, 4, TABLE),
    "several outputs": Ports(
        (4, 3, 5), False, outputs(("int8", (3, 1, 1)), ("int8", (3, 3, 2)), images=2), 2, 4
    ),
}


def synthetic(folder: Path, ports: Ports) -> Path:
    """A program that does nothing, with these ports."""
    folder.mkdir()
    size = ports.pack(np.zeros((1, *ports.input_shape), np.uint8)).size
    Program(
        digest=TINY.digest, body=(NOTHING,), images_per_iteration=ports.images, input_stride=size,
        output_stride=sum(8 * one.shape[1] * one.shape[2] for one in ports.outputs) * ports.images,
    ).to_files(folder)  # fmt: skip
    Description("synthetic", TINY, ports, (Note("end", "nothing"),)).to_file(folder)
    return folder


@pytest.mark.parametrize("names", [("words", "table"), ("table of words", "several outputs")])
def test_every_layout(names: tuple[str, str], tmp_path: Path, rng: np.random.Generator) -> None:
    """What Python packs and unpacks, C does, byte by byte; lanes without a channel are 0."""
    networks = [synthetic(tmp_path / name.replace(" ", "_"), LAYOUTS[name]) for name in names]
    program = [build(tmp_path, TINY, networks), simulated_bitstream(TINY)]
    lines: list[str] = []
    expected: list[bytes] = []
    for number, name in enumerate(names):
        ports = LAYOUTS[name]
        for count in (1, 2, 5):
            images = rng.integers(0, 256, (count, *ports.input_shape), np.uint8)
            packed = ports.pack(images)
            stride = load_network(networks[number]).header["output_stride"]
            output = rng.integers(0, 256, -(-count // ports.images) * stride, np.uint8)
            for kind, given, wanted in (
                ("pack", images, packed),
                ("unpack", output, ports.unpack(output, count)),
            ):
                at = tmp_path / str(len(lines))
                given.tofile(at.with_suffix(".given"))
                lines.append(f"{kind} {number} {count} {at}.given {at}.made")
                expected.append(wanted.tobytes())
    assert all(answer.status == 0 for answer in drive(program, lines))
    for number, content in enumerate(expected):
        assert (tmp_path / f"{number}.made").read_bytes() == content, lines[number]


# -- what goes wrong ------------------------------------------------------------------------------


def test_calls_that_make_no_sense(program: list[str | Path], folder: Path, tmp_path: Path) -> None:
    """Are refused, each with its status, and change nothing."""
    images = images_for(GRAPH, 4)
    images.tofile(tmp_path / "images")
    lines = [OPEN, f"run 1 {tmp_path}/images {tmp_path}/none", load(0, folder / "small"), "misuse",
             load(0, folder / "small"), f"run 4 {tmp_path}/images {tmp_path}/out"]  # fmt: skip
    answers = drive(program, lines)
    assert answers[1].status == c_driver.NOT_LOADED and answers[3].said == "refused"
    assert np.fromfile(tmp_path / "out", np.int8).tobytes() == golden.run(GRAPH, images).tobytes()


def test_another_engine(folder: Path) -> None:
    """The digest in params.h is not that of the engine behind the registers."""
    lines = [OPEN, load(0, folder / "small")]
    answer, after = drive([folder / "drive", simulated_bitstream(PYNQ)], lines)
    assert after.status == c_driver.BAD_ARGUMENT
    assert answer.status == c_driver.OTHER_ENGINE
    assert f"(found {PYNQ.digest:016x}, params.h has {TINY.digest:016x})" in answer.words


def test_originalfor_another_engine(
    program: list[str | Path], folder: Path, tmp_path: Path
) -> None:
    other = dataclasses.replace(TINY, act_kib=2 * TINY.act_kib)
    compiled(tmp_path, GRAPH, other, 4)
    _, answer = drive(program, [OPEN, load(0, tmp_path)])
    assert answer.status == c_driver.OTHER_ENGINE and f"found {other.digest:016x}" in answer.words


def test_model_for_another_engine_does_not_compile(folder: Path, tmp_path: Path) -> None:
    other = compiled(tmp_path / "other", GRAPH, PYNQ, 1)
    c_driver.headers(tmp_path / "headers", PYNQ, other)
    (tmp_path / "headers/params.h").write_text((folder / "model_0/params.h").read_text())
    with pytest.raises(AssertionError, match="are of different engines: export again"):
        run("gcc", *c_driver.STRICT, f"-I{tmp_path}/headers", f"-I{c_driver.DRIVER}",
            "-DMODEL_NAME=m", "-fsyntax-only", c_driver.DRIVER / "test/model.c")  # fmt: skip


def test_damaged_files(
    program: list[str | Path], folder: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    """One bit anywhere, or an end that is missing."""
    lines, expected = [OPEN], []
    for name, status in (("program", c_driver.BAD_PROGRAM), ("weights", c_driver.BAD_WEIGHTS)):
        whole = (folder / f"small/{name}.bin").read_bytes()
        checked = [*range(76), *range(128, len(whole))] if name == "program" else range(len(whole))
        places = [0, 4, 8, 70, 75, *rng.choice(checked, 30).tolist(), len(whole) - 1]
        for number, at in enumerate([*places, None]):
            damaged = bytearray(whole)
            if at is None:
                damaged = damaged[:-9]
            else:
                damaged[at] ^= 1 << int(rng.integers(8))
            files = {
                "program": folder / "small/program.bin",
                "weights": folder / "small/weights.bin",
            }
            files[name] = tmp_path / f"{name}{number}"
            files[name].write_bytes(damaged)
            lines.append(f"load 0 {files['program']} {files['weights']} 0")
            expected.append(status)
    answers = drive(program, lines)
    assert [answer.status for answer in answers[1:]] == expected
    assert "weights.bin is damaged or of another program" in answers[-1].words


def test_files_of_another_compilation(
    program: list[str | Path], folder: Path, tmp_path: Path
) -> None:
    """Whole, but not what model.h was rendered from; parts of two programs."""
    original = compile_graph(GRAPH, TINY, 4).program
    weights = bytes([original.weights[0] ^ 1]) + original.weights[1:]
    dataclasses.replace(original, weights=weights).to_files(tmp_path)
    mixed = f"load 0 {folder}/small/program.bin {tmp_path}/weights.bin 0"
    _, other, parts = drive(program, [OPEN, load(0, tmp_path), mixed])
    assert other.status == c_driver.OTHER_MODEL and "model.h was rendered from" in other.words
    assert parts.status == c_driver.BAD_WEIGHTS


def test_memory_that_never_answers(program: list[str | Path], folder: Path, tmp_path: Path) -> None:
    """The words are Python's, and when memory answers again all is well."""
    images = images_for(GRAPH, 4)
    images.tofile(tmp_path / "images")
    lines = [OPEN, load(0, folder / "small"), "silence 1",
             *[f"run 4 {tmp_path}/images {tmp_path}/out"] * 2, "reset", "silence 0",
             f"run 4 {tmp_path}/images {tmp_path}/out"]  # fmt: skip
    answers = drive(program, lines)
    assert (answers[3].status, answers[3].words) == (
        c_driver.TIMEOUT,
        "the engine has done nothing for 2 ms: fetch waits for instructions from DRAM",
    )
    for answer in answers[4:6]:
        assert (answer.status, answer.words) == (
            c_driver.RESET_TIMEOUT,
            "the engine does not end its reset: reset, or a failure, waits for DRAM to end what "
            "it was asked for",
        )
    assert answers[7].status == 0
    assert np.fromfile(tmp_path / "out", np.int8).tobytes() == golden.run(GRAPH, images).tobytes()


def test_memory_that_falls_silent(program: list[str | Path], folder: Path, tmp_path: Path) -> None:
    """In the middle of a run: the words are those of the register `waiting`."""
    images = images_for(GRAPH, 40)
    images.tofile(tmp_path / "images")
    shoot = f"40 {tmp_path}/images {tmp_path}/out"
    lines = [OPEN, load(0, folder / "small"), f"stall {shoot}", "silence 0", f"run {shoot}"]
    *_, stalled, _, well = drive(program, lines)
    assert (stalled.status, well.status) == (c_driver.TIMEOUT, 0) and int(stalled.said) > 1
    begin, _, rest = stalled.words.partition(": ")
    assert begin == "the engine has done nothing for 2 ms"
    waits = rest.split("; ")
    assert set(waits) <= set(layout.WAITING.values()) and len(waits) > 1
    assert (tmp_path / "out").read_bytes() == golden.run(GRAPH, images).tobytes()


@pytest.mark.parametrize("buffer", ["program", "input", "output"])
@pytest.mark.parametrize("warm", [False, True])
def test_failures_have_pythons_words(
    program: list[str | Path], board: Accelerator, folder: Path, tmp_path: Path, buffer: str,
    warm: bool,
) -> None:  # fmt: skip
    """An AXI error, of a first start and of one that leaves out instructions: error, instruction,
    layer, iteration; of the note C knows the layer alone."""
    images = images_for(GRAPH, 4)
    images.tofile(tmp_path / "images")
    shoot = f"run 4 {tmp_path}/images {tmp_path}/out"
    begin, lose = load(0, folder / "small"), f"lose {c_driver.BUFFERS.index(buffer)}"
    lines = [OPEN, begin, *[shoot] * warm, lose, shoot, begin, shoot]
    *_, failed, _, well = drive(program, lines)
    board.load(folder / "small")
    board.run(images)
    if not warm:
        board.load(folder / "small")
        for name in ("input", "output"):
            board._allocate(name, 1 << 14)
    board.buffers[buffer].device_address = 0xF0000000
    with pytest.raises(EngineError) as caught:
        board.run(images)
    assert failed.status == c_driver.FAILED and well.status == 0
    assert failed.words == re.sub(r" \((\w+): [^)]*\)", r" (\1)", str(caught.value))


@pytest.mark.parametrize(
    "line",
    [
        "give(engine, &memory->program, model->program_bytes);",
        "give(engine, &memory->weights, model->weights_bytes);",
        "give(engine, &memory->input, iterations * engine->header.input_stride);",
        "take(engine, &engine->memory.output, engine->iterations * engine->header.output_stride);",
    ],
)
def test_a_forgotten_flush_is_noticed(line: str, folder: Path, tmp_path: Path) -> None:
    """The simulated memory is as unforgiving as a board's."""
    text = (c_driver.DRIVER / "driver.c").read_text()
    assert text.count(line) == 1
    (tmp_path / "driver.c").write_text(text.replace(line, f"(void){line[:4]};"))
    program = build(tmp_path, TINY, [folder / "small"], driver=tmp_path / "driver.c")
    images = images_for(GRAPH, 4)
    images.tofile(tmp_path / "images")
    lines = [OPEN, load(0, folder / "small"), f"run 4 {tmp_path}/images {tmp_path}/out"]
    *_, answer = drive([program, simulated_bitstream(TINY)], lines)
    out = tmp_path / "out"
    assert answer.status != 0 or out.read_bytes() != golden.run(GRAPH, images).tobytes()


# -- another processor ----------------------------------------------------------------------------


def test_cortex_a9(folder: Path, tmp_path: Path, board: Accelerator) -> None:
    """Compiled for the processor of a Zynq-7000, run under qemu, the engine behind a socket."""
    need("arm-linux-gnueabihf-gcc", "qemu-arm")
    compiler = ("arm-linux-gnueabihf-gcc", "-mcpu=cortex-a9", "-O2")
    program = build(tmp_path, TINY, (folder / "small", folder / "spill"), "hal_socket", compiler)
    emulator = ["qemu-arm", "-cpu", "cortex-a9", "-L", "/usr/arm-linux-gnueabihf", str(program)]
    with served(TINY) as path:
        runs = [(0, folder / "small", 7), (0, folder / "small", 4), (1, folder / "spill", 2)]
        compare(board, [*emulator, path], tmp_path, runs)


def test_cortex_a9_runs_lenet(tmp_path: Path) -> None:
    need("arm-linux-gnueabihf-gcc", "qemu-arm")
    graph: Graph = quantized("lenet")
    lenet = compiled(tmp_path / "lenet", graph, PYNQ, 4)
    compiler = ("arm-linux-gnueabihf-gcc", "-mcpu=cortex-a9", "-O2")
    program = build(tmp_path, PYNQ, [lenet], "hal_socket", compiler)
    images = images_for(graph, 6)
    images.tofile(tmp_path / "images")
    lines = [OPEN, load(0, lenet), f"run 6 {tmp_path}/images {tmp_path}/out"]
    with served(PYNQ) as path:
        emulator = ["qemu-arm", "-cpu", "cortex-a9", "-L", "/usr/arm-linux-gnueabihf"]
        answers = drive([*emulator, program, path], lines)
    assert all(answer.status == 0 for answer in answers)
    assert np.fromfile(tmp_path / "out", np.int8).tobytes() == golden.run(graph, images).tobytes()


# -- the example ----------------------------------------------------------------------------------


def test_example_prints_classes(folder: Path, tmp_path: Path) -> None:
    """main.c as it is, its platform the simulated engine: class and values of each image."""
    images = images_for(GRAPH, 70)  # more than it takes at once
    images.tofile(tmp_path / "images")
    sources = [c_driver.DRIVER / name for name in ("main.c", "test/linux_sim.c", "test/hal_sim.c")]
    network = folder / "small"
    run("gcc", *c_driver.STRICT, *c_driver.CHECKED, c_driver.POSIX, f"-I{folder}/model_0",
        f"-I{c_driver.DRIVER}", *c_driver.CORE, *sources, "-ldl",
        "-o", tmp_path / "example")  # fmt: skip
    found = run(tmp_path / "example", simulated_bitstream(TINY), "memory",
                network / "program.bin", network / "weights.bin", tmp_path / "images")  # fmt: skip
    lines = found.splitlines()
    results = golden.run(GRAPH, images).reshape(70, -1)
    expected = [" ".join(map(str, (row.argmax(), *row))) for row in results]
    assert [line for line in lines if not line.endswith("cycles")] == expected
    assert any(line.startswith("70 images in ") for line in lines)
