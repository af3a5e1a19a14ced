"""What workers tell the driver while they work: small plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """Runs that failed for one reason.

    Attributes
    ----------
    runs : int
    named : str
        Which, for people: the id of a run, or a block.
    reason : str
        One line.
    """

    runs: int
    named: str
    reason: str


@dataclass(frozen=True)
class Event:
    """Progress of one pack since its last event.

    Attributes
    ----------
    records : int
        Records measured.
    done, diverged : int
        Runs that ended so.
    failures : tuple of Failure
        Runs that failed.
    message : str
        Something that a person should read; empty mostly.
    advancing : tuple of int or None
        Positions of the runs that are advanced from now on, empty for none; None: as before. Only tasks that name their
        runs say it.
    """

    records: int = 0
    done: int = 0
    diverged: int = 0
    failures: tuple[Failure, ...] = ()
    message: str = ""
    advancing: tuple[int, ...] | None = None

    @property
    def failed(self) -> int:
        """Number of runs that failed."""
        return sum(each.runs for each in self.failures)

    def __add__(self, other: Event) -> Event:
        return Event(
            records=self.records + other.records,
            done=self.done + other.done,
            diverged=self.diverged + other.diverged,
            failures=self.failures + other.failures,
            message="\n".join(filter(None, (self.message, other.message))),
            advancing=self.advancing if other.advancing is None else other.advancing,
        )
