"""The findings for sweeps of computations: they have no quantities beside those that claims declare."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._findings import Findings

COMPUTATIONS: Final = Findings(
    name="computation",
    quantities=(),
    headlines=(),
    level="",
    curves=(),
    width_title="",
    width_text="",
    further_figures=(),
)
