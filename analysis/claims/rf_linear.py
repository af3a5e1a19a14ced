"""Random linear features cannot learn a single linear model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._levels import Equality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import final
from sweepengine.analysis._shares import Frequency

if TYPE_CHECKING:
    from sweepengine.analysis._setting import Setting

_LEAST: Final = "min_u E(Σ_k u_k⟨w_k, x⟩ − ⟨w*, x⟩)^2 over |w*|^2 with m = d/2 features, 256 draws a run"


def _is_claim(setting: Setting, _: str) -> bool:
    return setting.case == "claim"


def _quantity(name: str, title: str, symbol: str) -> Quantity:
    return Quantity(name, final(name), title, f"{symbol} of {_LEAST}", "theory.md §7 rf-linear", fitted=False)


MEAN: Final = _quantity("linear_feature_mean", "least risk of linear features", "mean")
SHARE: Final = _quantity("linear_feature_share", "share of least risks of 1/4 or more", "share of values ≥ 1/4")
EXCESS: Final = _quantity(
    "linear_feature_excess",
    "that share minus the law's",
    "share of values ≥ 1/4, minus the chance under Beta(d/4, d/4),",
)
KOLMOGOROV: Final = _quantity(
    "linear_feature_kolmogorov", "distance of least risks from their law", "√n sup|F_n − F|, F = Beta(d/4, d/4),"
)

CLAIM: Final = Claim(
    "rf-linear",
    "With m ≤ d/2 random linear features min_u E(f(x; u) − ⟨w*, x⟩)² ≥ 1/4 with high probability in d; "
    "its law is Beta((d − m)/2, m/2), of mean 1 − m/d.",
    (
        Evidence(
            "rf_linear",
            (
                Equality(MEAN, _is_claim, lambda *_: 0.5, within=0.01, source="Wide-network notes, §3.10"),
                Equality(EXCESS, _is_claim, lambda *_: 0.0, within=0.01, source="Wide-network notes, §3.10"),
                Equality(
                    SHARE, _is_claim, lambda *_: 1.0, within=0.01, source="Wide-network notes, §3.10", runs="the widest"
                ),
                Frequency(
                    KOLMOGOROV,
                    _is_claim,
                    lambda *_: 1.95,
                    least=0.9,
                    source="Wide-network notes, §3.10",
                    note="a draw of the law exceeds 1.95 in 0.1 %",
                    runs="every width",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="m = 3d/4",
            of="computation",
        ),
    ),
    source="Wide-network notes, §3.10",
)
