"""What the command ``claims`` does: decide claims, print a table, write the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from sweepengine.analysis import Decision
    from sweepengine.claims import Size
    from sweepengine.execute import Progress

_STYLES = {"holds": "green", "violated": "bold red", "differs": "bold yellow", "undecided": "dim", "caught": "green"}
_PLAIN = "none"
_TABLE_WIDTH = 130
"""Columns from which a terminal shows the table."""


def list_command(ids: list[str]) -> None:
    """Print what each claim says, where the notes say it, and which jobs measure it."""
    from sweepengine.claims import chosen_claims, jobs_of

    table = Table(show_lines=True)
    for name in ("id", "statement", "source", "jobs"):
        table.add_column(name, overflow="fold")
    for claim in chosen_claims(ids):
        table.add_row(*(Text(text) for text in (claim.id, claim.says, claim.source, ", ".join(jobs_of([claim])))))
    Console().print(table)


def cost_command(ids: list[str], size: Size, store_dir: str) -> None:
    """Print one line of cost for each job."""
    from sweepengine.claims import costs

    console = Console()
    for job, line in costs(ids, size=size, store_dir=store_dir):
        console.print(f"{job}: {line}", markup=False, highlight=False, soft_wrap=True)


def claims_command(ids: list[str], size: Size, store_dir: str, options: dict[str, Any]) -> int:
    """Decide claims; the exit code is 1 if a claim is refuted or a negative twin is not caught."""
    from sweepengine.analysis import write_claims
    from sweepengine.claims import decide_claims
    from sweepengine.execute import progress_for

    console, errors = Console(), Console(stderr=True)

    def progress(job: str) -> Progress:
        errors.print(f"job: {job}", markup=False, highlight=False, soft_wrap=True)
        return progress_for(errors)

    decisions = list(decide_claims(ids, size=size, store_dir=store_dir, progress=progress, **options))
    _print_decisions(console, decisions)
    paths = write_claims(decisions, f"{store_dir.rstrip('/')}/{size}" if "://" not in store_dir else "results/claims")
    console.print(f"report: {paths.html}", markup=False, highlight=False, soft_wrap=True)
    for decision in decisions:
        if not decision.twins_are_caught:
            errors.print(f"error: {decision.claim.id}: a negative twin was not caught", markup=False, highlight=False)
        elif decision.is_refuted:
            errors.print(f"error: {decision.claim.id}: {decision.verdict}", markup=False, highlight=False)
    return int(any(decision.is_refuted for decision in decisions))


def _print_decisions(console: Console, decisions: list[Decision]) -> None:
    """Print one table; on a narrow terminal, where its columns would be a few letters wide, one block for each row."""
    from sweepengine.analysis import decisions_table

    content = decisions_table(decisions)
    if console.width >= _TABLE_WIDTH:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in content.headers[:-1]:
            whole = name in {"id", "expected", "verdict", "seconds"}
            table.add_column(name, overflow="fold", no_wrap=whole, justify="right" if name == "seconds" else "left")
        before = ""
        for row in content.rows:
            if row[0] != before and before:
                table.add_section()
            cells = ["" if row[0] == before else row[0], *row[1:-1]]
            before = row[0]
            table.add_row(*(Text(cell, style=_STYLES.get(cell, _PLAIN)) for cell in cells))
        console.print(table)
        return
    before = ""
    for name, source, what, expected, measured, verdict, seconds, _ in content.rows:
        if name != before:
            console.print(Text(f"\n{name} ({seconds} s)" if seconds else f"\n{name}", style="bold"))
            before = name
        console.print(Text(f"  {source}: {what}"), soft_wrap=False)
        line = Text(f"    expected {expected}, measured {measured}: ")
        console.print(line.append(verdict, style=_STYLES.get(verdict, _PLAIN)))
