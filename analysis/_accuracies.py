"""The figure of test accuracy against width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.analysis._charts import accuracy_chart
from sweepengine.analysis._figure import Figure, Panel
from sweepengine.analysis._series import accuracy_rows
from sweepengine.analysis._terminal import level_text

if TYPE_CHECKING:
    from sweepengine.analysis._figure import FigureSource


def accuracy_figures(source: FigureSource) -> tuple[Figure, ...]:
    """Draw final test accuracy against width; nothing where no run has one."""
    summary = source.summary
    seeds, means = accuracy_rows(summary, source.tables)
    if not seeds:
        return ()
    ends = [f"{g.label}: {level_text(g)} at width {g.level.width}" for g in summary.groups if g.level]
    alt = f"Final test accuracy against width. {'; '.join(ends)}."
    caption = (
        "Share of test points classified right at the last record. Small marks are single runs; the line joins means "
        f"over seeds, bars are one standard error. {source.sizes}"
    )
    chart = accuracy_chart(seeds, means, [group.label for group in source.groups], alt)
    return (Figure("fig-accuracy", "Test accuracy and width", caption, (Panel("", alt, chart),)),)
