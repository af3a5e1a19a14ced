"""Progress that people can read: bars on a terminal, one line for each event elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

    from sweepengine.execute._events import Event

_LINE_SECONDS = 10.0


class Progress(Protocol):
    """Shows how a sweep goes."""

    def start(self, runs: int, records: int, packs: int, seconds: float) -> None:
        """Begin to show a sweep with so much to do, in estimated seconds: the first one, or one after :meth:`stop`."""

    def update(self, event: Event) -> None:
        """Add the progress that an event tells."""

    def pack_finished(self) -> None:
        """Count a pack as finished."""

    def say(self, message: str) -> None:
        """Show a message."""

    def stop(self) -> None:
        """End the display."""


class SilentProgress:
    """Shows nothing: the default from Python."""

    def start(self, runs: int, records: int, packs: int, seconds: float) -> None:
        """Say nothing."""

    def update(self, event: Event) -> None:
        """Say nothing."""

    def pack_finished(self) -> None:
        """Say nothing."""

    def say(self, message: str) -> None:
        """Say nothing."""

    def stop(self) -> None:
        """Say nothing."""


class _Counts:
    """What is done of a sweep, and how long the rest will take.

    Records of large and of small networks differ in their work, so the time left is that of the estimated seconds of
    the plan, at the pace of the work since the first event: until that, workers start.
    """

    def __init__(self, runs: int, records: int, packs: int, seconds: float) -> None:
        self.runs, self.records, self.packs, self.seconds = runs, records, packs, seconds
        self.ended = self.recorded = self.packs_finished = self.failed = self.diverged = 0
        self.worked = 0.0
        self.started = time.monotonic()
        self._first: tuple[float, float] | None = None

    def add(self, event: Event) -> None:
        self.worked += event.seconds
        if self._first is None and event.records:
            self._first = (time.monotonic(), self.worked)
        self.ended += event.done + event.diverged + event.failed
        self.recorded += event.records
        self.failed += event.failed
        self.diverged += event.diverged

    def rate(self) -> float:
        return self.recorded / max(1e-9, time.monotonic() - self.started)

    def seconds_left(self) -> float | None:
        """Seconds that the rest will take; None while the pace is not known."""
        if self._first is None or self.worked <= self._first[1]:
            return None
        when, before = self._first
        return max(0.0, self.seconds - self.worked) * (time.monotonic() - when) / (self.worked - before)

    def line(self) -> str:
        # Runs that a worker had ended and not committed when it died are computed, and counted, again: hence the min.
        text = f"runs {min(self.ended, self.runs)}/{self.runs}  packs {self.packs_finished}/{self.packs}"
        text += f"  {self.rate():.0f} records/s"
        left = self.seconds_left()
        if left is not None:
            text += f"  about {left:.0f} s left"
        if self.diverged:
            text += f"  diverged {self.diverged}"
        return text + (f"  failed {self.failed}" if self.failed else "")


class ToldProgress:
    """Shows progress as another does, and tells it to those who watch the store.

    Parameters
    ----------
    shown : Progress
    tell : callable
        Takes plain values: ``records``, ``records_to_do``, ``records_per_second`` and ``seconds_left`` of this call.
    """

    def __init__(self, shown: Progress, tell: Callable[[Mapping[str, float | None]], None]) -> None:
        self._shown, self._tell = shown, tell
        self._counts = _Counts(0, 0, 0, 0.0)

    def start(self, runs: int, records: int, packs: int, seconds: float) -> None:
        """Begin to count."""
        self._counts = _Counts(runs, records, packs, seconds)
        self._shown.start(runs, records, packs, seconds)

    def update(self, event: Event) -> None:
        """Count, and tell."""
        self._counts.add(event)
        self._tell(
            {
                "records": self._counts.recorded,
                "records_to_do": self._counts.records,
                "records_per_second": self._counts.rate(),
                "seconds_left": self._counts.seconds_left(),
            }
        )
        self._shown.update(event)

    def pack_finished(self) -> None:
        """Show that a pack has finished."""
        self._shown.pack_finished()

    def say(self, message: str) -> None:
        """Show a message."""
        self._shown.say(message)

    def stop(self) -> None:
        """End the display."""
        self._shown.stop()


class LineProgress:
    """Prints one line for each message and for each pack that ends, and one with the counts every ten seconds.

    Parameters
    ----------
    console : Console
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts = _Counts(0, 0, 0, 0.0)
        self._last = 0.0

    def start(self, runs: int, records: int, packs: int, seconds: float) -> None:
        """Print what there is to do."""
        self._counts = _Counts(runs, records, packs, seconds)
        self._last = time.monotonic()
        self.say(f"to do: {runs} runs, {records} records, {packs} packs")

    def update(self, event: Event) -> None:
        """Add to the counts; print them every ten seconds."""
        self._counts.add(event)
        if time.monotonic() - self._last >= _LINE_SECONDS:
            self._line()

    def pack_finished(self) -> None:
        """Print the counts."""
        self._counts.packs_finished += 1
        self._line()

    def _line(self) -> None:
        self._last = time.monotonic()
        self.say(self._counts.line())

    def say(self, message: str) -> None:
        """Print a line."""
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> None:
        """Do nothing: no line is left open."""


class BarProgress:
    """Shows a live bar with runs, packs, rate, time left and failures.

    Parameters
    ----------
    console : Console
    """

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), console=console
        )
        self._counts = _Counts(0, 0, 0, 0.0)
        self._task = self._bars.add_task("planning", total=None)
        self._bars.start()

    def start(self, runs: int, records: int, packs: int, seconds: float) -> None:
        """Set the bar's length; a bar that has stopped goes on, as the next sweep of a refinement has it."""
        self._counts = _Counts(runs, records, packs, seconds)
        self._bars.reset(self._task, total=records, description=self._counts.line())
        self._bars.start()

    def update(self, event: Event) -> None:
        """Move the bar."""
        self._counts.add(event)
        self._bars.update(self._task, completed=self._counts.recorded, description=self._counts.line())

    def pack_finished(self) -> None:
        """Move the count of packs."""
        self._counts.packs_finished += 1
        self._bars.update(self._task, description=self._counts.line())

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        self._bars.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> None:
        """Leave the bar as it is."""
        self._bars.stop()


def progress_for(console: Console) -> Progress:
    """Return a live bar for a terminal, lines for anything else."""
    return BarProgress(console) if console.is_terminal else LineProgress(console)
