"""Whether the limit of the tangent kernel is positive definite on given points. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.observe._case import Case, cases
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import Ingredient

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sweepengine.spec import ComputationRun

    Floats = NDArray[np.float64]
    Settings = tuple[str, int, float]
    """Activation, L, σ_b."""

_DIM: Final = 5
_ODD: Final = ("tanh", "erf", "sin")
_EVEN: Final = ("abs", "cos")
_OTHERS: Final = ("relu", "leaky_relu", "gelu", "softplus")


def _on_sphere(count: int, generator: np.random.Generator) -> Floats:
    """Random points on the sphere of radius √d."""
    x = generator.standard_normal((count, _DIM))
    points: Floats = x / np.linalg.norm(x, axis=1, keepdims=True) * _DIM**0.5
    return points


def _with_opposites(pairs: int) -> Callable[[int, np.random.Generator], Floats]:
    """Points −x beside the first x, as many as ``pairs``."""

    def points(count: int, generator: np.random.Generator) -> Floats:
        x = _on_sphere(count - pairs, generator)
        return np.concatenate([x, -x[:pairs]])

    return points


def _in_the_plane(count: int, generator: np.random.Generator) -> Floats:
    """Gaussian points with d = 2."""
    return generator.standard_normal((count, 2))


def _with_a_multiple(count: int, generator: np.random.Generator) -> Floats:
    x = _on_sphere(count - 1, generator)
    return np.concatenate([x, 2 * x[:1]])


_LAYER: Final = {"tanh": 4.5e-3, "softplus": 7.5e-3}
"""Activation → seconds of a layer of its kernel on few points, by quadrature."""
_CLOSED_LAYER: Final = 8e-5
"""The same of an activation whose kernel has a closed form."""

_CASES: Final[dict[str, tuple[Callable[[int, np.random.Generator], Floats], tuple[Settings, ...]]]] = {
    "claim": (_on_sphere, tuple((phi, depth, 0.5) for phi in (*_ODD, *_EVEN, *_OTHERS) for depth in (1, 2, 3))),
    "antipodal_odd": (_with_opposites(1), tuple((phi, depth, 0.0) for phi in _ODD for depth in (1, 2, 3))),
    "antipodal_even": (_with_opposites(1), tuple((phi, depth, 0.0) for phi in _EVEN for depth in (1, 2, 3))),
    "antipodal_relu": (_with_opposites(_DIM + 1), (("relu", 1, 0.0),)),
    "one_pair_relu": (_with_opposites(1), (("relu", 1, 0.0),)),
    "parallel": (
        _with_a_multiple,
        tuple((phi, depth, 0.0) for phi in ("relu", "leaky_relu", "abs") for depth in (1, 2, 3)),
    ),
    "linear": (_on_sphere, tuple(("identity", depth, 0.5) for depth in (1, 2, 3))),
    "quadratic": (_in_the_plane, (("quadratic", 1, 0.5), ("quadratic", 2, 0.5))),
    "quadratic_no_bias": (_on_sphere, (("quadratic", 1, 0.0),)),
}
"""Points, and the networks whose kernels are looked at: Θ_∞, and H^∞ (theory.md §3.9) for relu without biases."""


def _ratio(kernel: NDArray[np.floating]) -> float:
    spectrum = np.linalg.eigvalsh(kernel)
    return float(abs(spectrum[0]) / spectrum[-1])


def _ratios(case: Case) -> list[float]:
    from sweepengine import theory

    draw, networks = _CASES[case.name]
    x, found = draw(case.width, case.generator()), []
    for phi, depth, sigma_b in networks:
        settings: dict[str, Any] = {"depth": depth, "activation": phi, "sigma_w": 1.5, "sigma_b": sigma_b}
        found.append(_ratio(theory.kernels(x, **settings).ntk))
    if case.name.endswith("_relu"):
        found.append(_ratio(theory.h_infinity(x)))
    return found


def _seconds(run: ComputationRun) -> float:
    _, networks = _CASES[run.case]
    layers = sum(depth * _LAYER.get(phi, _CLOSED_LAYER) for phi, depth, _ in networks)
    return layers * (1 + run.width / 100) + (3e-4 if run.case.endswith("_relu") else 0.0)


_RATIOS: Final = Ingredient(seconds=_seconds)

OBSERVABLES = tuple(
    observable(
        f"definiteness_{name}", (),
        f"{name} of |lambda_min|/lambda_max of the limit of the tangent kernel over activations and depths; cases: "
        "random points on the sphere, and points on which the limit is singular",
        "theory.md §3.8; Jacot et al. 2018, Prop. 2; Du et al. 2019, §3", kind="computation", measure=measure,
        defined_for=(cases(*_CASES),), cost=(_RATIOS,),
    )
    for name, measure in (
        ("least", lambda now, _: min(now.once(_ratios))),
        ("largest", lambda now, _: max(now.once(_ratios))),
    )
)  # fmt: skip
