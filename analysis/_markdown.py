"""The report as Markdown, for papers, pull requests and terminals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sweepengine.analysis._format import printable
from sweepengine.analysis._sources import sources_of, sources_table
from sweepengine.analysis._tables import (
    claims_table,
    counts_table,
    definitions_table,
    fits_table,
    glance_table,
    provenance_table,
    rules_table,
)
from sweepengine.analysis._terminal import counts_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sweepengine.analysis._results import Summary
    from sweepengine.analysis._table import Table


def markdown(summary: Summary, attrs: Mapping[str, Any]) -> str:
    """Write the report's tables, warnings and spec as GitHub-flavoured Markdown; names from data are escaped."""
    lines = [
        f"# {inline(summary.title or 'sweep')}",
        "",
        f"{summary.runs} run{'' if summary.runs == 1 else 's'}: {counts_text(summary.counts)}.",
        "",
    ]
    if summary.warnings:
        lines += ["## Read this first", "", *(f"* {inline(w)}" for w in summary.warnings), ""]
    for table in (
        glance_table(summary),
        claims_table(summary),
        rules_table(),
        fits_table(summary),
        counts_table(summary),
        definitions_table(summary),
        sources_table(sources_of(summary)),
        provenance_table(attrs),
    ):
        lines += table_lines(table)
    spec = str(attrs.get("spec", "")).strip("\n")
    if spec:
        longest = max((len(run) for run in re.findall(r"`+", spec)), default=0)
        fence = "`" * max(3, longest + 1)
        lines += ["## Spec", "", f"{fence}yaml", spec, fence, ""]
    return "\n".join(lines)


def inline(text: str) -> str:
    """Escape text for one line of Markdown, so that neither HTML nor Markdown in a name takes effect."""
    flat = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", flat)


def table_lines(table: Table, level: int = 2) -> list[str]:
    """Write a table as lines of Markdown, below a heading of the given level."""
    rule = "|".join(" ---: " if k in table.numeric else " --- " for k in range(len(table.headers)))
    rows = [f"| {' | '.join(map(inline, row))} |" for row in table.rows]
    head = f"| {' | '.join(map(inline, table.headers))} |"
    caption = [inline(table.caption), ""] if table.caption else []
    return [f"{'#' * level} {inline(table.title)}", "", *caption, head, f"|{rule}|", *rows, ""]
