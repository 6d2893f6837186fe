"""The build folder: whole or not at all, whatever ends the run."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cnnaccel import workspace
from cnnaccel.errors import WorkspaceError
from cnnaccel.workspace import (
    MANIFEST,
    Stage,
    Workspace,
    sha256_of,
    sha256_of_value,
    workspace_of,
    write_atomic,
)

OLD, NEW = {"config": "1"}, {"config": "2"}
A, B = "a" * 64, "b" * 64
"""Digests."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are killed here, machines are not: what is written need not reach the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage that was finished with the inputs OLD."""
    stage = Workspace(tmp_path / "build" / "lenet").stage("train")
    make(stage, OLD)
    return stage


def make(stage: Stage, inputs: dict[str, str], **options: bool) -> None:
    """Two artifacts, one below a folder, that tell which inputs made them."""
    with stage.write(inputs, **options) as folder:
        (folder / "model.pt").write_text(f"made from {inputs}")
        (folder / "log").mkdir(exist_ok=True)
        write_atomic(folder / "log" / "history.json", json.dumps(inputs).encode())


def whole(stage: Stage, inputs: dict[str, str]) -> bool:
    return (
        stage.why_stale(inputs) is None
        and (stage.folder / "model.pt").read_text() == f"made from {inputs}"
        and json.loads((stage.folder / "log" / "history.json").read_text()) == inputs
    )


def leftovers(stage: Stage) -> list[str]:
    return sorted(path.name for path in stage.folder.parent.iterdir() if path != stage.folder)


def test_a_finished_stage(stage: Stage) -> None:
    assert whole(stage, OLD)
    assert leftovers(stage) == []
    manifest = stage.manifest()
    assert manifest is not None
    assert manifest["stage"] == "train" and manifest["inputs"] == OLD
    assert list(manifest["artifacts"]) == ["log/history.json", "model.pt"]
    assert manifest["artifacts"]["model.pt"] == sha256_of(stage.folder / "model.pt")
    assert set(manifest["versions"]) >= {"cnnaccel", "python", "numpy", "torch"}


def test_a_second_run_replaces_the_first(stage: Stage) -> None:
    with stage.write(NEW) as folder:
        (folder / "other").write_text("")
        assert whole(stage, OLD), "the old artifacts are readable meanwhile"
    assert sorted(path.name for path in stage.folder.iterdir()) == [MANIFEST, "other"]
    assert leftovers(stage) == []


# ---- why a stage is stale --------------------------------------------------------------------


def test_never_run(tmp_path: Path) -> None:
    assert Stage(tmp_path / "none").why_stale({}) == "not there yet"
    assert Stage(tmp_path / "none").manifest() is None


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (NEW, "config is 1, asked for is 2"),
        ({}, "config is 1, asked for is not set"),
        ({**OLD, "data": A}, "data changed"),
        (
            {"config": A, "seed": 4},
            "config is 1, asked for is aaaaaaaa...; seed is not set, asked for is 4",
        ),
        ({**OLD, "quantize.equalize": True}, "quantize.equalize is not set, asked for is true"),
        ({**OLD, "data.mean": [0.5]}, "data.mean is not set, asked for is [0.5]"),
        (
            {**OLD, "x": A, "a": 1, "y": B, "b": 2, "c": 3, "d": 4, "e": 5},
            "a is not set, asked for is 1; b is not set, asked for is 2; "
            "c is not set, asked for is 3; and 2 more; x, y changed",
        ),
    ],
)
def test_changed_inputs(stage: Stage, inputs: dict[str, Any], reason: str) -> None:
    assert stage.why_stale(inputs) == reason


