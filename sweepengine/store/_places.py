"""Where runs lie that a task reads: those to which it adds, and those from whose end it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweepengine.store._layout import BlockShape


@dataclass(frozen=True)
class RunPlace:
    """Where a run lies.

    Attributes
    ----------
    block : str
        Id of its block.
    shape : BlockShape
        Shape of the block.
    position : int
        Its position in the block.
    """

    block: str
    shape: BlockShape
    position: int


@dataclass(frozen=True)
class Start:
    """From where a run goes on, in place of t = 0.

    Attributes
    ----------
    place : RunPlace
        Where the run lies that it is at an earlier time, and whose last state was kept.
    records : int
        Number of records of that run, which the longer run begins with.
    """

    place: RunPlace
    records: int
