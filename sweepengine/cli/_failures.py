"""What the command ``failures`` does: print what failed, with tracebacks and environments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from sweepengine.store import FailureGroup


def failures_command(store: str, *, as_json: bool) -> None:
    """Print the failed runs of a store, those of one traceback together."""
    from sweepengine.store import SweepStore, failed_runs, grouped

    sweep_store = SweepStore(store)
    sweep_store.must_exist()
    groups = grouped(failed_runs(sweep_store))
    if as_json:
        print(json.dumps({"store": sweep_store.address, "failures": [each.to_json() for each in groups]}, indent=2))
        return
    console = Console()
    for line in _lines(groups):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not groups:
        console.print(f"{sweep_store.address}: no run has failed", markup=False, highlight=False, soft_wrap=True)


def _lines(groups: list[FailureGroup]) -> list[str]:
    lines: list[str] = []
    for group in groups:
        lines.append(f"{len(group.runs)} {'run' if len(group.runs) == 1 else 'runs'} failed: {group.reason}")
        for run in group.runs:
            axes = ", ".join(f"{name} {value}" for name, value in run.axes.items())
            lines.append(f"  run {run.id} ({axes})")
        lines += [f"  {_environment(each)}" for each in group.environments()]
        lines += ["", group.traceback.rstrip() or "no traceback was kept", ""]
    return lines[:-1]


def _environment(environment: dict[str, Any]) -> str:
    """Where a failure was recorded, in one line."""
    process, versions = environment["process"], environment["versions"]
    named = ", ".join(f"{package} {version}" for package, version in versions.items())
    return (
        f"{environment['date']}, process {process['pid']} on {process['host']} ({environment['machine']}), "
        f"Python {environment['python']}, {named}"
    )
