"""What a claim expects of a quantity: the form of an expectation, and the expectation of an exponent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import numpy as np

from sweepengine.analysis._format import exponent_text
from sweepengine.analysis._verdict import Kind, Verdict, verdict_of, why_undecided

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.analysis._jackknife import Estimate
    from sweepengine.analysis._quantities import Quantity
    from sweepengine.analysis._scaling_fit import ScalingFit
    from sweepengine.analysis._setting import Setting

    Applies = Callable[[Setting, str], bool]
    Number = Callable[[Setting, str], float]

Runs = Literal["every width", "the widest"]
"""Which runs of a group an expectation is about."""
_SIGN: Final[dict[Kind, str]] = {"bound": "≤ ", "sharp": "", "asymptote": "→ "}


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of a quantity, at one place along its dim, in the finished runs of one group.

    Attributes
    ----------
    size, seed, values
        (R,): position along the axis of the fit (the width, unless the expectation names another), seed, and value.
    fit, why_no_fit
        The power law along that axis, or the reason why there is none.
    """

    size: NDArray[Any]
    seed: NDArray[Any]
    values: NDArray[np.float64]
    fit: ScalingFit | None
    why_no_fit: str

    def of(self, runs: Runs) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Seeds and values of the runs that are meant."""
        kept = self.size == self.size.max(initial=0) if runs == "the widest" else np.ones(self.size.shape, dtype=bool)
        return self.seed[kept], self.values[kept]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an expectation says of a sample.

    Attributes
    ----------
    expected, expected_text
        The expected number, and the expectation in words.
    measured
        The measured number with its 95 % interval; None if there is none.
    verdict, why
        The verdict, and the reason if it is `undecided`; `none` where the notes expect nothing.
    more_seeds
        How many more seeds would decide; None where no number is known.
    """

    expected: float
    expected_text: str
    measured: Estimate | None
    verdict: Verdict
    why: str
    more_seeds: int | None = None


class Expectation(Protocol):
    """An expectation of a quantity: :class:`Exponent`, and those of :mod:`._levels`."""

    @property
    def quantity(self) -> Quantity: ...
    @property
    def kind(self) -> str:
        """Name of the rule by which the expectation is judged."""

    @property
    def applies(self) -> Applies:
        """From the setting of a group of runs and a place along the quantity's dim: whether the claim is about them."""

    @property
    def source(self) -> str:
        """Where the expectation stands: works with places, or sections of theory.md (:mod:`sweepengine.sources`)."""

    @property
    def note(self) -> str:
        """Text beside the expectation, such as what holds in general where the number is one of the job."""

    @property
    def axis(self) -> str:
        """The run coordinate along which the runs of a group differ, beside the seed."""

    @property
    def measures(self) -> str:
        """What the measured number is, in words."""

    def allowed(self, setting: Setting, place: str) -> tuple[float, float]:
        """The smallest and the largest value that is expected; infinite where there is no such end."""

    def judge(self, sample: Sample, setting: Setting, place: str, rows: int = 1) -> Judgement:
        """Judge a sample, with the interval that it needs in a table of so many rows.

        The reason why it is undecided is that of the sample by itself, and may be left out in a table of several rows.
        """


@dataclass(frozen=True, slots=True)
class Exponent:
    """The power with which a quantity is expected to fall along an axis, Q ~ x^−p; :mod:`._verdict` has the rules.

    Attributes
    ----------
    quantity
        The measured quantity: one of the findings of a kind of sweep, or one that the claim itself declares. The latter
        is reduced where a sweep has recorded the variables that it reads.
    kind
        A theorem's `bound`, a `sharp` exponent, or an `asymptote`.
    applies
        From the setting of a group of runs and a place along the quantity's dim (empty without a dim): whether the
        claim speaks of them.
    p
        From the same arguments: the exponent.
    source, note
        As for :class:`Expectation`.
    axis
        The run coordinate x.
    """

    quantity: Quantity
    kind: Kind
    applies: Applies
    p: Number
    source: str
    note: str = ""
    axis: str = "width"

    @property
    def measures(self) -> str:
        """See :class:`Expectation`."""
        return "exponent of m" if self.axis == "width" else f"exponent of {self.axis}"

    def allowed(self, setting: Setting, place: str) -> tuple[float, float]:  # noqa: ARG002 -- exponents bound no value
        """See :class:`Expectation`."""
        return -math.inf, math.inf

    def judge(self, sample: Sample, setting: Setting, place: str, rows: int = 1) -> Judgement:
        """Judge the fit of a sample."""
        p = self.p(setting, place)
        expected = 0.0 - p  # never −0.0
        text = _SIGN[self.kind] + exponent_text(expected)
        if sample.fit is None:
            return Judgement(expected, text, None, "undecided", sample.why_no_fit)
        if rows > 1:
            fit = sample.fit.simultaneous(rows)
            return Judgement(expected, text, fit.exponent, verdict_of(fit, self.kind, p), "")
        verdict = verdict_of(sample.fit, self.kind, p)
        why, more = why_undecided(sample.fit, self.kind, p) if verdict == "undecided" else ("", None)
        return Judgement(expected, text, sample.fit.exponent, verdict, why, more)
