"""Expectations of the size of a quantity: a value, or a side of a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from sweepengine.analysis._expectations import Judgement
from sweepengine.analysis._format import significant_text
from sweepengine.analysis._jackknife import Estimate, t_quantile
from sweepengine.analysis._simultaneous import simultaneous

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.analysis._expectations import Applies, Number, Runs, Sample
    from sweepengine.analysis._quantities import Quantity
    from sweepengine.analysis._setting import Setting


LEVEL_RULES: Final[tuple[tuple[str, str], ...]] = (
    (
        "equality",
        (
            "A value with a band, the smallest difference that would matter. It holds if the whole 95 % interval of "
            "the mean over seeds lies in the band; it differs if the whole interval lies outside. Otherwise it is "
            "undecided."
        ),
    ),
    (
        "inequality",
        "A limit on whose side every run must lie. It holds, or it is violated by one run.",
    ),
    (
        "frequency",
        (
            "A limit below which at least a given share of the runs must lie. With the exact interval of Clopper and "
            "Pearson it holds if the whole interval is at or above the share, and is violated if it is below. "
            "Otherwise it is undecided."
        ),
    ),
)
"""The rules in words; they are printed in every report."""


@dataclass(frozen=True, slots=True)
class Equality:
    """The value that the mean over seeds of a quantity is expected to have.

    The band is the value ± ``within``. The expectation **holds** if the whole 95 % interval of the mean lies in the
    band (two one-sided tests of equivalence, Schuirmann 1987); it **differs** if the whole interval lies outside;
    otherwise it is **undecided**.

    Attributes
    ----------
    quantity, applies, source, note, axis
        As for :class:`Exponent`.
    value
        The expected value, from the setting and the place.
    within
        Half-width of the band, in the quantity's unit: the smallest difference that would matter.
    runs
        Whether the mean is over the runs of every width, or over those of the widest.
    """

    quantity: Quantity
    applies: Applies
    value: Number
    within: float
    source: str
    note: str = ""
    runs: Runs = "every width"
    axis: str = "width"
    kind: Literal["equality"] = "equality"

    @property
    def measures(self) -> str:
        """See :class:`Expectation`."""
        return f"mean, {self.runs}"

    def allowed(self, setting: Setting, place: str) -> tuple[float, float]:
        """See :class:`Expectation`."""
        value = self.value(setting, place)
        return value - self.within, value + self.within

    def judge(self, sample: Sample, setting: Setting, place: str, rows: int = 1) -> Judgement:
        """Judge the mean over seeds; a seed's mean over its runs is one replicate."""
        value = self.value(setting, place)
        text = f"{significant_text(value)} ± {significant_text(self.within, 2)}"
        seeds, values = sample.of(self.runs)
        if not np.all(np.isfinite(values)) or not values.size:
            return Judgement(value, text, None, "undecided", "a run has no finite value")
        means = seed_means(seeds, values)
        measured = mean_estimate(means)
        if measured.has_interval and rows > 1:
            measured = simultaneous(measured, means.size - 1, rows)
        if not measured.has_interval:
            return Judgement(value, text, measured, "undecided", "an interval over seeds needs at least 2 seeds")
        low, high = self.allowed(setting, place)
        if low <= measured.low and measured.high <= high:
            return Judgement(value, text, measured, "holds", "")
        if measured.high < low or high < measured.low:
            return Judgement(value, text, measured, "differs", "")
        distance = self.within - abs(measured.value - value)
        if distance <= 0:
            return Judgement(
                value, text, measured, "undecided", "the interval reaches into the band; more seeds decide"
            )
        need = max(1, _seeds_for(distance, measured.se * np.sqrt(means.size)) - means.size)
        why = f"the interval is ± {measured.half_width:.2g} and reaches out of the band: about {need} more seeds"
        return Judgement(value, text, measured, "undecided", why, need)


@dataclass(frozen=True, slots=True)
class Inequality:
    """A limit on whose side the quantity is expected to lie in every run. It **holds** or is **violated**.

    Attributes
    ----------
    quantity, applies, source, note, axis
        As for :class:`Exponent`.
    side
        ``≤`` or ``≥``.
    limit
        The limit, from the setting and the place.
    runs
        Whether the runs of every width are meant, or those of the widest.
    """

    quantity: Quantity
    applies: Applies
    side: Literal["≤", "≥"]
    limit: Number
    source: str
    note: str = ""
    runs: Runs = "every width"
    axis: str = "width"
    kind: Literal["inequality"] = "inequality"

    @property
    def measures(self) -> str:
        """See :class:`Expectation`."""
        return f"{'largest' if self.side == '≤' else 'smallest'} of all runs, {self.runs}"

    def allowed(self, setting: Setting, place: str) -> tuple[float, float]:
        """See :class:`Expectation`."""
        limit = self.limit(setting, place)
        return (-math.inf, limit) if self.side == "≤" else (limit, math.inf)

    def judge(
        self,
        sample: Sample,
        setting: Setting,
        place: str,
        rows: int = 1,  # noqa: ARG002 -- no interval
    ) -> Judgement:
        """Judge the run that is nearest to the limit, or beyond it."""
        limit = self.limit(setting, place)
        text = f"{self.side} {significant_text(limit)}"
        _, values = sample.of(self.runs)
        if not values.size or np.isnan(values).any():
            return Judgement(limit, text, None, "undecided", "a run has no value")
        extreme = float(values.max() if self.side == "≤" else values.min())
        inside = extreme <= limit if self.side == "≤" else extreme >= limit
        nan = float("nan")
        return Judgement(limit, text, Estimate(extreme, nan, nan, nan), "holds" if inside else "violated", "")


def seed_means(seeds: NDArray[Any], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each seed over its runs: one replicate for each seed."""
    return np.array([values[seeds == seed].mean() for seed in np.unique(seeds)])


def mean_estimate(values: NDArray[np.float64]) -> Estimate:
    """Mean of one value for each seed, with Student's interval; the ends are NaN for one value."""
    mean = float(values.mean())
    if values.size < 2:
        return Estimate(mean, float("nan"), float("nan"), float("nan"))
    se = float(values.std(ddof=1) / np.sqrt(values.size))
    half = float(t_quantile(values.size - 1)) * se
    return Estimate(mean, mean - half, mean + half, se)


def _seeds_for(half_width: float, spread: float) -> int:
    """Seeds with which Student's 95 % interval is ± ``half_width``, from the standard deviation over seeds."""
    normal = t_quantile(10**6)
    return int(np.ceil((normal * spread / half_width) ** 2 + normal**2 / 2))
