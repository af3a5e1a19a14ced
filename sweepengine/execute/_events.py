"""Events: the small plain values that workers send to the driver while they work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """Runs that failed for one reason.

    Attributes
    ----------
    runs : int
        Number of runs.
    named : str
        The runs as a message names them: the id of a run, or a block.
    reason : str
        Why they failed, in one line.
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
        Runs that have ended as done or as diverged.
    failures : tuple of Failure
        Runs that failed.
    message : str
        A message to the user; empty in most events.
    advancing : tuple of int or None
        Positions in the block of the runs that are advanced from now on, empty if no run is; None if nothing has
        changed. Only tasks that name their runs set it.
    seconds : float
        Estimated seconds of the work that the records stand for; the driver sets it.
    leaving : bool
        Whether the worker was asked to end, has committed and leaves: what follows is no fault of a run.
    committing : bool
        Whether the task computes nothing before the last commit of a chunk is in the store, which goes on meanwhile.
    """

    records: int = 0
    done: int = 0
    diverged: int = 0
    failures: tuple[Failure, ...] = ()
    message: str = ""
    advancing: tuple[int, ...] | None = None
    seconds: float = 0.0
    leaving: bool = False
    committing: bool = False

    @property
    def failed(self) -> int:
        """Number of runs that failed."""
        return sum(failure.runs for failure in self.failures)

    def __add__(self, other: Event) -> Event:
        return Event(
            records=self.records + other.records,
            done=self.done + other.done,
            diverged=self.diverged + other.diverged,
            failures=self.failures + other.failures,
            message="\n".join(filter(None, (self.message, other.message))),
            advancing=self.advancing if other.advancing is None else other.advancing,
            seconds=self.seconds + other.seconds,
            leaving=self.leaving or other.leaving,
            committing=self.committing or other.committing,
        )
