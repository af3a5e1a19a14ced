"""The report on decided claims as one self-contained page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.analysis._claims_tables import decisions_table, verdicts_table
from sweepengine.analysis._markup import asset, table_html
from sweepengine.analysis._tables import rules_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.analysis._decision import Decision


def claims_page(decisions: Sequence[Decision]) -> str:
    """Write the page."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Claims · sweepengine</title>
<style>
{asset("style.css")}</style>
</head>
<body>
<main>
<h1>Claims</h1>
{table_html(verdicts_table(decisions), 1)}
{table_html(decisions_table(decisions), 2)}
{table_html(rules_table())}
</main>
</body>
</html>
"""
