"""Tables that drop columns where there is no room, instead of breaking lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

NOTHING: Final = "-"
_GAP: Final = "  "


class Column(NamedTuple):
    """One column. The higher its `rank`, the sooner it goes where there is no room; 0 stays."""

    title: str
    rank: int = 0
    right: bool = False


class Cell(NamedTuple):
    """What stands in one place, never read as markup, and its style in rich's words."""

    text: str
    style: str = ""


Row = tuple[Cell, ...]


def table(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> list[Text]:
    """Return the titles' line and one for each row, no wider than `width`; none without rows.

    Columns in which no row has anything are left out.
    """
    if not rows:
        return []
    titles = tuple(Cell(column.title, "bold") for column in columns)
    widths = [
        max(cell_len(cell.text) for cell in cells) for cells in zip(titles, *rows, strict=True)
    ]
    kept = [
        index
        for index in range(len(columns))
        if any(row[index].text not in {"", NOTHING} for row in rows)
    ]
    while width is not None and kept and _total(widths, kept) > width:
        last = max(kept, key=lambda index: columns[index].rank)
        if not columns[last].rank:
            break
        kept.remove(last)
    return [
        _line([_padded(row[index], widths[index], columns[index]) for index in kept], width)
        for row in (titles, *rows)
    ]


def _total(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[index] for index in kept) + len(_GAP) * (len(kept) - 1)


def _padded(cell: Cell, width: int, column: Column) -> Text:
    blanks = " " * (width - cell_len(cell.text))
    text = Text(blanks if column.right else "")
    text.append(cell.text, cell.style)
    return text if column.right else text.append(blanks)


def _line(cells: Sequence[Text], width: int | None) -> Text:
    line = Text(_GAP, no_wrap=True).join(cells)
    line.rstrip()
    if width is not None:
        line.truncate(width, overflow="ellipsis")
    return line
