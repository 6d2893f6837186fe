"""Where pixels of tensors, blocks and flattened results lie in act."""

from __future__ import annotations

from cnnaccel.compiler.lower.place import LONGEST_ROW, Place, merged, one_row

WHOLE = Place(100, 2, 5, 7, False)


def test_all_of_a_tensor() -> None:
    assert (WHOLE.row, WHOLE.plane, WHOLE.size) == (7, 35, 70)
    assert WHOLE.at(0, 0) == 100 and WHOLE.at(2, 3) == 117
    assert WHOLE.part(range(1, 2)) == Place(135, 1, 5, 7, False)


def test_a_block() -> None:
    block = Place(0, 2, 5, 7, False, first_row=1, held_rows=2, first_column=3, held_columns=4)
    assert (block.row, block.plane, block.size) == (4, 8, 16)
    assert block.at(1, 3) == 0 and block.at(2, 5) == 6


def test_images_side_by_side() -> None:
    flat = Place(2, 1, 1, 6, False, step=4)
    assert (flat.row, flat.at(0, 3)) == (24, 14)


def test_rows_as_one_row() -> None:
    assert one_row(range(5), range(7), WHOLE)
    assert not one_row(range(5), range(6), WHOLE), "some of the columns"
    block = Place(0, 2, 5, 7, False, held_columns=8)
    assert not one_row(range(5), range(7), WHOLE, block), "a gap behind each row"
    long = Place(0, 1, 2, 40_000, False)
    assert LONGEST_ROW < 2 * 40_000 and not one_row(range(2), range(40_000), long)
    line = merged(WHOLE, range(1, 4))
    assert (line.base, line.rows, line.columns, line.plane) == (107, 1, 21, 35)
    assert all(line.at(0, 7 * y + x) == WHOLE.at(1 + y, x) for y in range(3) for x in range(7))
    assert merged(WHOLE).columns == 35
