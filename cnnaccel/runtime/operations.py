"""Operators of torch's ATen in numpy, for the host's part of a network.

Each function takes the arguments of the overload it stands for, in their order, and gives what
torch gives on a CPU, up to the rounding of float32. `OPERATIONS` names them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnaccel.runtime import numeric

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Operation = Callable[..., Any]


# -- shapes and places ----------------------------------------------------------------------------


def _reshape(x: Array, shape: Sequence[int]) -> Array:
    return x.reshape(shape)


def _flatten(x: Array, first: int = 0, last: int = -1) -> Array:
    first, last = first % x.ndim, last % x.ndim
    return x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])


def _permute(x: Array, dims: Sequence[int]) -> Array:
    return x.transpose(dims)


def _squeeze(x: Array, dims: Any = None) -> Array:
    if dims is None:
        return x.squeeze()
    axes = [dim for dim in ([dims] if isinstance(dims, int) else dims) if x.shape[dim] == 1]
    return np.squeeze(x, tuple(axes))


def _expand(x: Array, shape: Sequence[int], implicit: bool = False) -> Array:
    before = len(shape) - x.ndim
    sizes = [x.shape[i - before] if size == -1 else size for i, size in enumerate(shape)]
    return np.broadcast_to(x, sizes)


def _slice(
    x: Array, dim: int = 0, start: int | None = None, stop: int | None = None, step: int = 1
) -> Array:
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, stop, step),)]


def _select(x: Array, dim: int, index: int) -> Array:
    return x[(slice(None),) * (dim % x.ndim) + (index,)]


def _split(x: Array, size: int, dim: int = 0) -> list[Array]:
    return np.split(x, range(size, x.shape[dim], size), axis=dim)


def _split_sizes(x: Array, sizes: Sequence[int], dim: int = 0) -> list[Array]:
    return np.split(x, np.cumsum(sizes)[:-1], axis=dim)


def _chunk(x: Array, chunks: int, dim: int = 0) -> list[Array]:
    return _split(x, -(-x.shape[dim] // chunks), dim)


def _unbind(x: Array, dim: int = 0) -> list[Array]:
    return list(np.moveaxis(x, dim, 0))


def _repeat(x: Array, times: Sequence[int]) -> Array:
    return np.tile(x, times)


def _gather(x: Array, dim: int, index: Array, sparse_grad: bool = False) -> Array:
    return np.take_along_axis(x, index, axis=dim)


def _index_select(x: Array, dim: int, index: Array) -> Array:
    return np.take(x, index, axis=dim)


def _pixel_shuffle(x: Array, factor: int) -> Array:
    *images, channels, rows, columns = x.shape
    parts = x.reshape(*images, channels // factor**2, factor, factor, rows, columns)
    lead = len(images)
    order = [*range(lead), *(lead + i for i in (0, 3, 1, 4, 2))]
    return parts.transpose(order).reshape(*images, -1, rows * factor, columns * factor)


def _nearest(x: Array, size: Any, factors: Any) -> Array:
    """Nearest neighbours of rows and columns, [N, C, H, W]."""
    for axis, (wanted, ratio) in enumerate(_resized(x, size, factors), 2):
        places = np.floor(np.arange(wanted) * np.float32(ratio)).astype(np.int64)
        x = np.take(x, np.minimum(places, x.shape[axis] - 1), axis=axis)
    return x


def _bilinear(x: Array, size: Any, align_corners: bool, factors: Any) -> Array:
    """Linear interpolation between rows and between columns, [N, C, H, W]."""
    for axis, (wanted, ratio) in enumerate(_resized(x, size, factors), 2):
        have = x.shape[axis]
        if align_corners:
            places = np.arange(wanted) * ((have - 1) / max(wanted - 1, 1))
        else:
            places = np.maximum((np.arange(wanted) + 0.5) * ratio - 0.5, 0)
        before = np.minimum(places.astype(np.int64), have - 1)
        share = (places - before).astype(x.dtype).reshape(-1, *[1] * (3 - axis))
        after = np.take(x, np.minimum(before + 1, have - 1), axis=axis)
        x = np.take(x, before, axis=axis) * (1 - share) + after * share
    return x


def _resized(x: Array, size: Any, factors: Any) -> list[tuple[int, float]]:
    """Rows and columns that are wanted, and the step in the input for each."""
    if size is not None:
        return [(int(size[i]), x.shape[2 + i] / int(size[i])) for i in (0, 1)]
    return [(math.floor(x.shape[2 + i] * factors[i]), 1 / factors[i]) for i in (0, 1)]


# -- new arrays -----------------------------------------------------------------------------------


def _full(shape: Sequence[int], value: float, dtype: str | None = None) -> Array:
    return np.full(shape, value, dtype or (np.float32 if isinstance(value, float) else np.int64))


def _filled(value: float) -> Operation:
    def of_shape(shape: Sequence[int], dtype: str | None = None) -> Array:
        return np.full(shape, value, dtype or np.float32)

    return of_shape


def _filled_like(value: float | None) -> Operation:
    def like(x: Array, *values: float, dtype: str | None = None) -> Array:
        return np.full(x.shape, values[0] if value is None else value, dtype or x.dtype)

    return like


def _converted(x: Array, dtype: str | None = None, *_: Any) -> Array:
    return x if dtype is None else x.astype(dtype)


def _compared(operation: Operation) -> Operation:
    return lambda x, other: np.asarray(operation(x, numeric.weak(other, x)))


def _real_of(operation: Operation) -> Operation:
    return lambda x: np.asarray(operation(numeric.real(x)))


def _unchanged(x: Any, *_: Any, **__: Any) -> Any:
    return x


def _each(operation: Operation, *names: str) -> dict[str, Operation]:
    return dict.fromkeys(names, operation)


OPERATIONS: dict[str, Operation] = {
    **{
        name: _real_of(getattr(np, name))
        for name in ("exp", "expm1", "log", "log1p", "log2", "sqrt", "tanh", "sin", "cos")
    },
    **{name: getattr(np, name) for name in ("abs", "floor", "ceil", "sign")},
    "neg": np.negative,
    "round": np.rint,
    "square": np.square,
    "reciprocal": _real_of(np.reciprocal),
    "rsqrt": _real_of(lambda x: 1 / np.sqrt(x)),
    "sigmoid": numeric.sigmoid,
    "log_sigmoid": lambda x: -numeric.softplus(-x),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: numeric.clamp(x, 0, 6),
    "hardtanh": lambda x, low=-1, high=1: numeric.clamp(x, low, high),
    "hardsigmoid": numeric.hardsigmoid,
    "hardswish": lambda x: x * numeric.hardsigmoid(x),
    "silu": lambda x: x * numeric.sigmoid(x),
    "mish": lambda x: x * np.tanh(numeric.softplus(x)),
    "gelu": numeric.gelu,
    "elu": numeric.elu,
    "leaky_relu": numeric.leaky_relu,
    "softplus": numeric.softplus,
    "glu": numeric.glu,
    "prelu": lambda x, slope: np.where(
        x > 0, x, x * (slope if slope.ndim == 0 else slope.reshape(-1, *[1] * (x.ndim - 2)))
    ),
    **_each(numeric.clamp, "clamp", "clamp.Tensor"),
    "clamp_min": lambda x, low: numeric.clamp(x, low),
    "clamp_max": lambda x, high: numeric.clamp(x, None, high),
    **_each(numeric.add, "add.Tensor", "add.Scalar"),
    **_each(numeric.sub, "sub.Tensor", "sub.Scalar"),
    **_each(numeric.rsub, "rsub.Tensor", "rsub.Scalar"),
    **_each(lambda x, other: np.asarray(x * numeric.weak(other, x)), "mul.Tensor", "mul.Scalar"),
    **_each(numeric.div, "div.Tensor", "div.Scalar", "div.Tensor_mode", "div.Scalar_mode"),
    **_each(numeric.pow, "pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar"),
    **_each(_compared(np.maximum), "maximum", "max.other"),
    **_each(_compared(np.minimum), "minimum", "min.other"),
    "atan2": np.arctan2,
    "fmod.Scalar": np.fmod,
    "remainder.Scalar": np.mod,
    **{
        f"{name}.{kind}": _compared(getattr(np, full))
        for name, full in (
            ("eq", "equal"),
            ("ne", "not_equal"),
            ("gt", "greater"),
            ("ge", "greater_equal"),
            ("lt", "less"),
            ("le", "less_equal"),
        )
        for kind in ("Scalar", "Tensor")
    },
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_not": np.logical_not,
    **_each(numeric.where, "where.self", "where.ScalarOther", "where.ScalarSelf"),
    "masked_fill.Scalar": lambda x, mask, value: np.where(mask, numeric.weak(value, x), x),
    **_each(numeric.softmax, "softmax.int", "_softmax"),
    **_each(numeric.log_softmax, "log_softmax.int", "_log_softmax"),
    "logsumexp": numeric.logsumexp,
    "sum": lambda x, dtype=None: numeric.sum(x),
    "sum.dim_IntList": numeric.sum,
    "mean": lambda x, dtype=None: numeric.mean(x),
    "mean.dim": numeric.mean,
    "var.correction": numeric.variance,
    "std.correction": numeric.standard_deviation,
    **_each(numeric.biased(numeric.variance), "var", "var.dim"),
    **_each(numeric.biased(numeric.standard_deviation), "std", "std.dim"),
    "linalg_vector_norm": numeric.norm,
    "norm.ScalarOpt_dim": numeric.norm,
    "amax": numeric.amax,
    "amin": numeric.amin,
    "max": lambda x: np.asarray(x.max()),
    "min": lambda x: np.asarray(x.min()),
    "max.dim": numeric.greatest,
    "min.dim": numeric.least,
    "argmax": numeric.argmax,
    "argmin": numeric.argmin,
    "sort": numeric.sort,
    "sort.stable": lambda x, stable=True, dim=-1, descending=False: numeric.sort(
        x, dim, descending
    ),
    "argsort": lambda x, dim=-1, descending=False: numeric.sort(x, dim, descending)[1],
    "topk": numeric.topk,
    "cumsum": numeric.cumsum,
    "prod.dim_int": lambda x, dim, keepdim=False: x.prod(axis=dim, keepdims=keepdim),
    **_each(_reshape, "view", "_unsafe_view", "reshape"),
    "flatten.using_ints": _flatten,
    "unflatten.int": lambda x, dim, sizes: x.reshape(
        *x.shape[: dim % x.ndim], *sizes, *x.shape[dim % x.ndim + 1 :]
    ),
    "permute": _permute,
    "transpose.int": lambda x, a, b: np.swapaxes(x, a, b),
    "t": lambda x: x.T,
    "movedim.int": np.moveaxis,
    **_each(_squeeze, "squeeze", "squeeze.dim", "squeeze.dims"),
    "unsqueeze": np.expand_dims,
    "expand": _expand,
    "repeat": _repeat,
    "cat": lambda parts, dim=0: np.concatenate(parts, axis=dim),
    "stack": lambda parts, dim=0: np.stack(parts, axis=dim),
    "slice.Tensor": _slice,
    "select.int": _select,
    "narrow": lambda x, dim, start, length: _slice(x, dim, start, start + length),
    "split.Tensor": _split,
    **_each(_split_sizes, "split_with_sizes", "split.sizes"),
    "chunk": _chunk,
    "unbind.int": _unbind,
    "getitem": lambda values, index: values[index],
    "gather": _gather,
    "index_select": _index_select,
    "flip": lambda x, dims: np.flip(x, tuple(dims)),
    "roll": lambda x, shifts, dims=(): np.roll(x, tuple(shifts), tuple(dims) or None),
    "pixel_shuffle": _pixel_shuffle,
    "upsample_nearest2d.vec": _nearest,
    "upsample_bilinear2d.vec": _bilinear,
    "full": _full,
    "zeros": _filled(0),
    "ones": _filled(1),
    "full_like": _filled_like(None),
    "zeros_like": _filled_like(0),
    "ones_like": _filled_like(1),
    **_each(_converted, "_to_copy", "to.dtype"),
    **_each(_unchanged, "clone", "alias", "detach", "contiguous", "dropout", "lift_fresh_copy"),
}
"""The operators of a host tail: overloads of ATen by name, and `getitem` of Python."""
