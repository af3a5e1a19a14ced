"""Failures as people read them: each reason once when it first comes, and how many runs it had at the end."""

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
        Where they are said.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._later: dict[str, list[Failure]] = {}

    def add(self, failures: Sequence[Failure]) -> None:
        """Say those whose reason is new; keep the others."""
        for failure in failures:
            if failure.reason in self._later:
                self._later[failure.reason].append(failure)
            else:
                self._later[failure.reason] = []
                self._progress.say(f"failed: {failure.named}: {failure.reason}")

    def say_rest(self) -> None:
        """Say what came after the first of each reason."""
        for reason, failures in self._later.items():
            if failures:
                named = ", ".join(each.named for each in failures[:_NAMED]) + (" …" if len(failures) > _NAMED else "")
                self._progress.say(f"failed: {sum(each.runs for each in failures)} runs more ({named}): {reason}")
                failures.clear()
