"""Statuses of runs."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """A run's status as it is stored."""

    PENDING = 0
    RUNNING = 1
    DONE = 2
    DIVERGED = 3
    FAILED = 4

    @property
    def label(self) -> str:
        """Lower-case name."""
        return self.name.lower()

    @property
    def is_final(self) -> bool:
        """Whether running the sweep again leaves the run alone; a failed run is tried again."""
        return self in (Status.DONE, Status.DIVERGED)


DAMAGED = "damaged"
"""Label of runs of which nothing is known because their mark is damaged; never stored."""
