"""Figures of merit: what each is called, how it is written, which of two is better.

Knows numbers and texts, nothing of how a figure is measured.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ACCURACY = "accuracy"
"""Name of the figure of classifiers, whose texts say it without its name."""


Form = Literal["share", "number", "cosine"]
_FORMS: dict[Form, str] = {"share": ".2%", "number": ".5g", "cosine": ".5f"}


@dataclass(frozen=True)
class Figure:
    """One figure of a network on some images."""

    name: str
    value: float
    form: Form = "number"
    """How it is written: a share of 1 in percent, a cosine, which is of int8 with float, by
    itself."""
    higher: bool = True
    """Whether more is better."""

    @property
    def key(self) -> str:
        """The name as a key of a file, as `mean_iou`."""
        return re.sub(r"\W+", "_", self.name.lower()).strip("_")

    def write(self, value: float) -> str:
        """A value of this figure as text."""
        return f"{value:{_FORMS[self.form]}}"

    @property
    def text(self) -> str:
        """Its value, with the name where it is not the accuracy: `mean IoU 81.20%`."""
        return self.called(self.write(self.value))

    def called(self, words: str) -> str:
        """Words behind the name of the figure; the accuracy goes without a name."""
        return words if self.name == ACCURACY else f"{self.name} {words}"

    def better_than(self, value: float) -> bool:
        """Whether this figure is better than another value of it."""
        return self.value > value if self.higher else self.value < value


@dataclass(frozen=True)
class Compared:
    """A figure of the int8 network, and its value for the float one."""

    int8: Figure
    exact: float | None
    """None where the float network is not at hand."""

    @property
    def points(self) -> float:
        """What int8 gains over float: points of a share, else percent of the float figure.

        Negative where int8 is worse, whichever of more and less is better; 0 without float.
        """
        if self.exact is None:
            return 0.0
        gain = self.int8.value - self.exact if self.int8.higher else self.exact - self.int8.value
        if self.int8.form == "share" or not gain:
            return 100 * gain
        return 100 * gain / abs(self.exact) if self.exact else math.copysign(math.inf, gain)

    @property
    def unit(self) -> str:
        """The unit of `points`."""
        return "points" if self.int8.form == "share" else "% of it"

    @property
    def text(self) -> str:
        """Both in a line, as `mean IoU: int8 81.20%, float 81.50% (-0.30 points)`."""
        if self.int8.form == "cosine":
            return f"{self.int8.name}: {self.int8_text}"
        if self.exact is None:
            return f"{self.int8.name}: int8 {self.int8_text}"
        return (
            f"{self.int8.name}: int8 {self.int8_text}, float {self.exact_text} "
            f"({self.points:+.2f} {self.unit})"
        )

    @property
    def exact_text(self) -> str:
        """The value for the float network as text."""
        return "" if self.exact is None else self.int8.write(self.exact)

    @property
    def int8_text(self) -> str:
        """The value for the int8 network as text."""
        return self.int8.write(self.int8.value)


def stored(figure: Figure) -> dict[str, Any]:
    """A figure as entries of a stage's results; the accuracy is a number of its own there."""
    if figure.name == ACCURACY:
        return {ACCURACY: figure.value}
    return {"figure": dataclasses.asdict(figure)}


def figure_of(results: Mapping[str, Any], accuracy: str = ACCURACY) -> Figure | None:
    """The figure that `stored` made entries of; None where there is none.

    Raises:
        KeyError, TypeError, ValueError: it is none of its.
    """
    if accuracy in results:
        return Figure(ACCURACY, float(results[accuracy]), "share")
    return figure_from_json(results["figure"]) if "figure" in results else None


def figure_from_json(document: Mapping[str, Any]) -> Figure:
    """The figure that `dataclasses.asdict` made a mapping of.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    form: Form = document["form"]
    if form not in _FORMS:
        raise ValueError(f"a figure of form {form!r}")
    value, higher = float(document["value"]), bool(document["higher"])
    return Figure(str(document["name"]), value, form, higher)


def compared_from_json(document: Mapping[str, Any]) -> Compared:
    """The figure that `dataclasses.asdict` made a mapping of.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    exact = document["exact"]
    return Compared(figure_from_json(document["int8"]), None if exact is None else float(exact))
