"""The styles of memory that tests of the whole engine run over."""

from __future__ import annotations

from functools import reduce
from itertools import product
from operator import or_

from cnnaccel.runtime.simulator import Style

ORDERS = (
    Style.PLAIN,
    Style.WITH_DATA,
    Style.AFTER_WORD,
    Style.AFTER_BURST,
    Style.ADDRESS_FIRST,
)
"""When an address of a write is taken, and when its words."""
TRAITS = (Style.ONE_AT_A_TIME, Style.GAPS, Style.LATE, Style.JUNK)
"""What goes with any order, and with one another."""
SINGLE = (*ORDERS, *TRAITS)
EVERY = tuple(
    reduce(or_, chosen, order)
    for order in ORDERS
    for chosen in product(*((Style.PLAIN, trait) for trait in TRAITS))
)
"""All combinations, 80."""


def mixed(number: int, stall: int = 0) -> Style:
    """Any combination; 80 numbers in a row have all of them, neighbours little in common.

    stall: permille of the handshakes; where it is high, what takes long is left out.
    """
    style = EVERY[37 * number % len(EVERY)]
    return style & ~(Style.ONE_AT_A_TIME | Style.GAPS | Style.LATE) if stall > 500 else style
