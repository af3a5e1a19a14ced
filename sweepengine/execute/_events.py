"""What workers tell the driver while they work: small plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Progress of one pack since its last event.

    Attributes
    ----------
    records : int
        Records measured.
    done, diverged, failed : int
        Runs that ended so.
    message : str
        Something that a person should read; empty mostly.
    """

    records: int = 0
    done: int = 0
    diverged: int = 0
    failed: int = 0
    message: str = ""

    def __add__(self, other: Event) -> Event:
        return Event(
            records=self.records + other.records,
            done=self.done + other.done,
            diverged=self.diverged + other.diverged,
            failed=self.failed + other.failed,
            message="\n".join(filter(None, (self.message, other.message))),
        )
