"""What the command ``status`` does: print how far a sweep is, once or again and again."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sweepengine.store import FailedRun, Seen, Survey, Tally

_SHOWN = 5
"""Failures, runs and damages that are named on a screen that is shown again and again."""
_NAMED_RUNS = 3


def status_command(store: str, every: float | None, *, as_json: bool) -> None:
    """Print how far a sweep is: once, or every so many seconds until somebody stops it."""
    console = Console()
    if every is None:
        survey = next(_surveys(store, 0.0))
        if as_json:
            print(json.dumps(survey.to_json(), indent=2))
        else:
            console.print(_view(survey, most=None))
            for line in _wrong(survey, most=None):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
    elif as_json:
        for survey in _surveys(store, every):
            print(json.dumps(survey.to_json()), flush=True)
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
            for survey in _surveys(store, every):
                wrong = (Text(line, overflow="fold") for line in _wrong(survey, _SHOWN))
                live.update(Group(_view(survey, most=_SHOWN), *wrong), refresh=True)
    else:
        for survey in _surveys(store, every):
            console.print(_line(survey), markup=False, highlight=False, soft_wrap=True)


def _surveys(store: str, seconds: float) -> Iterator[Survey]:
    """Surveys of a store, one every so many seconds, and at most half of the time at work."""
    from sweepengine.store import SweepStore, survey

    sweep_store = SweepStore(store)
    sweep_store.must_exist()
    seen: Survey | None = None
    while True:
        begun = time.monotonic()
        seen = survey(sweep_store, seen)
        yield seen
        took = time.monotonic() - begun
        time.sleep(max(seconds - took, took))
        sweep_store.reload()
        sweep_store.must_exist()


def _line(survey: Survey) -> str:
    """A survey in one line, for what is no terminal."""
    at = time.strftime("%H:%M:%S", time.localtime(survey.taken))
    words = [at, f"runs {_runs(survey.total)}", f"records {_records(survey)}", f"workers {len(survey.workers)}"]
    return "  ".join([*words, _driver(survey)])


def _view(survey: Survey, *, most: int | None) -> Group:
    """How far the sweep is and who is at work; of each worker at most so many runs are named."""
    head = Table.grid(padding=(0, 2))
    head.add_column()
    head.add_column(overflow="fold")
    for name, text in (
        ("status of", survey.store),
        ("sweep", f"{survey.name} ({survey.kind})"),
        ("driver", _driver(survey)),
        ("runs", f"{sum(survey.total.counts.values())}: {_runs(survey.total)}"),
        ("records", _records(survey)),
        *(("added", f"{', '.join(names)}: {_runs(tally)}") for names, tally in survey.additions.items()),
    ):
        head.add_row(name, Text(text))
    parts: list[Any] = [head]
    if survey.axes:
        parts += [Text(), _axes(survey)]
    if survey.workers:
        parts += [Text(), _workers(survey, most)]
    return Group(*parts)


def _driver(survey: Survey) -> str:
    if survey.driver is None:
        return "no driver"
    state = "at work" if survey.is_driven else "silent: suspended, lost, or its clock is wrong"
    return f"{state}; {survey.driver.described()}"


def _runs(tally: Tally) -> str:
    from sweepengine.store import LABELS

    return ", ".join(f"{tally.counts[label]} {label}" for label in LABELS if tally.counts[label]) or "none"


def _records(survey: Survey) -> str:
    from sweepengine.amounts import show_seconds

    text = f"{survey.total.records}/{survey.total.of_records}"
    if survey.records_per_second is not None:
        text += f", {survey.records_per_second:.3g} a second"
    if survey.seconds_left is not None:
        text += f", about {show_seconds(survey.seconds_left)} left"
    return text


def _axes(survey: Survey) -> Table:
    """One row for each value of each axis; neighbouring values of which the same is to be said share a row."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("axis", "value", "runs", "records"):
        table.add_column(title, overflow="fold")
    for axis, values in survey.axes.items():
        for index, (named, tally) in enumerate(_joined(values)):
            row = (named, _runs(tally), f"{tally.records}/{tally.of_records}")
            table.add_row(Text("" if index else axis), *map(Text, row))
        table.add_section()
    return table


def _joined(values: Mapping[Any, Tally]) -> list[tuple[str, Tally]]:
    """Values that follow each other with equal tallies, as one: ``0 … 7 (8 values)``, each with this tally."""
    stretches: list[tuple[list[Any], Tally]] = []
    for value, tally in values.items():
        if stretches and stretches[-1][1] == tally:
            stretches[-1][0].append(value)
        else:
            stretches.append(([value], tally))
    return [
        (str(some[0]) if len(some) == 1 else f"{some[0]} … {some[-1]} ({len(some)} values, each)", tally)
        for some, tally in stretches
    ]


def _workers(survey: Survey, most: int | None) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("worker", "advances", "records", "last commit", "heard"):
        table.add_column(title, overflow="fold")
    for beat, runs in survey.workers:
        axes = [", ".join(f"{name} {value}" for name, value in run.axes.items()) for run in runs]
        table.add_row(
            Text(f"{beat.process.pid} on {beat.process.host}"),
            Text("\n".join(_first(axes, most))),
            str(beat.records),
            "none yet" if beat.committed is None else _ago(survey, beat.committed),
            _ago(survey, beat.beat),
        )
    return table


def _ago(survey: Survey, when: float) -> str:
    from sweepengine.amounts import show_seconds

    return f"{show_seconds(max(0.0, survey.taken - when))} ago"


def _wrong(survey: Survey, most: int | None) -> Iterator[str]:
    """Lines on damages, diverged runs and failures."""
    yield from _first([f"damaged: {text}" for text in survey.troubles], most)
    yield from _first([f"diverged: {_named(run)} at step {run.diverged_step}" for run in survey.diverged], most)
    by_reason: dict[str, list[str]] = {}
    for group in survey.failures:
        by_reason.setdefault(group.reason, []).extend(_named(run) for run in group.runs)
    failed = []
    for reason, runs in by_reason.items():
        shown = ", ".join(runs[:_NAMED_RUNS]) + (" …" if len(runs) > _NAMED_RUNS else "")
        failed.append(f"failed: {f'{len(runs)} runs, {shown}' if len(runs) > 1 else shown}: {reason}")
    yield from _first(failed, most)
    if failed:
        yield f"`sweepengine failures {survey.store}` has the tracebacks"


def _named(run: Seen | FailedRun) -> str:
    """A run's id and axes: of scalings the value alone, which speaks for itself."""
    axes = (str(value) if name == "scaling" else f"{name} {value}" for name, value in run.axes.items())
    return f"run {run.id} ({', '.join(axes)})"


def _first(lines: list[str], most: int | None) -> list[str]:
    """Lines, at most so many; the last then says how many more there are."""
    if most is None or len(lines) <= most:
        return lines
    return [*lines[:most], f"… and {len(lines) - most} more, which `status` without --watch names"]
