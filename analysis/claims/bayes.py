"""Training the last layer alone samples the Bayesian posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import Claim, Evidence, of_case
from sweepengine.analysis._ensembles import READ, TOLERANCE, Paths, from_zero, matheron, of_ensembles, prediction
from sweepengine.analysis._levels import Equality, Inequality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, final, for_each_limit, spectrum

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from sweepengine.analysis._setting import Setting

_SOURCE: Final = "Lee et al. 2019; Xu 2021, §5.2.1, eqs 75-80"
_ROUNDING: Final = 1e-10
_POSTERIOR: Final = "the noiseless posterior N(K_qx K⁻¹ y, K_qq − K_qx K⁻¹ K_xq) of the NNGP K"


def _samples(runs: xr.Dataset, limit: xr.Dataset) -> Paths:
    """Outputs at the last record, and the sample f_0 + K_qx K⁻¹ (y − f_0(X)) of the posterior that begins at f_0."""
    import xarray as xr

    values, vectors = spectrum(limit["nngp_train"])
    gain, cross = 1 / values, limit["nngp_test_train"]
    explained = xr.dot(cross, vectors, dim="i") ** 2 * gain
    prior = xr.DataArray(limit["nngp_test"].values.diagonal(), dims="test")
    return Paths(
        runs["outputs_test"].isel(record=-1).astype("float64"),
        matheron(runs, vectors, gain, cross),
        prediction(runs["targets_train"], vectors, gain, cross),
        (prior - explained.sum("mode", skipna=False)) ** 0.5,
    )


def _of_posterior(compute: Callable[[Paths], xr.DataArray]) -> Reduction:
    def of_runs(done: xr.Dataset, theory: xr.Dataset) -> xr.DataArray:
        return for_each_limit(done, theory, lambda runs, limit: compute(_samples(runs, limit)))

    return Reduction("final", of_runs, READ, theory=("nngp_train", "nngp_test_train", "nngp_test"))


POSTERIOR_MEAN: Final = Quantity(
    "posterior_mean",
    _of_posterior(lambda samples: samples.shift(samples.mean)),
    "shift of the mean of trained outputs from the posterior's",
    f"⟨f_T − s, μ⟩/⟨μ, μ⟩ over test points, s the sample of {_POSTERIOR} that begins at f_0, μ its mean; its mean over "
    "seeds is that of ⟨f_T − μ, μ⟩/⟨μ, μ⟩",
    "theory.md §7 bayes",
    fitted=False,
)
POSTERIOR_VARIANCE: Final = Quantity(
    "posterior_variance",
    _of_posterior(lambda samples: samples.variance()),
    "variance of trained outputs over the posterior's",
    f"1 + ((f_T − μ)² − (s − μ)²)/σ², mean over test points, s the sample of {_POSTERIOR} that begins at f_0; its mean "
    "over seeds is that of (f_T − μ)²/σ²",
    "theory.md §7 bayes",
    fitted=False,
)
POSTERIOR_DEFECT: Final = Quantity(
    "posterior_defect",
    final("posterior_defect"),
    "distance of the law of trained outputs from the posterior",
    f"largest difference of mean and covariance over read-outs from those of {_POSTERIOR}, K the network's own, over "
    "the scale of the prior",
    "theory.md §7 bayes",
    fitted=False,
)
LAST_LAYER_DEFECT: Final = Quantity(
    "last_layer_defect",
    final("last_layer_defect"),
    "distance of the law of half-trained outputs from its formula",
    "the same after a twentieth of the steps, from K_qx K⁻¹(I − E)y and K_qq − K_qx K⁻¹(I − E²)K_xq",
    "theory.md §7 bayes",
    fitted=False,
)


def _applies(setting: Setting, _: str) -> bool:
    started = setting.depth == 1 and setting.readout == "gaussian" and not setting.centred and setting.at(0.5)
    return started and setting.trained == "last_layer" and setting.loss == "mse" and setting.method == "gd"


CLAIM: Final = Claim(
    "bayes",
    "Trained alone, W^L with its bias samples the noiseless posterior of K: over seeds the outputs tend to have the "
    "mean K_qx K⁻¹(I − e^(−Kt/N)) y and the covariance K_qq − K_qx K⁻¹(I − e^(−2Kt/N)) K_xq, K the NNGP; with hidden "
    "weights frozen and shared, they have them at every m with the network's own K.",
    (
        Evidence(
            "last_layer",
            (
                *of_ensembles(_applies, "Xu 2021, eqs 75-79"),
                Equality(POSTERIOR_MEAN, _applies, lambda *_: 0.0, TOLERANCE, "Xu 2021, eq 80", runs="the widest"),
                Equality(POSTERIOR_VARIANCE, _applies, lambda *_: 1.0, TOLERANCE, "Xu 2021, eq 80", runs="the widest"),
            ),
            twin=from_zero,
            says_twin="outputs minus those at t = 0",
        ),
        Evidence(
            "posterior",
            tuple(
                Inequality(defect, lambda s, _: s.case == "claim", "≤", lambda *_: _ROUNDING, source)
                for defect, source in ((POSTERIOR_DEFECT, "Xu 2021, eq 80"), (LAST_LAYER_DEFECT, "Xu 2021, eqs 75-79"))
            ),
            twin=lambda sweep: of_case(sweep, "twin"),
            says_twin="K of infinite width in place of the network's own",
            of="computation",
        ),
    ),
    source=_SOURCE,
)
