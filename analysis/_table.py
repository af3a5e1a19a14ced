"""A table of plain text, which HTML, Markdown and LaTeX set each in their way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table of plain text.

    Attributes
    ----------
    key
        Name of the table in links.
    title, caption, headers, rows
        Texts of the table; `rows` holds the cells row by row.
    numeric
        Columns that are set flush right.
    formula
        Columns of our own words, never text from data: x_t and m^p are set as sub- and superscripts, as in captions.
    """

    key: str
    title: str
    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    formula: frozenset[int] = frozenset()