def test_altered_and_deleted_artifacts(stage: Stage) -> None:
    history = stage.folder / "log" / "history.json"
    whole_text = history.read_bytes()
    history.write_bytes(whole_text[:-1] + b"]")
    assert stage.why_stale(OLD) == "log/history.json was altered"
    history.unlink()
    assert stage.why_stale(OLD) == "log/history.json is missing"
    history.mkdir()
    assert stage.why_stale(OLD) == "log/history.json is missing"
    history.rmdir()
    history.write_bytes(whole_text)
    assert stage.why_stale(OLD) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"inputs": [], "artifacts": {}}', "\udcff", "[" * 100_000],
    ids=range(8),
)
def test_a_damaged_manifest(stage: Stage, text: str) -> None:
    (stage.folder / MANIFEST).write_bytes(text.encode(errors="surrogateescape"))
    assert stage.why_stale(OLD) == "never finished"
    make(stage, NEW)
    assert whole(stage, NEW)


def test_artifacts_without_a_manifest(stage: Stage) -> None:
    (stage.folder / MANIFEST).unlink()
    assert stage.why_stale(OLD) == "never finished"


# ---- errors and interrupts -------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("resumable", [False, True])
def test_an_error_leaves_the_old_artifacts(
    stage: Stage, error: type[BaseException], resumable: bool
) -> None:
    with pytest.raises(error), stage.write(NEW, resumable=resumable) as folder:
        (folder / "checkpoint.pt").write_text("half way")
        raise error
    assert whole(stage, OLD)
    assert leftovers(stage) == (["train.partial"] if resumable else [])


def test_resuming(stage: Stage) -> None:
    with pytest.raises(KeyboardInterrupt), stage.write(NEW, resumable=True) as folder:
        (folder / "checkpoint.pt").write_text("half way")
        (folder / "checkpoint.pt.partial").write_text("quarter")
        raise KeyboardInterrupt
    stage.finish_swap()
    assert whole(stage, OLD), "an unsealed folder is no result"
    with stage.write(NEW, resume=True, resumable=True) as folder:
        assert (folder / "checkpoint.pt").read_text() == "half way"
    manifest = stage.manifest()
    assert manifest is not None and list(manifest["artifacts"]) == ["checkpoint.pt"]
    assert stage.why_stale(NEW) is None


def test_not_resuming_starts_afresh(stage: Stage) -> None:
    with pytest.raises(KeyboardInterrupt), stage.write(NEW, resumable=True) as folder:
        (folder / "checkpoint.pt").write_text("half way")
        raise KeyboardInterrupt
    with stage.write(NEW) as folder:
        assert list(folder.iterdir()) == []
        (folder / "model.pt").write_text("new")
    assert sorted(path.name for path in stage.folder.iterdir()) == [MANIFEST, "model.pt"]


# ---- kills and failing disks, at every operation on the file system ---------------------------


