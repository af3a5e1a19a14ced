"""The report on decided claims: claims.html, claims.md and claims.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claims_page import claims_page
from sweepengine.analysis._claims_tables import decisions_table, verdicts_table
from sweepengine.analysis._markdown import inline, table_lines
from sweepengine.analysis._report import ReportPaths, write_report_file
from sweepengine.analysis._results import strict
from sweepengine.analysis._tables import rules_table

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from sweepengine.analysis._decision import Decision

CLAIMS_SCHEMA: Final = "sweepengine-claims/1"
"""Version of `claims.json`; it changes when a key changes its meaning."""


def write_claims(decisions: Sequence[Decision], directory: str | os.PathLike[str]) -> ReportPaths:
    """Write the report on decided claims.

    Parameters
    ----------
    decisions
        The decided claims.
    directory
        Where to write.

    Returns
    -------
    ReportPaths
        The three files.

    Raises
    ------
    MissingExtraError
        The extra `report` (altair, vl-convert) is not installed; nothing is written.
    ReportWriteError
        The directory or a file cannot be written.
    """
    contents = {
        "claims.html": claims_page(decisions),
        "claims.json": json.dumps(
            strict({"schema": CLAIMS_SCHEMA, "claims": [decision.to_dict() for decision in decisions]}),
            allow_nan=False,
            ensure_ascii=False,
            indent=1,
        )
        + "\n",
        "claims.md": claims_markdown(decisions),
    }
    folder = Path(directory)
    for name, text in contents.items():
        write_report_file(folder / name, text.encode("utf-8"))
    return ReportPaths(*(folder / name for name in contents))


def claims_markdown(decisions: Sequence[Decision]) -> str:
    """Write the tables as GitHub-flavoured Markdown."""
    counts = {name: sum(each.verdict == name for each in decisions) for name in ("holds", "undecided")}
    refuted = sum(each.is_refuted for each in decisions)
    lines = [
        "# Claims",
        "",
        inline(f"{len(decisions)} claims: {counts['holds']} hold, {counts['undecided']} undecided, {refuted} refuted."),
        "",
    ]
    for table in (verdicts_table(decisions), decisions_table(decisions), rules_table()):
        lines += table_lines(table)
    return "\n".join(lines)
