"""Outputs at t = 0 are a Gaussian process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._claim import Claim, Evidence, after_training, of_case
from sweepengine.analysis._expectations import Exponent
from sweepengine.analysis._levels import Equality
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, final, final_vector, last, of_each_run

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

_SOURCE: Final = "Jacot et al. 2018, Prop. 1; theory.md §4.5"
_HERE: Final = "theory.md §7 nngp"


def _kurtosis(done: xr.Dataset, theory: xr.Dataset) -> xr.DataArray:
    import xarray as xr

    limit = of_each_run(theory["nngp_train"], done)
    point = xr.DataArray(np.arange(limit.sizes["i"]), dims="i")
    variance = limit.isel(i=point, j=point)
    relative = done["output_variance"].isel(record=0, drop=True).astype(np.float64) / variance - 1
    mean: xr.DataArray = 3 * (relative**2).mean("i", skipna=False)
    return mean


def _scaled(variable: str, dim: str, factor: Callable[[xr.DataArray], xr.DataArray]) -> Reduction:
    """The value of a variable (run, record, dim) times a factor of the width."""
    return Reduction(
        "final",
        lambda done, _: last(done[variable], done) * factor(done["width"].astype(np.float64)),
        {variable: ("run", "record", dim)},
        dim,
    )


OUTPUT_KURTOSIS: Final = Quantity(
    "output_kurtosis",
    Reduction("initial", _kurtosis, {"output_variance": ("run", "record", "i")}, theory=("nngp_train",)),
    "excess kurtosis of the output",
    "3 (V − K)²/K² at t = 0, V = σ_a²‖φ^L‖²/m + σ_b², K its limit, mean over train points; its mean over seeds is the "
    "excess kurtosis",
    _HERE,
)
EXCESS: Final = Quantity(
    "output_excess_kurtosis",
    final("output_excess_kurtosis", "readout"),
    "excess kurtosis of the output, many networks",
    "E f⁴/(E f²)² − 3 over networks, mean over points, the read-out averaged exactly",
    _HERE,
)
EXCESS_CONSTANT: Final = Quantity(
    "kurtosis_constant",
    _scaled("output_excess_kurtosis", "readout", lambda width: width),
    "constant of the excess kurtosis",
    "m (E f⁴/(E f²)² − 3)",
    _HERE,
    fitted=False,
)
EXCESS_TWO_LAYERS: Final = Quantity(
    "kurtosis_constant_two_layers",
    _scaled("output_excess_kurtosis", "readout", lambda width: width / (2 + 5 / width)),
    "constant of the excess kurtosis, relu and L = 2",
    "m (E f⁴/(E f²)² − 3)/(2 + 5/m): each layer multiplies E V²/(E V)² by 1 + 5/m",
    _HERE,
    fitted=False,
)
BIAS: Final = Quantity(
    "initial_covariance_bias",
    final_vector("initial_covariance_bias", "component"),
    "bias of the covariance of outputs",
    "‖E f fᵀ − K‖_F/‖K‖_F, variance/S subtracted",
    _HERE,
    average="norm_of_means",
)
BIAS_SQUARE: Final = Quantity(
    "initial_covariance_bias_square",
    final("initial_covariance_bias_square"),
    "square of the bias of the covariance of outputs",
    "m² ‖E f fᵀ − K‖_F²/‖K‖_F², variance/S subtracted",
    _HERE,
    fitted=False,
)
NEURONS: Final = Quantity(
    "neuron_correlation",
    final("neuron_correlation", "hidden_layer"),
    "correlation of two neurons",
    "corr(h_j, h_k) over networks, mean over pairs of neurons and points",
    _HERE,
    fitted=False,
)
SQUARES: Final = Quantity(
    "neuron_square_correlation",
    final("neuron_square_correlation", "hidden_layer"),
    "correlation of the squares of two neurons",
    "corr(h_j², h_k²) over networks, mean over pairs of neurons and points",
    _HERE,
)
SQUARES_CONSTANT: Final = Quantity(
    "square_correlation_constant",
    _scaled("neuron_square_correlation", "hidden_layer", lambda width: 2 * width + 15),
    "constant of the correlation of squares",
    "(2m + 15) corr(h_j², h_k²)",
    _HERE,
    fitted=False,
)

CLAIM: Final = Claim(
    "nngp",
    "At t = 0 the uncentred output is a Gaussian process up to m^−1: its covariance is K for L = 1 and has a bias m^−1 "
    "for L ≥ 2; its excess kurtosis is m^−1, for relu and L = 1 15/m with Gaussian a and 3/m with a = ±1; "
    "corr(h_j, h_k) = 0, and corr(h_j², h_k²) is 0 in layer 1 and m^−1 above, 5/(2m + 15) for relu in layer 2.",
    (
        Evidence(
            "initialisation",
            (Exponent(OUTPUT_KURTOSIS, "sharp", lambda s, _: s.readout == "gaussian", lambda *_: 1.0, _SOURCE),),
            twin=after_training,
            says_twin="trained networks passed off as networks at t = 0",
            anywhere=True,
        ),
        Evidence(
            "initial_bias",
            (
                Exponent(BIAS, "sharp", lambda s, _: s.case.startswith("deep"), lambda *_: 1.0, _SOURCE),
                Equality(
                    BIAS_SQUARE,
                    lambda s, _: s.case.startswith("shallow"),
                    lambda *_: 0.0,
                    within=0.01,
                    source=_SOURCE,
                    note="0.15 for relu and 0.23 for cos at L = 2",
                ),
            ),
            twin=lambda sweep: of_case(sweep, "deep_relu", "shallow_relu"),
            says_twin="networks of L = 2 passed off as L = 1",
            of="computation",
        ),
        Evidence(
            "gaussian_outputs",
            (
                Exponent(
                    EXCESS,
                    "sharp",
                    lambda s, readout: readout == "gaussian" and s.case != "deep_relu",
                    lambda *_: 1.0,
                    _SOURCE,
                ),
                Equality(
                    EXCESS_TWO_LAYERS,
                    lambda s, readout: readout == "gaussian" and s.case == "deep_relu",
                    lambda *_: 15.0,
                    within=1.0,
                    source="theory.md §4.5",
                ),
                Equality(
                    EXCESS_CONSTANT,
                    lambda s, readout: s.case == "shallow_relu" and readout == "gaussian",
                    lambda *_: 15.0,
                    within=1.0,
                    source=_SOURCE,
                ),
                Equality(
                    EXCESS_CONSTANT,
                    lambda s, readout: s.case == "shallow_relu" and readout == "signs",
                    lambda *_: 3.0,
                    within=0.5,
                    source=_SOURCE,
                    note="(E φ⁴/(E φ²)² − 3)/m in general",
                ),
                Equality(NEURONS, lambda *_: True, lambda *_: 0.0, within=0.01, source=_SOURCE),
                Equality(SQUARES_CONSTANT, lambda _, layer: layer == "1", lambda *_: 0.0, within=0.5, source=_SOURCE),
                Equality(
                    SQUARES_CONSTANT,
                    lambda s, layer: s.case == "deep_relu" and layer == "2",
                    lambda *_: 5.0,
                    within=0.5,
                    source=_SOURCE,
                ),
                Exponent(
                    SQUARES, "sharp", lambda s, layer: s.case == "deep_cos" and layer == "2", lambda *_: 1.0, _SOURCE
                ),
            ),
            twin=lambda sweep: of_case(sweep, "deep_relu", "shallow_relu"),
            says_twin="networks of L = 2 passed off as L = 1",
            of="computation",
        ),
    ),
    source="Neal 1994; Lee et al. 2018; Jacot et al. 2018, Prop. 1; Xu 2021, §3; Valle Pérez 2019, prop. 1",
    figures=(
        ("preactivations", "sweepengine.analysis._histogram_figures:preactivation_figures"),
        ("ensemble", "sweepengine.analysis._histogram_figures:output_figures"),
    ),
)
