"""The table of the works that a report cites, so that a reader who has only the report can find them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._table import Table
from sweepengine.sources import works_cited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sweepengine.analysis._decision import Decision
    from sweepengine.analysis._results import Summary

_CAPTION: Final = (
    "Sections of theory.md are those of docs/theory.md in the repository of sweepengine, which has the conventions, "
    "every formula and the claims; docs/bibliography.md has these works with links."
)


def sources_table(sources: Iterable[str]) -> Table:
    """One row for each work that the sources name."""
    rows = tuple((work.label, work.reference, work.link or "–") for work in works_cited(sources))
    return Table("sources", "Sources", _CAPTION, ("source", "work", "where to find it"), rows)


def sources_of(summary: Summary) -> Iterator[str]:
    """The sources in the tables of a report on a sweep."""
    yield from (quantity.source for quantity in summary.quantities)
    yield from (claim.source for claim in summary.claims)


def sources_of_claims(decisions: Sequence[Decision]) -> Iterator[str]:
    """The sources in the report on decided claims."""
    for decision in decisions:
        yield decision.claim.source
        for part in decision.parts:
            yield from (row.source for row in part.rows)
            yield from (part.evidence.quantity(row.observable).source for row in part.rows)
