"""The mixture of two measures is not the geodesic between them."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Equality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

MIXTURE_POWER: Final = Quantity(
    "mixture_power",
    final("mixture_power"),
    "power of t along the mixture",
    "p of W₂(μ, (1−t)μ + tν) ~ t^p for t from 1/64 to 1/4, exact, of two Gaussian clouds of m points whose means lie D "
    "apart: D = 20, in case far 200",
    "theory.md §7 mixture",
    fitted=False,
)

CLAIM: Final = Claim(
    "mixture",
    "W₂(μ, (1−t)μ + tν) grows like √t for small t and separated supports, not like t.",
    (
        Evidence(
            "mixture",
            (
                Equality(
                    MIXTURE_POWER,
                    lambda s, _: s.case == "claim",
                    lambda *_: 0.5,
                    within=0.05,
                    source="Wide-network notes, §4.2",
                    note="1/2 + about 0.5/D at the distance D: the mass that moves is the nearest to ν",
                    runs="the widest",
                ),
                Equality(
                    MIXTURE_POWER,
                    lambda s, _: s.case == "far",
                    lambda *_: 0.5,
                    within=0.005,
                    source="Wide-network notes, §4.2",
                    runs="the widest",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="the geodesic in place of the mixture",
            anywhere=True,
            of="computation",
        ),
    ),
    source="Wide-network notes, §4.2",
)
