"""Random features against what they learn: one linear model, or one relu neuron (theory.md §4.8). Imports no torch.

The width is the dimension d. Risks are those of the population, x ~ N(0, I_d), and no x is sampled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.observe._observable import Observable

    Floats = NDArray[np.float64]

LINEAR_DRAWS: Final = 256
"""Draws of the linear features of one run."""
TARGETS: Final = 64
"""Relu neurons that the features of one run are to fit."""
STEP_SIZE: Final = 0.25
STEPS: Final = 400
"""Steps of the network until its risk is recorded first; as many again until the second time."""


class _Linear(NamedTuple):
    """Risks of the draws, and their distance from the law."""

    risks: Floats
    tail: float
    kolmogorov: float


def _linear(now: Case) -> _Linear:
    from sweepengine.particles import linear_feature_law, linear_feature_risk

    d, generator = now.width, now.generator()
    features = d // 2 if now.name == "claim" else 3 * d // 4
    target = np.eye(d)[0]
    risks = np.array(
        [linear_feature_risk(generator.standard_normal((features, d)), target) for _ in range(LINEAR_DRAWS)]
    )
    law = linear_feature_law(d // 2, d)
    levels = law.cdf(np.sort(risks))
    steps = np.arange(LINEAR_DRAWS + 1) / LINEAR_DRAWS
    apart = max(float((steps[1:] - levels).max()), float((levels - steps[:-1]).max()))
    return _Linear(risks, float(law.sf(0.25)), apart)


def linear_feature_mean(now: Case, _: Case) -> float:
    """Mean over the draws of the least risk."""
    return float(now.once(_linear).risks.mean())


def linear_feature_share(now: Case, _: Case) -> float:
    """Share of the draws with a risk of at least 1/4."""
    return float((now.once(_linear).risks >= 0.25).mean())


def linear_feature_excess(now: Case, _: Case) -> float:
    """That share minus the chance of the law."""
    return linear_feature_share(now, now) - now.once(_linear).tail


def linear_feature_kolmogorov(now: Case, _: Case) -> float:
    """√n sup |F_n − F| of the n draws: Kolmogorov's statistic against the law of the claim."""
    return float(np.sqrt(LINEAR_DRAWS) * now.once(_linear).kolmogorov)


class _Relu(NamedTuple):
    """Share of the targets that features miss, in the mean over targets; and m max |u_k|, likewise."""

    share: float
    weight: float


def _directions(generator: np.random.Generator, count: int, d: int) -> Floats:
    drawn = generator.standard_normal((count, d))
    unit: Floats = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


def _drawn(now: Case) -> tuple[Floats, Floats]:
    """Targets w* (64, d), features w_k (d², d)."""
    d, generator = now.width, now.generator()
    return _directions(generator, TARGETS, d), _directions(generator, d * d, d)


def _features(now: Case, count: int) -> _Relu:
    from sweepengine.particles import relu_feature_risk

    targets, drawn = now.once(_drawn)
    features = drawn[:count].copy()
    if now.name == "twin":  # features that have seen the targets, as many as there is room for
        features[:TARGETS] = targets[:count]
    risks, u = relu_feature_risk(features, targets.T)
    return _Relu(float(risks.mean()) / 0.5, count * float(np.abs(u).max(0).mean()))


def _proportional(now: Case) -> _Relu:
    return _features(now, 2 * now.width)


def _quadratic(now: Case) -> _Relu:
    return _features(now, now.width**2)


def relu_feature_share(now: Case, _: Case) -> float:
    """Share that 2d features miss."""
    return now.once(_proportional).share


def relu_feature_share_square(now: Case, _: Case) -> float:
    """Share that d² features miss."""
    return now.once(_quadratic).share


def relu_feature_margin(now: Case, _: Case) -> float:
    """Share that 2d features miss, minus the least share that 2d functions can miss."""
    from sweepengine.particles import relu_feature_floor

    return now.once(_proportional).share - relu_feature_floor(2 * now.width, now.width)


def relu_feature_margin_square(now: Case, _: Case) -> float:
    """The same for d²."""
    from sweepengine.particles import relu_feature_floor

    return now.once(_quadratic).share - relu_feature_floor(now.width**2, now.width)


def relu_feature_weight(now: Case, _: Case) -> float:
    """The number m max |u_k| of the best read-out of the m = 2d features."""
    return now.once(_proportional).weight


