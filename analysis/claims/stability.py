"""No weights near the initial ones have another kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, final
from sweepengine.analysis._shares import Frequency, Remark

if TYPE_CHECKING:
    import xarray as xr

    from sweepengine.analysis._setting import Setting

_SOURCE: Final = "Du et al. 2019, §3; Wide-network notes, §3.7, second lemma"
_CHANGE: Final = "‖Ĥ − H‖_F / (λ_0/4), ‖ŵ_k − w_k‖ ≤ R = √(2π) δ λ_0/(16 n^2 C^2), δ = 0.1, 4 unit points in d = 16"


def _is_claim(setting: Setting, _: str) -> bool:
    return setting.case == "claim"


def _attained(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    """Adversarial change over the certificate; 0 where the certificate is 0, which the change must be too."""
    at = done.isel(record=-1, drop=True)
    change, bound = at["stability_adversarial"], at["stability_certificate"]
    return (change / bound.where(bound > 0, np.finfo(np.float64).tiny)).astype(np.float64)


CERTIFICATE: Final = Quantity(
    "stability_certificate",
    final("stability_certificate"),
    "certified change of H",
    f"upper bound over every Ŵ of {_CHANGE}",
    "theory.md §7 stability",
    fitted=False,
)
ADVERSARIAL: Final = Quantity(
    "stability_adversarial",
    final("stability_adversarial"),
    "adversarial change of H",
    f"{_CHANGE}, each ŵ_k pushed over its nearest boundary",
    "theory.md §7 stability",
    fitted=False,
)
ATTAINED: Final = Quantity(
    "stability_attained",
    Reduction(
        "final",
        _attained,
        {"stability_adversarial": ("run", "record"), "stability_certificate": ("run", "record")},
    ),
    "adversarial change over the certified one",
    "‖Ĥ − H‖_F of the adversarial Ŵ over the upper bound for every Ŵ",
    "theory.md §7 stability",
    fitted=False,
)
RANDOM: Final = Quantity(
    "stability_random",
    final("stability_random"),
    "random change of H",
    f"{_CHANGE}, ŵ_k − w_k of length R in a random direction, which does not test a supremum",
    "theory.md §7 stability",
    fitted=False,
)

CLAIM: Final = Claim(
    "stability",
    "With probability ≥ 1 − δ every Ŵ with ‖ŵ_k − w_k‖ ≤ R = √(2π) δ λ_0/(16 n² C²) has ‖Ĥ − H‖ ≤ λ_0/4.",
    (
        Evidence(
            "stability",
            (
                Frequency(CERTIFICATE, _is_claim, lambda *_: 1.0, least=0.9, source=_SOURCE, runs="every width"),
                Frequency(ADVERSARIAL, _is_claim, lambda *_: 1.0, least=0.9, source=_SOURCE, runs="every width"),
                Inequality(ATTAINED, _is_claim, "≤", lambda *_: 1 + 1e-9, source=_SOURCE, note="1, up to rounding"),
                Remark(RANDOM, _is_claim, _SOURCE, runs="every width"),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="a radius 1000 times as large",
            of="computation",
        ),
    ),
    source=_SOURCE,
)
