"""Columns of the table of runs."""

from __future__ import annotations

from typing import Any, NamedTuple


class Column(NamedTuple):
    """A column of the table of runs.

    Attributes
    ----------
    dtype : type or str
        NumPy's dtype; ``str`` for text.
    fill
        Value in the rows of runs of other kinds.
    long_name : str
        Description in the store.
    """

    dtype: Any
    fill: Any
    long_name: str
