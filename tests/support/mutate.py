"""Another text in place of one that a source has once, however the formatter has spaced it."""

from __future__ import annotations

import re
from itertools import pairwise


def instead(text: str, old: str, new: str) -> str:
    """`text` with `new` where `old` stands; spaces and line ends between tokens do not matter.

    Raises:
        AssertionError: `old` is not there, or more than once.
    """
    words = re.findall(r"\w+|\S", old)
    pattern = re.escape(words[0])
    for before, word in pairwise(words):
        apart = before[-1:].isidentifier() and word[:1].isidentifier()
        pattern += (r"\s+" if apart else r"\s*") + re.escape(word)
    changed, count = re.subn(pattern, lambda _: new, text)
    assert count == 1, f"{count} times there: {old}"
    return changed
