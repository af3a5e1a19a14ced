"""At t = 0 the kernel of relu networks is near its limit, with the probability and the width of the lemma."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, final
from sweepengine.analysis._shares import Frequency, Remark

if TYPE_CHECKING:
    import xarray as xr

    from sweepengine.analysis._setting import Setting


def _from_the_width(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    """The deviation of runs of the lemma's width or more; of narrower ones the lemma says nothing."""
    at = done.isel(record=-1)
    return at["h_deviation"].where(at["width"] >= at["concentration_width"])


def _is_claim(setting: Setting, _: str) -> bool:
    return setting.case == "claim"


_DIMS: Final = ("run", "record")
DEVIATION: Final = Quantity(
    "h_deviation",
    final("h_deviation"),
    "deviation of H_0 from H^∞",
    "‖H_0 − H^∞‖_op / (λ_0/4), m neurons, 4 unit points in d = 16",
    "theory.md §7 concentration",
)
CONCENTRATION: Final = Quantity(
    "h_concentration",
    Reduction("final", _from_the_width, {"h_deviation": _DIMS, "concentration_width": _DIMS}),
    "deviation of H_0 from H^∞ from the lemma's width on",
    "‖H_0 − H^∞‖_op / (λ_0/4) where m ≥ 8 C^4 n^2 log(n(n+1)/δ)/λ_0^2, δ = 0.1; no value below this width",
    "theory.md §7 concentration",
    fitted=False,
)
WIDTH: Final = Quantity(
    "concentration_width",
    final("concentration_width"),
    "width of the lemma",
    "8 C^4 n^2 log(n(n+1)/δ)/λ_0^2 for the points, δ = 0.1",
    "theory.md §7 concentration",
    fitted=False,
)

CLAIM: Final = Claim(
    "concentration",
    "‖H_0 − H^∞‖ ≤ λ_0/4 with probability ≥ 1 − δ for m ≥ (8C⁴n²/λ_0²) log(n(n+1)/δ); the deviation is m^−1/2.",
    (
        Evidence(
            "concentration",
            (
                Frequency(
                    CONCENTRATION,
                    _is_claim,
                    lambda *_: 1.0,
                    least=0.9,
                    source="Du et al. 2019, §3; Wide-network notes, §3.7, first lemma",
                ),
                Exponent(
                    DEVIATION,
                    "sharp",
                    _is_claim,
                    lambda *_: 0.5,
                    "Du et al. 2019, §3; Wide-network notes, §3.7, first lemma",
                ),
                Remark(WIDTH, _is_claim, "Du et al. 2019, §3; Wide-network notes, §3.7, first lemma"),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="64 neurons at a time are equal",
            of="computation",
        ),
    ),
    source="Du et al. 2019, §3; Wide-network notes, §3.7, first lemma",
)
