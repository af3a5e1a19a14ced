"""The report on decided claims as one self-contained page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.analysis._claims_tables import decisions_table, verdicts_table
from sweepengine.analysis._markup import document, table_html
from sweepengine.analysis._tables import rules_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.analysis._decision import Decision


def claims_page(decisions: Sequence[Decision]) -> str:
    """Write the page."""
    tables = (
        table_html(verdicts_table(decisions), 1),
        table_html(decisions_table(decisions), 2),
        table_html(rules_table()),
    )
    return document("Claims · sweepengine", "\n".join(("<h1>Claims</h1>", *tables)))
