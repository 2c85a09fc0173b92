from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from extproc.cli.watching.table import Cell, Column, Row, table

COLUMNS = (
    Column("name"),
    Column("count", 1, right=True),
    Column("mean", 3, right=True),
    Column("note", 2),
)


def row(*texts: str) -> Row:
    return tuple(map(Cell, texts))


ROWS = [row("a", "1", "0.5", "short"), row("longer", "100", "-", "")]


def shown(rows: list[Row], width: int | None) -> list[str]:
    return [line.plain for line in table(COLUMNS, rows, width)]


def test_cells_stand_below_their_titles() -> None:
    assert shown(ROWS, None) == [
        "name    count  mean  note",
        "a           1   0.5  short",
        "longer    100     -",
    ]


def test_columns_with_the_highest_rank_go_first() -> None:
    assert shown(ROWS, 26)[0] == "name    count  mean  note"
    assert shown(ROWS, 25)[0] == "name    count  note"
    assert shown(ROWS, 19)[0] == "name    count"
    assert shown(ROWS, 12)[0] == "name"
    assert shown(ROWS, 4) == ["name", "a", "lon…"]


def test_columns_without_anything_are_left_out() -> None:
    assert shown([row("a", "-", "", "-")], None) == ["name", "a"]


def test_nothing_without_rows() -> None:
    assert shown([], 80) == []


def test_wide_characters_and_markup_are_texts() -> None:
    lines = shown([row("日本", "1", "2", "[red]x[/red]"), row("a", "1", "2", "y")], None)
    assert lines[1:] == ["日本      1     2  [red]x[/red]", "a         1     2  y"]


def test_styles_are_of_their_cell() -> None:
    _, line = table(COLUMNS[:2], [(Cell("a", "cyan"), Cell("1", "red"))], None)
    spans = [(line.plain[span.start : span.end].strip(), span.style) for span in line.spans]
    assert spans == [("a", "cyan"), ("1", "red")]


@given(
    st.lists(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_categories=["C"]))] * 4)),
    st.integers(1, 60),
)
def test_no_line_is_wider_than_asked(texts: list[tuple[str, ...]], width: int) -> None:
    rows = [tuple(map(Cell, each)) for each in texts]
    assert all(cell_len(line.plain) <= width for line in table(COLUMNS, rows, width))
