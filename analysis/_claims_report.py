"""The report on decided claims: claims.html, claims.md and claims.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._claims_page import claims_page
from sweepengine.analysis._claims_tables import (
    caught_text,
    counts_sentence,
    part_table,
    quantities_table,
    reproduction,
    worst_first,
)
from sweepengine.analysis._levels import LEVEL_RULES
from sweepengine.analysis._markdown import inline, table_lines
from sweepengine.analysis._report import ReportPaths
from sweepengine.analysis._results import strict
from sweepengine.analysis._sources import sources_of_claims, sources_table
from sweepengine.analysis._tables import INTERVALS, rules_table
from sweepengine.analysis._verdict import RULES
from sweepengine.analysis._writing import write_report_file

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from sweepengine.analysis._decision import Decision

CLAIMS_SCHEMA: Final = "sweepengine-claims/2"
"""Version of `claims.json`; it changes when a key changes its meaning."""
COMMAND: Final = "sweepengine claims"


def write_claims(
    decisions: Sequence[Decision], directory: str | os.PathLike[str], *, command: str = COMMAND
) -> ReportPaths:
    """Write the report on decided claims. The same decisions give the same bytes.

    Parameters
    ----------
    decisions
        The decided claims.
    directory
        Where to write; it is made if it is missing.
    command
        The command that decides claims of these sizes in this folder; the report says it with the id of each claim.

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
        "claims.html": claims_page(decisions, command),
        "claims.json": json.dumps(claims_document(decisions, command), allow_nan=False, ensure_ascii=False, indent=1)
        + "\n",
        "claims.md": claims_markdown(decisions, command),
    }
    folder = Path(directory)
    for name, text in contents.items():
        write_report_file(folder / name, text.encode("utf-8"))
    return ReportPaths(*(folder / name for name in contents))


def claims_document(decisions: Sequence[Decision], command: str) -> dict[str, Any]:
    """The content of `claims.json`: strict, unrounded, with null for numbers that do not exist."""
    document: dict[str, Any] = strict(
        {
            "schema": CLAIMS_SCHEMA,
            "command": command,
            "verdict_rules": dict((*RULES, *LEVEL_RULES)),
            "claims": [
                decision.to_dict()
                | {"quantities": [dict(zip(_QUANTITY, row, strict=True)) for row in quantities_table(decision).rows]}
                for decision in decisions
            ],
        }
    )
    return document


_QUANTITY: Final = ("title", "formula", "unit", "source")


def claims_markdown(decisions: Sequence[Decision], command: str) -> str:
    """Write the verdicts, and for each claim its rows and how to reproduce it, as GitHub-flavoured Markdown."""
    lines = ["# Claims", "", inline(counts_sentence(decisions)), ""]
    for verdict, some in worst_first(decisions).items():
        lines += [f"* {verdict}:", *(f"  * {_entry(decision)}" for decision in some)]
    lines += ["", inline(INTERVALS), ""]
    for decision in decisions:
        claim, caught = decision.claim, caught_text(caught=decision.twins_are_caught)
        lines += [f"## {inline(claim.id)}", "", f"**{decision.verdict}**, twin {caught}. {inline(claim.says)}", ""]
        lines += [f"Stated in {inline(claim.source)}.", ""]
        for number, part in enumerate(decision.parts):
            lines += table_lines(part_table(decision, part, number), 3)
        lines += table_lines(quantities_table(decision), 3)
        lines += ["### How to reproduce", ""]
        lines += [f"* {_code(line)} {inline(what)}" for line, what in reproduction(decision, command)]
        lines += [""]
    lines += table_lines(rules_table())
    lines += table_lines(sources_table(sources_of_claims(decisions)))
    return "\n".join(lines)


def _entry(decision: Decision) -> str:
    """A claim as an entry of the contents, with a link to its section."""
    name, caught = inline(decision.claim.id), caught_text(caught=decision.twins_are_caught)
    return f"[{name}](#{decision.claim.id}), twin {caught}: {inline(decision.claim.says)}"


def _code(text: str) -> str:
    """Text as code of one line, behind more backquotes than it has in a row."""
    longest = max(map(len, "".join(c if c == "`" else " " for c in text).split()), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"
