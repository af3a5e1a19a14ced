"""What the command ``claims`` does: decide claims, print a table, write the report."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from sweepengine.claims import Size
    from sweepengine.execute import Progress

_PIPE_WIDTH = 180
"""Columns of what is no terminal and says no number: one line for each row, for people who search it."""


def list_command(ids: list[str]) -> None:
    """Print what each claim says, where the notes say it, and which jobs measure it."""
    from sweepengine.analysis import StatementsView
    from sweepengine.claims import chosen_claims

    _console().print(StatementsView(chosen_claims(ids)))


def cost_command(ids: list[str], size: Size, store_dir: str) -> None:
    """Print one line of cost for each job."""
    from sweepengine.claims import costs

    console = Console()
    for job, line in costs(ids, size=size, store_dir=store_dir):
        console.print(f"{job}: {line}", markup=False, highlight=False, soft_wrap=True)


def claims_command(ids: list[str], size: Size, store_dir: str, options: dict[str, Any]) -> int:
    """Decide claims; the exit code is 1 if a claim is refuted, a twin is not caught, or there is no report."""
    from sweepengine.analysis import DecisionsView, write_claims
    from sweepengine.claims import decide_claims, report_folder
    from sweepengine.errors import SweepError
    from sweepengine.execute import progress_for

    console, errors = _console(), Console(stderr=True)

    def progress(job: str) -> Progress:
        errors.print(f"job: {job}", markup=False, highlight=False, soft_wrap=True)
        return progress_for(errors)

    decisions = list(decide_claims(ids, size=size, store_dir=store_dir, progress=progress, **options))
    console.print(DecisionsView(decisions))
    wrong = [
        f"{each.claim.id}: {each.verdict if each.twins_are_caught else 'a negative twin was not caught'}"
        for each in decisions
        if each.is_refuted
    ]
    try:
        paths = write_claims(decisions, report_folder(size, store_dir), command=_command(size, store_dir))
        console.print(f"report: {paths.html}", markup=False, highlight=False, soft_wrap=True)
    except SweepError as error:  # what was decided is in the stores
        wrong.append(f"no report: {error}")
    for line in wrong:
        errors.print(f"error: {line}", markup=False, highlight=False, soft_wrap=True)
    return int(bool(wrong))


def _command(size: Size, store_dir: str) -> str:
    """The command that decides claims of these sizes in this folder."""
    from sweepengine.claims import STORE_DIR

    folder = [] if store_dir == STORE_DIR else ["--store-dir", store_dir]
    return shlex.join(["sweepengine", "claims", *(["--full"] if size == "full" else []), *folder])


def _console() -> Console:
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=_PIPE_WIDTH)
