"""The empirical measure of m particles tends to the measure of infinitely many in W₂."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Equality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final, initial

_SOURCE: Final = "Talagrand 1994; Ambrosio et al. 2019; Wide-network notes, §4.3"
SLICED: Final = Quantity(
    "sliced_power",
    initial("sliced_power", "slice"),
    "power of 1/m of sliced W₂",
    "log₁₆ of the ratio of W₂ between two clouds of m and between two of 16m, projected on random directions or on the "
    "axis of a, at t = 1; of Gaussian clouds without the log log m that W₂ between samples of N(0, 1) has",
    "theory.md §7 mf-w2",
    fitted=False,
)
POWER: Final = Quantity(
    "exact_power",
    final("exact_power"),
    "power of 1/m of the exact W₂",
    "log₄ of the ratio of W₂ between two clouds of m and between two of 4m, at t = 1",
    "theory.md §7 mf-w2",
    fitted=False,
)
LOGARITHM: Final = Quantity(
    "logarithm",
    final("logarithm"),
    "logarithm of the exact W₂ in the plane",
    "(4m W₂²(4m) − m W₂²(m))/log 4 over |Ω|/2π, between two samples of m uniform points of a square Ω",
    "theory.md §7 mf-w2",
    fitted=False,
)
NESTED: Final = Quantity(
    "nested_ratio",
    final("nested_ratio"),
    "nested distances over 1/m − 1/M",
    "sliced W₂² of a cloud of m to M = 2m over 1/m − 1/M, by the same to M = 4m; the larger clouds begin with the "
    "smaller",
    "theory.md §7 mf-w2",
    fitted=False,
)


CLAIM: Final = Claim(
    "mf-w2",
    "W₂(μ^m_t, μ_t) of p coordinates is m^−1/p for p ≥ 3 and √(log m/m) for p = 2; sliced it is m^−1/2 up to "
    "logarithms, but m^−1/4 along the axis of a where a = ±1; to a finite M that begins with the same particles, "
    "E W₂² ∝ 1/m − 1/M.",
    (
        Evidence(
            "slices",
            (
                Equality(
                    SLICED,
                    lambda s, _: s.case == "claim",
                    lambda *_: 0.5,
                    within=0.05,
                    source=_SOURCE,
                    runs="the widest",
                ),
                Equality(
                    SLICED,
                    lambda s, along: s.case == "signs" and along == "a",
                    lambda *_: 0.25,
                    within=0.05,
                    source=_SOURCE,
                    runs="the widest",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "signs"),
            says_twin="output weights ±1 passed off as Gaussian",
            of="computation",
        ),
        Evidence(
            "assignments",
            (
                Equality(
                    POWER,
                    lambda s, _: s.case == "claim",
                    lambda *_: 1 / 3,
                    within=0.04,
                    source=_SOURCE,
                    note="told from 1/4 and 1/2",
                    runs="the widest",
                ),
                Equality(
                    POWER,
                    lambda s, _: s.case == "four",
                    lambda *_: 1 / 4,
                    within=0.025,
                    source=_SOURCE,
                    note="told from 1/5 and 1/3",
                    runs="the widest",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "four"),
            says_twin="particles with 4 coordinates passed off as particles with 3",
            of="computation",
        ),
        Evidence(
            "plane",
            (
                Equality(
                    LOGARITHM,
                    lambda s, _: s.case == "claim",
                    lambda *_: 1.0,
                    within=0.5,
                    source="Ambrosio et al. 2019; theory.md §5.6",
                    note="told from 0, no logarithm, and from 2, its square; the 1 is Ambrosio, Stra & Trevisan's",
                    runs="the widest",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="a cube in place of the square",
            of="computation",
        ),
        Evidence(
            "nested",
            (
                Equality(
                    NESTED,
                    lambda s, _: s.case == "claim",
                    lambda *_: 1.0,
                    within=0.2,
                    source="theory.md §5.6",
                    note="of independent clouds 1.8",
                    runs="the widest",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="larger clouds that are independent",
            of="computation",
        ),
    ),
    source=_SOURCE,
)
