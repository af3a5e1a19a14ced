"""The summary that `summarise` returns: frozen values, which can be written as JSON or shown as text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE
from sweepengine.analysis._quantities import split_key

if TYPE_CHECKING:
    from sweepengine.analysis._findings import Findings
    from sweepengine.analysis._judgement import ClaimResult
    from sweepengine.analysis._quantities import Quantity
    from sweepengine.analysis._scaling_fit import ScalingFit


@dataclass(frozen=True, slots=True)
class Level:
    """The mean over seeds of a quantity at one width, such as the test accuracy, and its standard error.

    The standard error is NaN where there is one seed.
    """

    width: int
    mean: float
    se: float
    seeds: int

    def to_dict(self) -> dict[str, Any]:
        """Return the four numbers by name."""
        return {"width": self.width, "mean": self.mean, "se": self.se, "seeds": self.seeds}


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """Measurements on one group of runs, which differ in width and seed alone.

    Attributes
    ----------
    label, axes
        Name of the group, and the values of the grouping coordinates, which all its runs share.
    counts
        Number of runs by status.
    widths, seeds
        All widths and seeds of the group's runs, done or not.
    fits, failures
        Key (`kernel_drift`, `movement_op/W0`) → fit; key → the reason why there is no fit.
    level_name, level
        Name of the quantity that is shown beside the exponents (for networks the test accuracy, for particles the test
        loss), and its mean at the largest width with a finished run; None if no run is finished or all values are NaN;
        both empty for kinds without such a quantity.
    """

    label: str
    axes: dict[str, Any]
    counts: dict[str, int]
    widths: tuple[int, ...]
    seeds: tuple[int, ...]
    fits: dict[str, ScalingFit]
    failures: dict[str, str]
    level_name: str
    level: Level | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, lists and strings."""
        return {
            "label": self.label,
            "axes": dict(self.axes),
            "runs": dict(self.counts),
            "widths": list(self.widths),
            "seeds": list(self.seeds),
            "fits": {key: fit.to_dict() for key, fit in self.fits.items()},
            "without_fit": dict(self.failures),
            **({self.level_name: self.level.to_dict() if self.level else None} if self.level_name else {}),
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of a whole sweep; see :func:`summarise`.

    Attributes
    ----------
    title, store
        Attributes of the dataset; empty where it lacks them.
    counts
        Number of runs of the sweep by status.
    groups, claims, warnings
        Group summaries, judged claims and warnings, in the order in which the groups appear in the dataset.
    measured
        Names of the quantities that some finished run has a value of; all quantities where no run is finished.
    kind
        Findings for the kind of sweep.
    confidence
        Coverage of the intervals.
    """

    title: str
    store: str
    counts: dict[str, int]
    groups: tuple[GroupSummary, ...]
    claims: tuple[ClaimResult, ...]
    warnings: tuple[str, ...]
    measured: frozenset[str]
    kind: Findings
    confidence: float = CONFIDENCE

    @property
    def runs(self) -> int:
        """Number of runs of the sweep, in every status."""
        return sum(self.counts.values())

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The quantities of the kind, and those quantities of claims that some group has measured."""
        names = {split_key(key)[0] for group in self.groups for key in (*group.fits, *group.failures)}
        return (*self.kind.quantities, *(quantity for quantity in self.kind.claimed if quantity.name in names))

    def to_dict(self) -> dict[str, Any]:
        """Return unrounded values that strict JSON can hold; numbers that do not exist are None, never NaN."""
        plain: dict[str, Any] = strict(
            {
                "title": self.title,
                "store": self.store,
                "confidence": self.confidence,
                "runs": dict(self.counts),
                "groups": [group.to_dict() for group in self.groups],
                "claims": [claim.to_dict() for claim in self.claims],
                "warnings": list(self.warnings),
            }
        )
        return plain


def strict(value: Any) -> Any:
    """Return `value` with plain Python types and with None in place of every number that is not finite."""
    if isinstance(value, dict):
        return {str(k): strict(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [strict(v) for v in value]
    if isinstance(value, np.generic):
        return strict(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
