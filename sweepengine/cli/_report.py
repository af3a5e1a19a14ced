"""The command `report`: tables and pictures of one store or of several, for readers and for papers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from sweepengine.cli._sweep import install_plugins
from sweepengine.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence


def report_command(
    stores: Sequence[str],
    output: str | None,
    plugins: list[str],
    *,
    figures: str,
    data: bool,
    tables: bool,
    width: int,
    font: str,
) -> None:
    """Print the summary of stores, write their report, and what a paper takes of it where that is asked for.

    Raises
    ------
    SpecError
        Several stores are named and no folder.
    """
    from sweepengine.analysis import SummaryView, figure_source, write_exports, write_report_of
    from sweepengine.reports import Report, report_folder
    from sweepengine.store import open_sweep, open_theory

    install_plugins(plugins)
    console = Console()
    if len(stores) > 1 and output is None:
        raise SpecError("report: found several stores and no folder; name one by --output DIR")
    folder = Path(output) if output is not None else report_folder(stores[0])
    if len(stores) == 1:
        made = Report(stores[0], folder, anew=True, users_code=bool(plugins))
        console.print(SummaryView(made.text()))
        page = made.write()
        source = made.source
    else:
        source = figure_source(open_sweep(stores), theory=open_theory(stores))
        console.print(SummaryView(source.summary))
        page = write_report_of(source, folder).html
    console.print(f"report: {page}", markup=False, highlight=False, soft_wrap=True)
    if not (figures or data or tables):
        return
    formats = [each for each in figures.replace(" ", "").lower().split(",") if each]
    written = write_exports(source, folder, figures=formats, data=data, tables=tables, width=width, font=font)
    for kind in sorted({path.parent for path in written if path.parent != folder}):
        count = sum(path.parent == kind for path in written)
        console.print(f"{kind.name + ':':<8}{kind} ({count} files)", markup=False, highlight=False, soft_wrap=True)
    for path in (path for path in written if path.parent == folder):
        console.print(f"tables: {path}", markup=False, highlight=False, soft_wrap=True)
