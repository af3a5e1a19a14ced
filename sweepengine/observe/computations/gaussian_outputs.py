"""How far outputs and pre-activations at t = 0 are from a Gaussian process. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from sweepengine.observe._at_start import ARCHITECTURES, POINTS, networks_at_start, seconds_at_start, sphere_points
from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sweepengine.spec import ComputationRun

    Floats = NDArray[np.float64]

_STATISTICS_NEURONS: Final = {1: 160000, 2: 60000}
"""L → networks of statistics times their width."""
_DENSITY_NEURONS: Final = 60000
"""Networks of a density times their width."""
_READOUTS: Final = ("gaussian", "signs")
_LAYERS: Final = ("1", "2")
_EDGES: Final = np.linspace(-4.5, 4.5, 37)
"""Edges of the bins of a histogram, in deviations of the limit."""
_BINS: Final = tuple(f"{middle:g}" for middle in (_EDGES[:-1] + _EDGES[1:]) / 2)


class _Statistics(NamedTuple):
    """Statistics of networks, R of them.

    Attributes
    ----------
    variance : array (R, N)
        V = ‖φ^L‖²/m: the variance of the output given the hidden layers (σ_a = 1, no output bias).
    fourth : array (R, N)
        Mean over neurons of φ(h^L)⁴.
    square, quartic, pair, square_pair : arrays (R, L, N)
        Means over neurons of h_j² and h_j⁴, over pairs of neurons j ≠ k of h_j h_k and h_j² h_k².
    """

    variance: Floats
    fourth: Floats
    square: Floats
    quartic: Floats
    pair: Floats
    square_pair: Floats


def _pairs(values: Floats) -> Floats:
    """Mean of v_j v_k over j ≠ k along the last axis."""
    n = values.shape[-1]
    return np.asarray((values.sum(-1) ** 2 - (values**2).sum(-1)) / (n * (n - 1)))


def _copies(neurons: int, width: int) -> int:
    return max(2, neurons // width)


def _statistics(case: Case) -> _Statistics:
    import torch

    from sweepengine.networks import Inputs

    a, found = ARCHITECTURES[case.name], []
    count = _copies(_STATISTICS_NEURONS[a.depth], case.width)
    inputs = Inputs.prepare(torch.from_numpy(sphere_points()), a)
    for net in networks_at_start(a, case.width, count, case.generator()):
        forward = net.forward(inputs, keep_preactivations=True)
        phi, h = forward.features[-1].numpy(), np.stack(forward.preactivations, axis=1)
        found.append(
            (
                (phi**2).mean(-1),
                (phi**4).mean(-1),
                (h**2).mean(-1),
                (h**4).mean(-1),
                _pairs(h),
                _pairs(h**2),
            )
        )
    return _Statistics(*(np.concatenate(each) for each in zip(*found, strict=True)))


def output_kurtosis(now: Case, _: Case) -> Floats:
    """Excess kurtosis of the output, mean over points, for a Gaussian read-out and for a = ±1.

    Given the hidden layers, E_a f⁴ is 3 V² for Gaussian a, and 3 V² − 2 mean φ⁴/m for a = ±1.
    """
    found = now.once(_statistics)
    v = found.variance
    gaussian = 3 * v.var(0, ddof=1) / v.mean(0) ** 2
    signs = gaussian - 2 * found.fourth.mean(0) / (now.width * v.mean(0) ** 2)
    return np.array([gaussian.mean(), signs.mean()])


def neuron_correlation(now: Case, _: Case) -> Floats:
    """corr(h_j, h_k) of two neurons by layer, mean over points."""
    found = now.once(_statistics)
    return _by_layer((found.pair.mean(0) / found.square.mean(0)).mean(-1))


def neuron_square_correlation(now: Case, _: Case) -> Floats:
    """corr(h_j², h_k²) of two neurons by layer, mean over points."""
    found = now.once(_statistics)
    square = found.square.mean(0)
    # The square of a mean over R networks is too large by variance/R.
    square_of_limit = square**2 - found.square.var(0, ddof=1) / len(found.square)
    return _by_layer(
        ((found.square_pair.mean(0) - square_of_limit) / (found.quartic.mean(0) - square_of_limit)).mean(-1)
    )


def preactivation_density(now: Case, _: Case) -> Floats:
    """Histogram of h/√K of all neurons and points by layer, as a density: the standard Gaussian's at infinite width."""
    import torch

    from sweepengine import theory
    from sweepengine.networks import Inputs

    a, x = ARCHITECTURES[now.name], sphere_points()
    settings = {name: getattr(a, name) for name in ("depth", "activation", "sigma_w", "sigma_b", "sigma_a")}
    deviation = [np.sqrt(np.diagonal(kernel)) for kernel in theory.layer_kernels(x, **settings).preactivations]
    inputs, counts, values = Inputs.prepare(torch.from_numpy(x), a), np.zeros((a.depth, len(_BINS))), 0
    for net in networks_at_start(a, now.width, _copies(_DENSITY_NEURONS, now.width), now.generator()):
        preactivations = net.forward(inputs, keep_preactivations=True).preactivations
        values += preactivations[0].numel()
        for layer, h in enumerate(preactivations):
            counts[layer] += np.histogram(h.numpy() / deviation[layer][:, None], _EDGES)[0]
    density = counts / (values * (_EDGES[1] - _EDGES[0]))
    return np.pad(density, ((0, len(_LAYERS) - a.depth), (0, 0)), constant_values=np.nan)


