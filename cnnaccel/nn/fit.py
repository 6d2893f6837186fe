"""The match between the tensors of a file and the weights of a model.

A file may name the weights under a prefix, or without one that the model has; it may hold them one
or a few dictionaries down, beside other things. What fits is told by names and shapes, not by what
a dictionary is called. Nothing here knows files; whoever calls adds the path to an error.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from cnnaccel.errors import CheckpointError
from cnnaccel.nn.values import COUNT
from cnnaccel.nn.weights_file import SAVE, Foreign

_DEPTH = 3
_NAMED = 3
_TRAINING = re.compile(
    rf"(^|\.)({COUNT}|n_averaged|_extra_state)$"
    r"|(^|\.)aux\w*\."
    r"|(^|\.)(\w+_)?(loss|criterion)(_\w+)?\.",
    re.IGNORECASE,
)
"""Names of what training alone uses: counts, auxiliary heads, losses."""
_WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""Parts of names that come from DataParallel, torch.compile and the like, anywhere in a model."""
_Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Table:
    """One dictionary of tensors in a file, and the keys that lead to it."""

    place: _Place
    values: dict[str, Any]


@dataclass(frozen=True)
class Fit:
    """A table that may fill a model: the model's names, and the table's names for them."""

    table: Table
    names: dict[str, str]

    @property
    def extra(self) -> list[str]:
        """Tensors of the table that the model does not have."""
        used = set(self.names.values())
        return [k for k, v in self.table.values.items() if is_array(v) and k not in used]

    @property
    def unwanted(self) -> list[str]:
        """The entries of a table of weights that a network may compute with."""
        modules = {".".join(key.split(".")[:-1]) for key in self.names.values()}
        return [
            key
            for key in self.extra
            if not (found := _TRAINING.search(key))
            or any(f"{name}.".startswith(key[: found.end()]) for name in modules)
        ]

    @property
    def prefix(self) -> str:
        """The prefix that the table's names have in front of the model's names, or in place of
        their start."""
        heads = _prefixes(self.names)
        return heads[0][0][0] if heads else ""

    @property
    def title(self) -> str:
        """The place of these weights in the file, for an error."""
        parts = [f"under '{_dotted(self.table.place)}'"] if self.table.place else []
        parts += [f"with prefix '{self.prefix}'"] if self.prefix else []
        return " ".join(parts) or "at the top"


def find_fit(expected: Mapping[str, Tensor], found: Any) -> Fit:
    """The one table in `found` that fills every tensor of `expected`, a model's state_dict.

    Raises:
        CheckpointError: none does, or more than one, or it has more than the model.
    """
    tables = list(_tables(found))
    if not tables:
        raise CheckpointError(_without_tensors(found))
    fits = [fit for table in tables for fit in _fits(expected, table)]
    whole = [fit for fit in fits if not differences(expected, fit)]
    best = [fit for fit in whole if not fit.unwanted] or whole
    if len(best) > 1:
        titles = ", ".join(fit.title for fit in best[:4])
        raise CheckpointError(
            f"holds more than one set of weights that fits: {titles}; save the one that is meant "
            f"alone, as {_save_one(best[0])}"
        )
    if not best:
        nearest = max(fits, key=lambda fit: len(fit.names), default=None)
        nearest = nearest or Fit(max(tables, key=lambda table: len(table.values)), {})
        raise CheckpointError(_another_architecture(expected, nearest))
    if best[0].unwanted:
        raise CheckpointError(_more_than_the_model(best[0]))
    return best[0]


