"""Arithmetic of torch's ATen in numpy: element by element, and over dimensions.

Each function takes the arguments of the overload it stands for, in their order, and gives what
torch gives on a CPU, up to the rounding of float32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Operation = Callable[..., Any]


# -- element by element ---------------------------------------------------------------------------


def sigmoid(x: Array) -> Array:
    return like(x, 1 / (1 + np.exp(-x.astype(np.float64))))


def softplus(x: Array, beta: float = 1, threshold: float = 20) -> Array:
    scaled = x.astype(np.float64) * beta
    soft = np.log1p(np.exp(np.minimum(scaled, threshold))) / beta
    return like(x, np.where(scaled > threshold, x, soft))


def clamp(x: Array, low: Any = None, high: Any = None) -> Array:
    if low is not None:
        x = np.maximum(x, weak(low, x))
    return x if high is None else np.minimum(x, weak(high, x))


def elu(x: Array, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Array:
    return like(x, np.where(x > 0, scale * x, scale * alpha * np.expm1(x * input_scale)))


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    return like(x, np.where(x > 0, x, x * slope))


def hardsigmoid(x: Array) -> Array:
    return like(x, np.clip(x + 3, 0, 6) / 6)


def gelu(x: Array, approximate: str = "none") -> Array:
    wide = x.astype(np.float64)
    if approximate == "tanh":
        inner = np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3))
    else:
        inner = np.vectorize(math.erf, otypes=[np.float64])(wide / math.sqrt(2))
    return like(x, wide * (1 + inner) / 2)


def glu(x: Array, dim: int = -1) -> Array:
    first, second = np.split(x, 2, axis=dim)
    return np.asarray(first * sigmoid(second))


def add(x: Any, other: Any, alpha: float = 1) -> Array:
    return np.asarray(x + weak(other, x) * alpha)


def sub(x: Any, other: Any, alpha: float = 1) -> Array:
    return np.asarray(x - weak(other, x) * alpha)


def rsub(x: Any, other: Any, alpha: float = 1) -> Array:
    return np.asarray(weak(other, x) - x * alpha)


def div(x: Any, other: Any, rounding_mode: str | None = None) -> Array:
    other = weak(other, x)
    if rounding_mode == "floor":
        return np.asarray(np.floor_divide(x, other))
    quotient = np.true_divide(real(x), real(other))
    return np.asarray(np.trunc(quotient) if rounding_mode == "trunc" else quotient)


def pow(x: Any, exponent: Any) -> Array:
    if isinstance(exponent, float) and exponent.is_integer():
        exponent = int(exponent)
    return np.asarray(np.power(weak(x, exponent), exponent))


def where(condition: Array, x: Any, other: Any) -> Array:
    return np.where(condition, weak(x, other), weak(other, x))


# -- over some dimensions -------------------------------------------------------------------------


def softmax(x: Array, dim: int, dtype: str | None = None) -> Array:
    powers = np.exp(x - x.max(axis=dim, keepdims=True))
    return np.asarray(powers / powers.sum(axis=dim, keepdims=True))


def logsumexp(x: Array, dims: Any, keepdim: bool = False) -> Array:
    over = axes(dims)
    most = x.max(axis=over, keepdims=True)
    total = np.log(np.exp(x - most).sum(axis=over, keepdims=True)) + most
    return np.asarray(total if keepdim else np.squeeze(total, over))


def log_softmax(x: Array, dim: int, dtype: str | None = None) -> Array:
    return np.asarray(x - logsumexp(x, dim, True))


def sum(x: Array, dims: Any = None, keepdim: bool = False, dtype: str | None = None) -> Array:
    whole = np.int64 if x.dtype.kind in "biu" else x.dtype
    return np.asarray(x.sum(axis=axes(dims), keepdims=keepdim, dtype=whole))


def mean(x: Array, dims: Any = None, keepdim: bool = False, dtype: str | None = None) -> Array:
    return np.asarray(x.mean(axis=axes(dims), keepdims=keepdim))


def variance(
    x: Array, dims: Any = None, correction: float | None = 1, keepdim: bool = False
) -> Array:
    taken = 1 if correction is None else correction
    return np.asarray(x.var(axis=axes(dims), ddof=taken, keepdims=keepdim))


def standard_deviation(
    x: Array, dims: Any = None, correction: float | None = 1, keepdim: bool = False
) -> Array:
    return np.sqrt(variance(x, dims, correction, keepdim))


def biased(operation: Operation) -> Operation:
    """The form of variance and deviation that takes a bool for the correction."""

    def unbiased(x: Array, dims: Any = None, unbiased: Any = True, keepdim: bool = False) -> Array:
        if isinstance(dims, bool):  # the overload over all elements has no dimensions
            dims, unbiased = None, dims
        return np.asarray(operation(x, dims, int(unbiased), keepdim))

    return unbiased


def norm(
    x: Array, order: float = 2, dims: Any = None, keepdim: bool = False, dtype: str | None = None
) -> Array:
    over, size = axes(dims), np.abs(x)
    if order == math.inf:
        return np.asarray(size.max(axis=over, keepdims=keepdim))
    if order == -math.inf:
        return np.asarray(size.min(axis=over, keepdims=keepdim))
    if order == 0:
        return like(x, (x != 0).sum(axis=over, keepdims=keepdim))
    total = (size**order).sum(axis=over, keepdims=keepdim)
    return np.asarray(np.sqrt(total) if order == 2 else total ** (1 / order))


def amax(x: Array, dims: Any = (), keepdim: bool = False) -> Array:
    return np.asarray(x.max(axis=axes(dims), keepdims=keepdim))


def amin(x: Array, dims: Any = (), keepdim: bool = False) -> Array:
    return np.asarray(x.min(axis=axes(dims), keepdims=keepdim))


def greatest(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
    return amax(x, dim, keepdim), argmax(x, dim, keepdim)


def least(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
    return amin(x, dim, keepdim), argmin(x, dim, keepdim)


def argmax(x: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    if dim is None:
        return np.asarray(x.argmax())
    found = x.argmax(axis=dim)
    return np.asarray(np.expand_dims(found, dim) if keepdim else found)


def argmin(x: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    return argmax(-x if x.dtype.kind != "u" else x.max() - x, dim, keepdim)


def sort(x: Array, dim: int = -1, descending: bool = False) -> tuple[Array, Array]:
    """The sorted values and their places; equals stay in their order."""
    order = np.argsort(-x if descending else x, axis=dim, kind="stable")
    return np.take_along_axis(x, order, axis=dim), order


def topk(
    x: Array, k: int, dim: int = -1, largest: bool = True, sorted_: bool = True
) -> tuple[Array, Array]:
    values, order = sort(x, dim, largest)
    some = np.arange(k)
    return np.take(values, some, axis=dim), np.take(order, some, axis=dim)


def cumsum(x: Array, dim: int, dtype: str | None = None) -> Array:
    return np.asarray(x.cumsum(axis=dim, dtype=np.int64 if x.dtype.kind in "biu" else x.dtype))


# -- types ----------------------------------------------------------------------------------------


def like(x: Array, values: Any) -> Array:
    """Values in the type of x where that is real, else in float32."""
    return np.asarray(values, real(x).dtype)


def real(x: Any) -> Any:
    return x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype.kind in "biu" else x


def weak(value: Any, other: Any) -> Any:
    """A number in the type of the array beside it, as torch counts: no number makes it wider."""
    if isinstance(value, (np.ndarray, np.generic)) and value.ndim:
        return value
    if not isinstance(other, (np.ndarray, np.generic)):
        return value
    real = isinstance(value, float) or getattr(value, "dtype", np.dtype(bool)).kind == "f"
    return np.asarray(value, np.float32 if real and other.dtype.kind != "f" else other.dtype)


def axes(dims: Any) -> Any:
    if dims is None or (isinstance(dims, (list, tuple)) and not dims):
        return None
    return tuple(dims) if isinstance(dims, (list, tuple)) else dims
