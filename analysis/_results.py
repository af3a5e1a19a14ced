"""What `summarise` returns: frozen values that turn into JSON; `to_text` and `SummaryView` show them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE
from sweepengine.analysis._quantities import split_key

if TYPE_CHECKING:
    from sweepengine.analysis._findings import Findings
    from sweepengine.analysis._fit import ScalingFit
    from sweepengine.analysis._judgement import ClaimResult
    from sweepengine.analysis._quantities import Quantity


@dataclass(frozen=True, slots=True)
class Level:
    """A quantity at one width, such as the final test accuracy: mean over seeds and standard error (NaN with one seed)."""

    width: int
    mean: float
    se: float
    seeds: int

    def to_dict(self) -> dict[str, Any]:
        """Return the four numbers by name."""
        return {"width": self.width, "mean": self.mean, "se": self.se, "seeds": self.seeds}


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """What was measured on the runs that differ in width and seed alone.

    Attributes
    ----------
    label, axes
        Name, and the value of every coordinate that all its runs share.
    counts
        Runs by status.
    widths, seeds
        Every width and seed of the sweep in this group, done or not.
    fits, failures
        By key (`kernel_drift`, `movement_op/W0`): the fits; for the others, why there is none.
    level_name, level
        The kind's quantity to show beside the exponents (of networks the test accuracy, of particles the test loss), and
        its mean at the largest width with a finished run; None if no run is finished or the quantity is unknown.
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
            self.level_name: self.level.to_dict() if self.level else None,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole sweep in numbers; see :func:`summarise`.

    Attributes
    ----------
    title, store
        As the dataset states them, empty if it does not.
    counts
        Runs by status, over the sweep.
    groups, claims, warnings
        In the order of the dataset.
    kind
        What the analysis says of the kind of sweep.
    """

    title: str
    store: str
    counts: dict[str, int]
    groups: tuple[GroupSummary, ...]
    claims: tuple[ClaimResult, ...]
    warnings: tuple[str, ...]
    kind: Findings
    confidence: float = CONFIDENCE

    @property
    def runs(self) -> int:
        """Number of runs of the sweep, in every status."""
        return sum(self.counts.values())

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The kind's quantities, and those of claims that some group has measured."""
        keys = {split_key(key)[0] for group in self.groups for key in (*group.fits, *group.failures)}
        return (*self.kind.quantities, *(each for each in self.kind.claimed if each.name in keys))

    def to_dict(self) -> dict[str, Any]:
        """Return a strict-JSON-able dict, unrounded; what does not exist is None, never NaN."""
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
    """Return `value` with plain Python types, and None for every number that is not finite."""
    if isinstance(value, dict):
        return {str(k): strict(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [strict(v) for v in value]
    if isinstance(value, np.generic):
        return strict(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