def notes_of(expected: Mapping[str, Tensor], fit: Fit) -> list[str]:
    """Sentences on how names were made to fit, one for each change."""
    notes = [f"weights found under '{_dotted(fit.table.place)}'"] if fit.table.place else []
    for (theirs, ours), count in _prefixes(fit.names):
        keys = f"{count} key{'s' if count > 1 else ''}"
        if not ours:
            notes.append(f"prefix '{theirs}' taken off {keys}")
        elif not theirs:
            notes.append(f"prefix '{ours}' put before {keys}")
        else:
            notes.append(f"prefix '{theirs}' read as '{ours}' in {keys}")
    lacking = [key for key in expected if key not in fit.names]
    counts = [key for key in lacking if key.endswith(COUNT)]
    tied = [key for key in lacking if key not in counts]
    if counts:
        notes.append(f"{len(counts)} {COUNT} missing, which only training uses")
    if tied:
        notes.append(f"{_some(tied)} not in the file: the same tensor as another that is")
    if fit.extra:
        notes.append(f"left out, as training alone uses it: {_some(fit.extra)}")
    return notes


def differences(expected: Mapping[str, Tensor], fit: Fit) -> list[str]:
    """Reasons why a table cannot be loaded, one sentence per key."""
    values = fit.table.values
    ties = _ties(expected)
    missing = [
        f"{key} is missing"
        for key in expected
        if key not in fit.names and not key.endswith(COUNT)
        if not any(other in fit.names for other in ties.get(key, ()))
    ]
    reshaped = [
        f"{key} is {_shape(values[fit.names[key]])}, expected {_shape(value)}"
        for key, value in expected.items()
        if key in fit.names and not _fits_in(values[fit.names[key]], key, value)
    ]
    return missing + reshaped


def shorten(sentences: Sequence[str]) -> str:
    """The first of several sentences, and how many more there are."""
    more = [f"and {len(sentences) - _NAMED} more"] if len(sentences) > _NAMED else []
    return "; ".join([*sentences[:_NAMED], *more])


