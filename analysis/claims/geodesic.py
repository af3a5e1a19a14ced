"""Displacement interpolation by the optimal map has constant speed."""

from __future__ import annotations

from typing import Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final

_RATIO: Final = "largest W₂(μ_s, μ_t)/((t − s) W₂(μ_0, μ_1)) − 1 along μ_t = ((1−t) id + tT)_# μ"
_LEAST: Final = 0.01
"""Smallest excess of speed that counts as one."""
SPEEDS: Final = (
    Quantity(
        "speed_excess",
        final("speed_excess"),
        "excess of speed between clouds",
        f"{_RATIO}, exact, between two clouds of m points, T a pairing",
        "theory.md §7 geodesic",
        fitted=False,
    ),
    Quantity(
        "gaussian_speed_excess",
        final("gaussian_speed_excess"),
        "excess of speed between Gaussians",
        f"{_RATIO}, in closed form, between two Gaussians, T linear",
        "theory.md §7 geodesic",
        fitted=False,
    ),
)

CLAIM: Final = Claim(
    "geodesic",
    "W₂(μ_s, μ_t) = |t − s| W₂(μ_0, μ_1) along μ_t = ((1−t) id + tT)_# μ if T is optimal; if T is not, some part of "
    "the path is faster than W₂(μ_0, μ_1).",
    (
        Evidence(
            "geodesic",
            (
                *(
                    Inequality(
                        speed,
                        lambda s, _: s.case == "claim",
                        "≤",
                        lambda *_: 1e-9,
                        "Ambrosio et al. 2008, ch. 7; Wide-network notes, §4.3",
                    )
                    for speed in SPEEDS
                ),
                *(
                    Inequality(speed, lambda s, _: s.case == "twin", "≥", lambda *_: _LEAST, "theory.md §5.5")
                    for speed in SPEEDS
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="another map T that sends μ to ν, passed off as the optimal one",
            anywhere=True,
            of="computation",
        ),
    ),
    source="Ambrosio et al. 2008, ch. 7; Wide-network notes, §4.3",
    figures=(("geodesic_paths", "sweepengine.analysis._path_figures:path_figures"),),
)
