"""Trained ensembles are Gaussian processes with the NTK's dynamics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, Evidence
from sweepengine.analysis._ensembles import from_zero, of_ensembles

if TYPE_CHECKING:
    from sweepengine.analysis._setting import Setting


def _applies(setting: Setting, _: str) -> bool:
    started = setting.depth == 1 and setting.readout != "ones" and not setting.centred
    return started and setting.at(0.5) and setting.loss == "mse" and setting.trained == "all" and setting.method == "gd"


CLAIM: Final = Claim(
    "gp-dynamics",
    "At every t the uncentred outputs of trained networks have over seeds the mean A y and the covariance "
    "K_qq + A K Aᵀ − K_qx Aᵀ − A K_xq, A = Θ_qx Θ⁻¹(I − e^(−Θt/N)), up to what vanishes with m.",
    (
        Evidence(
            "ensemble",
            of_ensembles(_applies, "Lee et al. 2019; Xu 2021, §5.2"),
            twin=from_zero,
            says_twin="outputs minus those at t = 0",
        ),
    ),
    source="Lee et al. 2019; Xu 2021, §5.2",
    figures=(("ensemble", "sweepengine.analysis._histogram_figures:output_figures"),),
)