def tied_pairs(expected: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    """Names of the very same tensor in a model."""
    groups: dict[Any, list[str]] = {}
    for key, value in expected.items():
        if value.numel():
            place = (value.untyped_storage().data_ptr(), value.storage_offset(), value.shape)
            groups.setdefault((*place, value.stride()), []).append(key)
    for group in groups.values():
        yield from ((group[0], other) for other in group[1:])


def is_array(value: Any) -> bool:
    """Whether a value of a file may be a weight."""
    if isinstance(value, Tensor):
        return not value.is_nested
    return isinstance(value, np.ndarray | np.generic)


def _fits_in(value: Any, key: str, wanted: Tensor) -> bool:
    if not is_array(value):
        return False
    alike = tuple(value.shape) == tuple(wanted.shape)
    return alike or (key.endswith(COUNT) and _count(value) == 1)


def _count(value: Any) -> int:
    return int(np.prod(value.shape))


def _shape(value: Any) -> str:
    if isinstance(value, Foreign):
        return f"a {value.origin}"
    return str(list(value.shape)) if is_array(value) else type(value).__name__


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _dotted(place: _Place) -> str:
    return ".".join(map(str, place))


def _tables(found: Any, place: _Place = ()) -> Iterator[Table]:
    """Every dictionary of texts to tensors, from the outermost inward."""
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(found, Mapping):
        inner = [(key, value) for key, value in found.items() if isinstance(key, str)]
        flat = {str(key): value for key, value in inner if not isinstance(value, Mapping)}
        if any(is_array(value) for value in flat.values()):
            yield Table(place, flat)
    elif isinstance(found, list | tuple):
        inner = enumerate(found)
    if len(place) < _DEPTH:
        for key, value in inner:
            yield from _tables(value, (*place, key))


def _fits(wanted: Mapping[str, Tensor], table: Table) -> list[Fit]:
    """Every way to name the table's tensors that covers at least one of the model's.

    First as they are, then without the parts that wrappers put into names; each time under every
    prefix that the first of the model's tensors can be found under.
    """
    fits: list[Fit] = []
    for clean in (str, _unwrapped):
        ours = {clean(key): key for key in wanted}
        theirs = {clean(key): key for key in table.values}
        if len(ours) < len(wanted) or len(theirs) < len(table.values):
            continue  # two names would become one
        for added, prefix in _alignments(list(ours), list(theirs)):
            names = {
                ours[name]: theirs[other]
                for name in ours
                if (other := prefix + name.removeprefix(added)) in theirs
            }
            if not any(fit.names == names for fit in fits):
                fits.append(Fit(table, names))
    return fits


def _alignments(ours: list[str], theirs: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a prefix that all of our names have, and one that theirs have in its place."""
    yield "", ""
    first = next((name for name in ours if not name.endswith(COUNT)), None)
    if first is None:
        return
    parts = first.split(".")
    for depth in range(len(parts)):
        added = "".join(f"{part}." for part in parts[:depth])
        if not all(name.startswith(added) for name in ours):
            return
        tail = first.removeprefix(added)
        for name in theirs:
            if name == tail or name.endswith(f".{tail}"):
                yield added, name[: len(name) - len(tail)]


def _unwrapped(key: str) -> str:
    return ".".join(part for part in key.split(".") if part not in _WRAPPERS)


def _ties(expected: Mapping[str, Tensor]) -> dict[str, set[str]]:
    """Other names of the very same tensor in the model, for each name."""
    ties: dict[str, set[str]] = {}
    for first, other in tied_pairs(expected):
        group = ties.setdefault(first, {first})
        group.add(other)
        ties[other] = group
    return ties


def _prefixes(names: Mapping[str, str]) -> list[tuple[tuple[str, str], int]]:
    """Their prefix and ours in its place, and of how many keys."""
    heads: Counter[tuple[str, str]] = Counter()
    for ours, theirs in names.items():
        if ours != theirs:
            a, b = theirs.split("."), ours.split(".")
            while a and b and a[-1] == b[-1]:
                a, b = a[:-1], b[:-1]
            heads["".join(f"{x}." for x in a), "".join(f"{x}." for x in b)] += 1
    return list(heads.items())


def _another_architecture(wanted: Mapping[str, Tensor], fit: Fit) -> str:
    found = differences(wanted, fit) + [f"{key} is unexpected" for key in fit.unwanted]
    where = f" (weights {fit.title})" if fit.table.place else ""
    return f"of another architecture{where}: {shorten(found)}; {_way_out(fit)}"


def _more_than_the_model(fit: Fit) -> str:
    count = len(fit.unwanted)
    return (
        f"of another architecture: has {count} tensor{'s' if count > 1 else ''} that the model has "
        f"not: {_some(fit.unwanted)}; {_way_out(fit)}; or, where the network does without, leave "
        'out the rest: torch.save({key: weights[key] for key in model.state_dict()}, "weights.pth")'
    )


def _way_out(fit: Fit) -> str:
    if any("zero_point" in key or "_packed_params" in key for key in fit.table.values):
        return "they are of a model that PyTorch quantized; give the float ones from before that"
    return "set model and model_args to what these weights were made with"


def _save_one(fit: Fit) -> str:
    """A line that saves one of several sets of weights."""
    source = 'torch.load("FILE")' + "".join(f"[{_quoted(part)}]" for part in fit.table.place)
    if fit.prefix:
        start = _quoted(fit.prefix)
        source = f"{{k: v for k, v in {source}.items() if k.startswith({start})}}"
    return f'torch.save({source}, "weights.pth")'


def _quoted(part: str | int) -> str:
    return f'"{part}"' if isinstance(part, str) else str(part)


def _without_tensors(found: Any) -> str:
    """Reason why a file in which there is no table of tensors is none of weights."""
    foreign = found if isinstance(found, Foreign) else _first_module(found)
    if isinstance(foreign, Foreign) and foreign.is_module:
        return (
            f"is a whole pickled model ({foreign.origin}), which is not run; save its weights "
            f"where it was made: {SAVE}"
        )
    if isinstance(found, Foreign):
        what = f"one object of class {found.origin}"
    elif isinstance(found, Mapping):
        what = f"{_some([str(key) for key in found]) or 'nothing'}, and no tensors"
    else:
        what = f"one {type(found).__name__}"
    return f"not written by cnnaccel, and no state_dict: holds {what}; {SAVE} writes one"


def _first_module(found: Any) -> Foreign | None:
    if not isinstance(found, Mapping):
        return None
    return next((v for v in found.values() if isinstance(v, Foreign) and v.is_module), None)