def in_child(work: Callable[[], None], arm: Callable[[], None] = lambda: None) -> int:
    """Run `work` in a child process that first calls `arm`; its exit code.

    0: `work` ended. 1: it raised WorkspaceError. 2: anything else. 9: it was killed.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 2
    try:
        arm()
        work()
        code = 0
    except WorkspaceError:
        code = 1
    finally:
        os._exit(code)


WRITES = {"open", "write", "close", "__exit__", "fsync", "mkdir", "rename", "replace", "unlink"}
WRITES |= {"rmdir"}


def kill_at(number: int) -> Callable[[], None]:
    """Ends the process before call `number` of a C function that may write; buffers are lost."""

    def arm() -> None:
        count = 0

        def watch(_frame: object, event: str, function: Any) -> None:
            nonlocal count
            if event == "c_call" and function.__name__ in WRITES:
                count += 1
                if count == number:
                    os._exit(9)

        sys.setprofile(watch)

    return arm


FILE_EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir"}


def fail_from(number: int, code: int) -> Callable[[], None]:
    """Every use of the file system from `number` on raises OSError."""

    def arm() -> None:
        count = 0

        def watch(event: str, _arguments: object) -> None:
            nonlocal count
            count += event in FILE_EVENTS
            if event in FILE_EVENTS and count >= number:
                raise OSError(code, os.strerror(code))

        sys.addaudithook(watch)

    return arm


def test_a_kill_at_any_point_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    codes = set()
    for at in range(1, 500):
        stage = Workspace(tmp_path / str(at)).stage("train")
        make(stage, OLD)
        code = in_child(partial(make, stage, NEW), kill_at(at))
        codes.add(code)
        # what the next run finds
        stage.finish_swap()
        assert whole(stage, OLD) or whole(stage, NEW), f"neither after a kill at {at}"
        # and a kill while that one puts things in order changes nothing
        make(stage, NEW)
        assert whole(stage, NEW) and leftovers(stage) == []
        if code == 0:
            break
    assert codes == {0, 9} and at > 15


@pytest.mark.slow
def test_a_second_kill_while_recovering_from_the_first(tmp_path: Path) -> None:
    """Started from each state a first kill can leave: between the seal and the end of the swap."""
    for first in range(1, 500):
        for second in range(1, 20):
            stage = Workspace(tmp_path / f"{first}-{second}").stage("train")
            make(stage, OLD)
            ended = in_child(partial(make, stage, NEW), kill_at(first)) == 0
            recovered = in_child(stage.finish_swap, kill_at(second)) == 0
            stage.finish_swap()
            assert whole(stage, OLD) or whole(stage, NEW), f"{first}, {second}"
            if recovered:
                break
        if ended:
            break
    assert ended and first > 15


@pytest.mark.slow
def test_a_kill_and_then_an_error(tmp_path: Path) -> None:
    """The next run may fail before it comes to anything, having called nothing but `write`."""
    for at in range(1, 500):
        stage = Workspace(tmp_path / str(at)).stage("train")
        make(stage, OLD)
        code = in_child(partial(make, stage, NEW), kill_at(at))
        with pytest.raises(RuntimeError), stage.write({"config": "3"}):
            raise RuntimeError
        assert whole(stage, OLD) or whole(stage, NEW), f"neither after a kill at {at}"
        if code == 0:
            break
    assert code == 0 and at > 15


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_fails_at_any_point(tmp_path: Path, code: int) -> None:
    """From some operation on all fail: the error is ours, the artifacts are old or new."""
    codes = set()
    for at in range(1, 500):
        stage = Workspace(tmp_path / str(at)).stage("train")
        make(stage, OLD)
        ended = in_child(partial(make, stage, NEW), fail_from(at, code))
        codes.add(ended)
        assert ended in (0, 1), f"not a WorkspaceError at {at}"
        stage.finish_swap()
        assert whole(stage, OLD) or whole(stage, NEW), f"neither after a failure at {at}"
        make(stage, NEW)
        assert whole(stage, NEW)
        if ended == 0:
            break
    assert codes == {0, 1}


def test_a_failing_second_rename_is_undone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def only_the_old(source: Path, target: Path) -> None:
        if Path(source).name.endswith(".partial"):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(source))
        rename(source, target)

    monkeypatch.setattr(os, "rename", only_the_old)
    with pytest.raises(WorkspaceError, match=r"train\.partial: Permission denied"):
        make(stage, NEW)
    assert whole(stage, OLD)
    monkeypatch.undo()
    stage.finish_swap()
    assert whole(stage, NEW), "the work was not lost"


def test_a_full_disk_amid_a_stage(stage: Stage) -> None:
    message = r"model\.pt: No space left on device.*--build-dir"
    with pytest.raises(WorkspaceError, match=message), stage.write(NEW) as folder:
        (folder / "model.pt").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "model.pt"))
    assert whole(stage, OLD) and leftovers(stage) == []


def test_a_file_where_the_build_folder_belongs(tmp_path: Path) -> None:
    (tmp_path / "build").write_text("")
    space = Workspace(tmp_path / "build" / "lenet")
    with pytest.raises(WorkspaceError, match="build"):
        make(space.stage("train"), OLD)
    with pytest.raises(WorkspaceError, match="build"), space.lock():
        pass
    assert space.stage("train").why_stale(OLD) == "not there yet"


def test_an_unreadable_artifact(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "model.pt")

    monkeypatch.setattr(workspace, "sha256_of", unreadable)
    with pytest.raises(WorkspaceError, match=r"model\.pt: Permission denied"):
        stage.why_stale(OLD)
    monkeypatch.setattr(Path, "read_text", unreadable)
    with pytest.raises(WorkspaceError, match="Permission denied"):
        stage.manifest()


# ---- the lock --------------------------------------------------------------------------------


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "build")

    def enter() -> None:
        with space.lock():
            pass

    with space.lock():
        with pytest.raises(WorkspaceError, match=r"another cnnaccel is at work here.*--build-dir"):
            enter()
        assert in_child(enter) == 1
        with Workspace(tmp_path / "other").lock():
            pass
    enter()
    assert in_child(enter) == 0


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "build")

    def enter_and_die() -> None:
        with space.lock():
            os._exit(9)

    assert in_child(enter_and_die) == 9
    with space.lock():
        pass


def test_a_lock_is_released_after_an_error(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "build")
    for _ in range(2):
        with pytest.raises(KeyError), space.lock():
            raise KeyError


# ---- the small ones --------------------------------------------------------------------------


def test_write_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"newer")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_digests(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    path.write_bytes(bytes(3 << 20))
    assert sha256_of(path) != sha256_of(path, path)
    assert sha256_of_value({"a": 1, "b": [2]}) == sha256_of_value({"b": [2], "a": 1})
    assert sha256_of_value({"a": 1}) != sha256_of_value({"a": 2})


# ---- whose folder it is ----------------------------------------------------------------------


def configuration(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def claimed(build: Path, config: Path) -> Path:
    workspace = workspace_of(build, config)
    with workspace.lock():
        return workspace.folder


def test_files_of_one_name_have_folders_of_their_own(tmp_path: Path) -> None:
    first, second, third = (configuration(tmp_path / f"{name}/net.yaml") for name in "abc")
    build = tmp_path / "build"
    folders = [claimed(build, config) for config in (first, second, third)]
    assert folders[0] == build / "net" and len(set(folders)) == 3
    assert all(folder.parent == build and folder.name.startswith("net-") for folder in folders[1:])
    assert [claimed(build, config) for config in (first, second, third)] == folders


def test_looking_claims_nothing(tmp_path: Path) -> None:
    first, second = (configuration(tmp_path / f"{name}/net.yaml") for name in "ab")
    assert workspace_of(tmp_path / "build", first).folder == tmp_path / "build/net"
    assert claimed(tmp_path / "build", second) == tmp_path / "build/net"
    assert not (tmp_path / "build/net-").exists()


def test_a_project_that_is_moved_keeps_its_results(tmp_path: Path) -> None:
    config = configuration(tmp_path / "project/net.yaml")
    claimed(tmp_path / "project/build", config)
    (tmp_path / "project").rename(tmp_path / "elsewhere")
    configuration(tmp_path / "project/net.yaml")
    moved = tmp_path / "elsewhere"
    assert workspace_of(moved / "build", moved / "net.yaml").folder == moved / "build/net"


def test_a_file_that_is_renamed_or_gone_leaves_its_folder(tmp_path: Path) -> None:
    first, second = (configuration(tmp_path / f"{name}/net.yaml") for name in "ab")
    assert claimed(tmp_path / "build", first).name == "net"
    first.unlink()
    assert claimed(tmp_path / "build", second).name == "net"
    assert claimed(tmp_path / "build", configuration(first)).name != "net"


def test_a_copy_under_another_name_belongs_to_that(tmp_path: Path) -> None:
    first, second = (configuration(tmp_path / f"{name}.yaml") for name in "ab")
    shutil.copytree(claimed(tmp_path / "build", first), tmp_path / "build/b")
    assert claimed(tmp_path / "build", second) == tmp_path / "build/b"
    assert claimed(tmp_path / "build", first) == tmp_path / "build/a"


def test_a_folder_of_before_is_taken_over(tmp_path: Path, stage: Stage) -> None:
    config = configuration(tmp_path / "lenet.yaml")
    assert claimed(tmp_path / "build", config) == stage.folder.parent
    assert whole(stage, OLD)
