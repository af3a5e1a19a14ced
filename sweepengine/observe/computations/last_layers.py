"""Last layers on given hidden weights: ridge regression, and the law of trained read-outs. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient
from sweepengine.spec import Architecture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.networks import Parameters
    from sweepengine.spec import ComputationRun

    Floats = NDArray[np.float64]

_TRAIN, _TEST, _D = 6, 12, 6
_RIDGE: Final = 0.1
_NET: Final = Architecture(1, "erf", 1.5, 0.3, 1.5, output_bias=True, trained="last_layer")
_CONVERGED: Final = 35.0
"""Time over N/λ_min at which training ends: what is left of the slowest mode is e^−35."""


class _Hidden(NamedTuple):
    """Random hidden weights with their points.

    Attributes
    ----------
    x, y
        (N + Q, d), the training points first, on the sphere of radius √d; (N,) targets.
    parameters
        Of a network of one output.
    features
        (N + Q, m + 1): what multiplies the parameters of the last layer, its bias last, so that K = ΦΦᵀ.
    """

    x: Floats
    y: Floats
    parameters: Parameters
    features: Floats


class _Law(NamedTuple):
    """Mean (Q,) and covariance (Q, Q) on the test points."""

    mean: Floats
    covariance: Floats

    def distance(self, other: _Law, scale: float) -> float:
        """Largest difference, of means over √scale and of covariances over the scale."""
        means, covariances = np.abs(self.mean - other.mean).max(), np.abs(self.covariance - other.covariance).max()
        return float(max(means / np.sqrt(scale), covariances / scale))


def _hidden(now: Case) -> _Hidden:
    import torch

    from sweepengine.networks import Inputs, initialise, network

    generator = now.generator()
    x = generator.standard_normal((_TRAIN + _TEST, _D))
    x *= np.sqrt(_D) / np.linalg.norm(x, axis=1, keepdims=True)
    y = generator.standard_normal(_TRAIN)
    parameters = initialise(_NET, now.width, _D, now.seed, torch.float64)
    passed = network(_NET, parameters, [0.5], [1.0]).forward(Inputs.prepare(torch.from_numpy(x), _NET))
    phi = passed.features[-1].numpy() * (_NET.sigma_a / np.sqrt(now.width))
    return _Hidden(x, y, parameters, np.column_stack([phi, np.full(len(x), _NET.sigma_b)]))


def _limit(x: Floats) -> Floats:
    """The NNGP kernel."""
    from sweepengine import theory  # it imports scipy, for which opening a sweep need not wait

    settings = {key: getattr(_NET, key) for key in ("depth", "activation", "sigma_w", "sigma_b", "sigma_a")}
    return np.asarray(theory.kernels(x, **settings, output_bias=_NET.output_bias).nngp)


def _blocks(kernel: Floats) -> tuple[Floats, Floats, Floats]:
    """Training points; test with training points; test points."""
    return kernel[:_TRAIN, :_TRAIN], kernel[_TRAIN:, :_TRAIN], kernel[_TRAIN:, _TRAIN:]


def _primal(hidden: _Hidden) -> Floats:
    """Predictions of ridge regression on the features, (Q,)."""
    from sweepengine import theory

    train, test = hidden.features[:_TRAIN], hidden.features[_TRAIN:]
    return np.asarray(test @ theory.ridge_primal(train, hidden.y, _RIDGE))


def _noise(now: Case) -> float:
    """σ_ε²: the ridge λ; case twin: four times as much."""
    return {"claim": _RIDGE, "twin": 4 * _RIDGE}[now.name]


def ridge_duality(now: Case, _: Case) -> float:
    """Largest difference of primal and dual predictions, over the largest prediction."""
    from sweepengine import theory

    hidden = now.once(_hidden)
    primal = _primal(hidden)
    train, cross, _test = _blocks(hidden.features @ hidden.features.T)
    dual = cross @ theory.ridge_dual(train, hidden.y, _noise(now))
    return float(np.abs(primal - dual).max() / np.abs(primal).max())


def ridge_gp_distance(now: Case, _: Case) -> float:
    """‖ridge predictions − posterior mean of the NNGP‖/‖posterior mean‖ on the test points."""
    from sweepengine import theory

    hidden = now.once(_hidden)
    train, cross, test = _blocks(_limit(hidden.x))
    mean = theory.posterior(train, cross, test, hidden.y, noise=_noise(now)).mean
    return float(np.linalg.norm(_primal(hidden) - mean) / np.linalg.norm(mean))


def _trained(now: Case) -> tuple[float, float, list[_Law]]:
    """Step, time of the first law, and the laws of the outputs of trained last layers over N(0, 1) read-outs.

    The outputs of a trained last layer are affine in its parameters at t = 0. So m + 2 outputs of one network tell the
    law without sampling: one begins with no read-out and gives the mean, and those that begin with one parameter equal
    to 1 give the columns of a root of the covariance. The laws are those before and after training has converged.
    """
    import torch

    from sweepengine.networks import Inputs, learning_rates, network

    hidden = now.once(_hidden)
    eigenvalues = np.linalg.eigvalsh(hidden.features[:_TRAIN] @ hidden.features[:_TRAIN].T)
    step = _TRAIN / float(eigenvalues[-1])
    steps = int(np.ceil(_CONVERGED * eigenvalues[-1] / eigenvalues[0]))
    starts = torch.eye(now.width + 1, dtype=torch.float64)
    starts = torch.cat([torch.zeros_like(starts[:1]), starts])  # (m + 2, m + 1)
    layers = replace(hidden.parameters, readout=starts[:, :-1].mT.contiguous(), output_bias=starts[:, -1].clone())
    net = network(_NET, layers, [0.5], [1.0], learning_rates("last_layer", _NET.depth))
    train, test = (Inputs.prepare(torch.from_numpy(x), _NET) for x in (hidden.x[:_TRAIN], hidden.x[_TRAIN:]))
    targets = torch.from_numpy(hidden.y)[:, None]
    laws, early = [], steps // 20
    for done in range(steps):
        if done == early:
            laws.append(_law(net.forward(test).outputs))
        passed = net.forward(train)
        net.descend(train, passed, None, passed.outputs - targets, step)
    return step, early * step, [*laws, _law(net.forward(test).outputs)]


def _law(outputs: Tensor) -> _Law:
    values: Floats = outputs.numpy().copy()
    root = values[:, 1:] - values[:, :1]
    return _Law(values[:, 0], root @ root.T)


def _covariance(now: Case) -> Floats:
    """K over all points: that of the features; case twin: that of infinite width."""
    hidden = now.once(_hidden)
    return {"claim": hidden.features @ hidden.features.T, "twin": _limit(hidden.x)}[now.name]


def posterior_defect(now: Case, _: Case) -> float:
    """Distance of the law of trained outputs from the noiseless posterior."""
    from sweepengine import theory

    train, cross, test = _blocks(_covariance(now))
    expected = theory.posterior(train, cross, test, now.once(_hidden).y)
    law = now.once(_trained)[2][1]
    return law.distance(
        _Law(*(np.asarray(each, dtype=np.float64) for each in (expected.mean, expected.covariance))),
        float(test.diagonal().max()),
    )


def last_layer_defect(now: Case, _: Case) -> float:
    """Distance of the law of the outputs after a twentieth of the steps from theory.md §3.5."""
    from sweepengine import theory

    train, cross, test = _blocks(_covariance(now))
    step, time, (law, _end) = now.once(_trained)
    dynamics = theory.KernelDynamics.of(train, step=step)
    expected = theory.last_layer_ensemble(dynamics, time, now.once(_hidden).y, nngp_cross=cross, nngp_query=test)
    return law.distance(
        _Law(*(np.asarray(each, dtype=np.float64) for each in (expected.mean, expected.covariance))),
        float(test.diagonal().max()),
    )


def _factor() -> Ingredient:
    """The Cholesky factor of an (m + 1) × (m + 1) matrix."""
    return Ingredient(flops=lambda run: 0.7 * run.width**3, seconds=lambda _: 2.5e-4)


def _training_seconds(run: ComputationRun) -> float:
    steps = 720 * (1 + 26 / run.width)  # in the mean over seeds
    return float(steps * (2.5e-5 + 4.3e-10 * run.width**2.2))  # m + 2 networks, which leave the cache as m grows


_HIDDEN: Final = Ingredient(seconds=lambda _: 2.5e-4)
_FACTOR, _ANOTHER_FACTOR = _factor(), _factor()
"""Each observable makes its own."""
_TRAINED: Final = Ingredient(seconds=_training_seconds)
_POINTS: Final = "6 train and 12 test points on a sphere, one hidden layer of erf, fixed"

OBSERVABLES = (
    observable(
        "ridge_duality", (),
        "largest difference of predictions (Phi'Phi + lambda)^-1 Phi'y and (Phi Phi' + lambda)^-1 y over the largest "
        f"prediction, lambda = 0.1, {_POINTS}; case twin: the dual with 4 lambda",
        "Xu 2021, eqs 7-8", kind="computation", measure=ridge_duality, defined_for=(cases("claim", "twin"),),
        cost=(_HIDDEN, _FACTOR),
    ),
    observable(
        "ridge_gp_distance", (),
        "|ridge predictions - posterior mean of the NNGP| / |posterior mean| on the test points, noise variance lambda "
        f"= 0.1, {_POINTS}; case twin: noise variance 4 lambda",
        "Xu 2021, §1.2 and eqs 6-9",
        kind="computation", measure=ridge_gp_distance, defined_for=(cases("claim", "twin"),),
        cost=(_HIDDEN, _ANOTHER_FACTOR),
    ),
    observable(
        "posterior_defect", (),
        "largest difference of mean and covariance over read-outs N(0, 1), both trained to the end, from those of the "
        f"noiseless posterior of the network's own K, over the prior's scale, {_POINTS}; case twin: K of infinite "
        "width",
        "Xu 2021, §5.2.1, eq 80", kind="computation", measure=posterior_defect, defined_for=(cases("claim", "twin"),),
        cost=(_TRAINED,),
    ),
    observable(
        "last_layer_defect", (),
        "largest difference of mean and covariance over read-outs N(0, 1) after a twentieth of the steps from "
        f"K_qx K^-1 (I - E) y and K_qq - K_qx K^-1 (I - E^2) K_xq, over the prior's scale, {_POINTS}; case twin: K of "
        "infinite width",
        "Xu 2021, §5.2.1, eqs 75-79",
        kind="computation", measure=last_layer_defect, defined_for=(cases("claim", "twin"),),
        cost=(_TRAINED,),
    ),
)  # fmt: skip