def _network(now: Case) -> tuple[float, float]:
    """Shares that the mean-field network of 2d neurons misses of the first target, at time T/2 and at T.

    The network starts from the features and signs. Gradient descent on the population risk itself; in the twin the
    input weights are frozen.
    """
    import torch

    from sweepengine.particles import Functional, ReluPopulationRisk, flow

    targets, features = now.once(_drawn)
    d, m = now.width, 2 * now.width
    signs = np.where(np.arange(m) % 2, 1.0, -1.0)
    start = torch.from_numpy(np.column_stack([features[:m], signs]))
    moving = torch.ones(d + 1, dtype=torch.float64)
    if now.name == "twin":
        moving[:-1] = 0
    functional, shares = Functional([ReluPopulationRisk(targets[0])], moving=moving), list[float]()

    def observe(step: int, _time: float, cloud: torch.Tensor) -> None:
        if step in (STEPS, 2 * STEPS):
            shares.append(functional.value(cloud) / 0.25)

    flow(functional, start, step_size=STEP_SIZE, steps=2 * STEPS, observe=observe)
    return shares[0], shares[1]


def relu_network_share(now: Case, _: Case) -> float:
    """Share that the network misses at the end."""
    return now.once(_network)[1]


def relu_network_fall(now: Case, _: Case) -> float:
    """Share at the end over that at half the time."""
    half, end = now.once(_network)
    return end / half


_LINEAR_ENTRY: Final = {"claim": 3.3e-8, "twin": 6.2e-8}
"""Case → seconds of a draw over d²."""
_LINEAR_COST: Final = (Ingredient(seconds=lambda run: LINEAR_DRAWS * (9e-6 + _LINEAR_ENTRY[run.case] * run.width**2)),)
_PROPORTIONAL: Final = Ingredient(seconds=lambda run: 4e-4 + 2e-8 * run.width**3)
_QUADRATIC: Final = Ingredient(
    # The singular values of the d² × d² Gram matrix, and the passes that make the matrix.
    flops=lambda run: 10.0 * run.width**6,
    seconds=lambda run: 4e-4 + 1e-7 * run.width**4,
)
_PROPORTIONAL_FLOOR: Final = Ingredient(seconds=lambda _: 2.5e-2)
_QUADRATIC_FLOOR: Final = Ingredient(seconds=lambda _: 3.3e-2)
_NETWORK: Final = Ingredient(seconds=lambda run: 2 * STEPS * (6e-5 + 1e-7 * run.width**2))


def _of(name: str, long_name: str, measure: Callable[[Case, Case], float], cost: tuple[Ingredient, ...]) -> Observable:
    return observable(
        name, (), long_name, "Wide-network notes, §3.10",
        kind="computation", measure=measure, defined_for=(cases("claim", "twin"),),
        cost=cost,
    )  # fmt: skip


_TWIN: Final = "case twin: with the 64 targets among the features"

OBSERVABLES = (
    _of("linear_feature_mean",
        "least risk of m = d/2 linear features for one linear neuron of norm 1, mean over 256 draws; case twin: "
        "m = 3d/4",
        linear_feature_mean, _LINEAR_COST),
    _of("linear_feature_share", "share of these draws whose least risk is at least 1/4", linear_feature_share,
        _LINEAR_COST),
    _of("linear_feature_excess", "that share minus the chance under Beta((d - m)/2, m/2), m = d/2",
        linear_feature_excess, _LINEAR_COST),
    _of("linear_feature_kolmogorov", "sqrt(n) sup |F_n - F| of these n least risks, F the law Beta((d - m)/2, m/2)",
        linear_feature_kolmogorov, _LINEAR_COST),
    _of("relu_feature_share",
        f"least risk of m = 2d relu features for one relu neuron over E f*^2, mean over 64 neurons; {_TWIN}",
        relu_feature_share, (_PROPORTIONAL,)),
    _of("relu_feature_margin", "that share minus the least one that any m functions have", relu_feature_margin,
        (_PROPORTIONAL, _PROPORTIONAL_FLOOR)),
    _of("relu_feature_weight", "m max |u_k| of the best read-out of the m = 2d features, mean over 64 neurons",
        relu_feature_weight, (_PROPORTIONAL,)),
    _of("relu_feature_share_square", f"least risk of d^2 relu features over E f*^2, mean over 64 neurons; {_TWIN}",
        relu_feature_share_square, (_QUADRATIC,)),
    _of("relu_feature_margin_square", "that share minus the least one that any d^2 functions have",
        relu_feature_margin_square, (_QUADRATIC, _QUADRATIC_FLOOR)),
    _of("relu_network_share",
        "population risk over E f*^2 of a mean-field network of 2d neurons, trained on this risk; case twin: input "
        "weights are frozen", relu_network_share, (_NETWORK,)),
    _of("relu_network_fall", "that share over the one at half the time", relu_network_fall, (_NETWORK,)),
)  # fmt: skip
