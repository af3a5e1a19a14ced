"""What a figure of the report is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of a figure: its heading (empty if the figure has one panel), alternative text and Vega-Lite spec."""

    heading: str
    alt: str
    spec: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """A numbered figure: a title, a caption and its panels."""

    key: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
