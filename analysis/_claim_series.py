"""What the pictures of a claim show: for each quantity, its series in each group of runs, and those of the twin."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._format import printable
from sweepengine.analysis._legends import EXPECTED, FIT, LEFT_OUT
from sweepengine.analysis._quantities import split_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sweepengine.analysis._decision import Part
    from sweepengine.analysis._judgement import ClaimResult
    from sweepengine.analysis._quantities import Quantity
    from sweepengine.analysis._scaling_fit import ScalingFit

    Rows = list[dict[str, Any]]

MAX_POINTS: Final = 240
"""Largest number of single runs that a series shows; more are thinned. Means and fits always use all runs."""
_DIGITS: Final = 5
BREAK: Final = "\n"
"""Where the text of a legend goes on in a new line."""


@dataclass(frozen=True, slots=True)
class Series:
    """The rows about one sample: one quantity, at one place along its dim, in one group of runs.

    Attributes
    ----------
    rows
        The rows, which differ in what they expect.
    is_twin
        Whether the sample is one of the twin.
    name
        Text of the legend.
    """

    rows: tuple[ClaimResult, ...]
    is_twin: bool
    name: str

    @property
    def fit(self) -> ScalingFit | None:
        """The power law through the sample."""
        return self.rows[0].sample.fit

    def points(self) -> Rows:
        """Values of single runs, evenly thinned; none of a quantity that is a vector in each run."""
        sample = self.rows[0].sample
        if sample.values.ndim != 1:
            return []
        rows = [
            {"s": self.name, "x": _plain(size), "seed": int(seed), "y": _rounded(value)}
            for size, seed, value in zip(sample.size, sample.seed, sample.values, strict=True)
            if math.isfinite(value)
        ]
        return rows[:: max(1, math.ceil(len(rows) / MAX_POINTS))]

    def means(self) -> Rows:
        """Averages over seeds through which the power law was fitted."""
        fit = self.fit
        pairs = zip(fit.widths, fit.means, strict=True) if fit else ()
        return [{"s": self.name, "x": _plain(size), "y": _rounded(mean)} for size, mean in pairs]

    def lines(self) -> Rows:
        """Ends of the fitted line: over the sizes that the fit keeps, and over those that it leaves out."""
        fit = self.fit
        if fit is None:
            return []
        left_out = (*fit.dropped, fit.kept[0]) if fit.dropped else ()
        rows: Rows = []
        for line, sizes in ((FIT, fit.kept), (LEFT_OUT, left_out)):
            ends = np.array([sizes[0], sizes[-1]] if sizes else [], dtype=np.float64)
            rows += [
                {"s": self.name, "line": line, "x": float(x), "y": _rounded(y)}
                for x, y in zip(ends, fit.predict(ends), strict=True)
            ]
        return rows

    def band(self) -> Rows:
        """The lines of all exponents in the 95 % interval, through the middle of the fitted one."""
        fit = self.fit
        if fit is None or not fit.exponent.has_interval:
            return []
        middle, anchor = _anchor(fit)
        return [
            {
                "s": self.name,
                "x": float(x),
                "y": _rounded(min(anchor * (x / middle) ** p for p in (fit.exponent.low, fit.exponent.high))),
                "top": _rounded(max(anchor * (x / middle) ** p for p in (fit.exponent.low, fit.exponent.high))),
            }
            for x in (fit.kept[0], middle, fit.kept[-1])
        ]

    def expected(self) -> Rows:
        """Lines of the expected exponents, through the middle of the fitted one."""
        fit = self.fit
        if fit is None:
            return []
        middle, anchor = _anchor(fit)
        return [
            {
                "s": self.name,
                "line": EXPECTED,
                "e": row.expected_text,
                "x": _plain(x),
                "y": _rounded(anchor * (x / middle) ** row.expected),
            }
            for row in self.rows
            for x in (fit.widths[0], fit.widths[-1])
        ]


@dataclass(frozen=True, slots=True)
class Picture:
    """One quantity along one axis: the series of each group of runs, with those of the twins beside them.

    Attributes
    ----------
    quantity
        The quantity.
    axis
        The run coordinate along which the runs of a group differ.
    is_exponent
        Whether exponents are expected of it.
    panels
        Label of a group → its series.
    twins
        What is wrong in the twins that are shown.
    """

    quantity: Quantity
    axis: str
    is_exponent: bool
    panels: dict[str, list[Series]] = field(default_factory=dict)
    twins: dict[str, None] = field(default_factory=dict)


def pictures(parts: Iterable[Part]) -> tuple[Picture, ...]:
    """One picture for each quantity, axis and form of expectation of a claim, in the order of its rows.

    A series of the twin stands in the panel of the group that has its label, else in the first one of which the same
    is expected, else in a panel of its own.
    """
    found: dict[tuple[Quantity, str, bool], Picture] = {}
    parts = tuple(parts)
    several = len({part.evidence.job for part in parts}) > 1
    for part in parts:
        job = part.evidence.job if several else ""
        own = [_key(part, series) for series in _series(part.rows, job, is_twin=False)]
        for key, series in own:
            found.setdefault(key, Picture(*key)).panels.setdefault(series.rows[0].group, []).append(series)
        for key, series in (_key(part, series) for series in _series(part.twin_rows, job, is_twin=True)):
            like = [each for other, each in own if other == key]
            if like:
                label, panels = series.rows[0].group, found[key].panels
                places = [each.rows[0].group for each in like]
                alike = [each.rows[0].group for each in like if _alike(series, each)]
                place = next(iter(([label] if label in places else alike) or [f"twin: {label}"]))
                panels.setdefault(place, []).append(series)
                found[key].twins[part.evidence.says_twin] = None
    return tuple(found.values())


def _series(rows: Iterable[ClaimResult], job: str, *, is_twin: bool) -> list[Series]:
    together: dict[tuple[str, str, str, bool], list[ClaimResult]] = {}
    for row in rows:
        together.setdefault((row.group, row.observable, row.axis, row.is_exponent), []).append(row)
    return [Series(tuple(each), is_twin, _name(each, job, is_twin=is_twin)) for each in together.values()]


def _name(rows: Sequence[ClaimResult], job: str, *, is_twin: bool) -> str:
    place = printable(split_key(rows[0].observable)[1])
    what = " ".join(["twin"] * is_twin + [word for word in (job, place) if word]) or "measured"
    measured = "; ".join(dict.fromkeys(row.measured_text for row in rows))
    if is_twin:
        return f"{what}: {measured}"
    return f"{what}: {measured},{BREAK}expected {', '.join(dict.fromkeys(row.expected_text for row in rows))}"


def _key(part: Part, series: Series) -> tuple[tuple[Quantity, str, bool], Series]:
    row = series.rows[0]
    return (part.evidence.quantity(row.observable), row.axis, row.is_exponent), series


def _alike(one: Series, other: Series) -> bool:
    """Whether the same is expected of two series of one place."""

    def expected(series: Series) -> set[tuple[str, str, str]]:
        return {(row.observable, row.kind, row.expected_text) for row in series.rows}

    return bool(expected(one) & expected(other))


def _anchor(fit: ScalingFit) -> tuple[float, float]:
    """The middle of the fitted sizes, and the fitted value there."""
    middle = math.exp(float(np.mean(np.log(fit.kept))))
    return middle, float(fit.predict(np.array([middle]))[0])


def _plain(size: Any) -> float | int:
    return int(size) if float(size).is_integer() else float(size)


def _rounded(value: float) -> float:
    """Few digits, so that a page stays a few megabytes."""
    return float(f"{value:.{_DIGITS}g}")