def _by_layer(values: Floats) -> Floats:
    """One value for each of two layers, NaN for a layer that the networks lack."""
    return np.pad(values, (0, len(_LAYERS) - len(values)), constant_values=np.nan)


_POWERS: Final = {"relu": 5.3e-8, "cos": 9e-8}
"""Activation → seconds for the powers of a neuron at a point, and their means."""


def _statistics_seconds(run: ComputationRun) -> float:
    a = ARCHITECTURES[run.case]
    copies = _copies(_STATISTICS_NEURONS[a.depth], run.width)
    entries = POINTS * a.depth * copies * run.width
    return seconds_at_start(a, run.width, copies, passes=1) + _POWERS[a.activation] * entries


def _density_seconds(run: ComputationRun) -> float:
    return seconds_at_start(ARCHITECTURES[run.case], run.width, _copies(_DENSITY_NEURONS, run.width), passes=1)


_STATISTICS: Final = Ingredient(seconds=_statistics_seconds)
_OF: Final[dict[str, Any]] = {
    "source": "theory.md §4.5; Jacot et al. 2018, Prop. 1; Xu 2021, §3",
    "kind": "computation",
    "defined_for": (cases(*ARCHITECTURES),),
}

OBSERVABLES = (
    observable(
        "output_excess_kurtosis", ("readout",),
        "excess kurtosis of the output over networks, mean over points, the read-out averaged exactly",
        measure=output_kurtosis, sizes={"readout": _READOUTS}, cost=(_STATISTICS,), **_OF,
    ),
    observable(
        "neuron_correlation", ("hidden_layer",),
        "corr(h_j, h_k) over networks, mean over pairs of neurons and points",
        measure=neuron_correlation, sizes={"hidden_layer": _LAYERS}, cost=(_STATISTICS,), **_OF,
    ),
    observable(
        "neuron_square_correlation", ("hidden_layer",),
        "corr(h_j^2, h_k^2) over networks, mean over pairs of neurons and points",
        measure=neuron_square_correlation, sizes={"hidden_layer": _LAYERS}, cost=(_STATISTICS,), **_OF,
    ),
    observable(
        "preactivation_density", ("hidden_layer", "bin"),
        "density of h over networks, neurons and points, in units of the limit's deviation",
        measure=preactivation_density, sizes={"hidden_layer": _LAYERS, "bin": _BINS},
        cost=(Ingredient(seconds=_density_seconds),), **_OF,
    ),
)  # fmt: skip
