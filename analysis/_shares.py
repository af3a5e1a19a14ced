"""Expectations of a share of the runs, and remarks, which expect nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sweepengine.analysis._constants import CONFIDENCE
from sweepengine.analysis._expectations import Judgement
from sweepengine.analysis._format import significant_text
from sweepengine.analysis._jackknife import Estimate
from sweepengine.analysis._levels import mean_estimate, seed_means
from sweepengine.analysis._simultaneous import sidak

if TYPE_CHECKING:
    from sweepengine.analysis._expectations import Applies, Number, Runs, Sample
    from sweepengine.analysis._quantities import Quantity
    from sweepengine.analysis._setting import Setting


@dataclass(frozen=True, slots=True)
class Frequency:
    """The share of runs in which a quantity is expected to lie at or below a limit.

    With the exact interval of Clopper and Pearson: it **holds** if the whole interval lies at or above ``least``, is
    **violated** if it lies below, and is otherwise **undecided**.

    Attributes
    ----------
    quantity, applies, source, note, axis
        As for :class:`Exponent`.
    limit
        The limit of the quantity, from the setting and the place.
    least
        The smallest share that is expected, such as 1 − δ.
    runs
        Whether the runs of every width are meant, or those of the widest.
    """

    quantity: Quantity
    applies: Applies
    limit: Number
    least: float
    source: str
    note: str = ""
    runs: Runs = "the widest"
    axis: str = "width"
    kind: Literal["frequency"] = "frequency"

    @property
    def measures(self) -> str:
        """See :class:`Expectation`."""
        return f"share of runs, {self.runs}"

    def allowed(self, setting: Setting, place: str) -> tuple[float, float]:
        """See :class:`Expectation`."""
        return -math.inf, self.limit(setting, place)

    def judge(self, sample: Sample, setting: Setting, place: str, rows: int = 1) -> Judgement:
        """Judge the share of the runs."""
        limit = self.limit(setting, place)
        text = f"≤ {significant_text(limit)} in ≥ {100 * self.least:g} %"
        _, values = sample.of(self.runs)
        if not values.size or np.isnan(values).any():
            return Judgement(self.least, text, None, "undecided", "a run has no value")
        measured = share_estimate(int((values <= limit).sum()), values.size, sidak(rows))
        if measured.low >= self.least:
            return Judgement(self.least, text, measured, "holds", "")
        if measured.high < self.least:
            return Judgement(self.least, text, measured, "violated", "")
        why = f"the interval of {values.size} runs contains {self.least:g}; more seeds decide"
        return Judgement(self.least, text, measured, "undecided", why)


@dataclass(frozen=True, slots=True)
class Remark:
    """A quantity that is reported beside what the notes expect, and about which they state no number: no verdict.

    Attributes
    ----------
    quantity, applies, source, note, axis
        As for :class:`Exponent`.
    runs
        Whether the mean is over the runs of every width, or over those of the widest.
    """

    quantity: Quantity
    applies: Applies
    source: str
    note: str = ""
    runs: Runs = "the widest"
    axis: str = "width"
    kind: Literal["remark"] = "remark"

    @property
    def measures(self) -> str:
        """See :class:`Expectation`."""
        return f"mean, {self.runs}"

    def allowed(self, setting: Setting, place: str) -> tuple[float, float]:  # noqa: ARG002 -- nothing is expected
        """See :class:`Expectation`: every value."""
        return -math.inf, math.inf

    def judge(self, sample: Sample, setting: Setting, place: str, rows: int = 1) -> Judgement:  # noqa: ARG002
        """Report the mean over seeds."""
        seeds, values = sample.of(self.runs)
        measured = mean_estimate(seed_means(seeds, values)) if values.size else None
        return Judgement(float("nan"), "–", measured, "none", "")


def share_estimate(successes: int, runs: int, confidence: float = CONFIDENCE) -> Estimate:
    """Share of successes with the exact interval of Clopper & Pearson 1934."""
    from scipy import special

    tail = (1 - confidence) / 2
    low = float(special.betaincinv(successes, runs - successes + 1, tail)) if successes else 0.0
    high = float(special.betaincinv(successes + 1, runs - successes, 1 - tail)) if successes < runs else 1.0
    share = successes / runs
    return Estimate(share, low, high, float(np.sqrt(share * (1 - share) / runs)))
