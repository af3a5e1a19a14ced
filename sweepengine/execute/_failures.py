"""Messages about failed runs: a reason when it first occurs, and at the end how many more runs failed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.execute._events import Failure
    from sweepengine.execute._progress import Progress

_NAMED = 3


class Failures:
    """The failures of one sweep.

    Parameters
    ----------
    progress : Progress
        Shows the messages.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._later: dict[str, list[Failure]] = {}

    def add(self, failures: Sequence[Failure]) -> None:
        """Show the failures whose reason is new; keep the others for :meth:`say_rest`."""
        for failure in failures:
            if failure.reason in self._later:
                self._later[failure.reason].append(failure)
            else:
                self._later[failure.reason] = []
                self._progress.say(f"failed: {failure.named}: {failure.reason}")

    def say_rest(self) -> None:
        """Show, for each reason, how many runs failed after the first."""
        for reason, failures in self._later.items():
            if failures:
                named = ", ".join(failure.named for failure in failures[:_NAMED])
                named += " …" if len(failures) > _NAMED else ""
                runs = sum(failure.runs for failure in failures)
                self._progress.say(f"failed: {runs} runs more ({named}): {reason}")
                failures.clear()
