"""Positive definiteness of the limiting NTK (theory.md §3.8) and every exception to it."""

from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sweepengine import theory

Floats = npt.NDArray[Any]
Sphere = Callable[[int, int], Floats]

ZERO = 1e-13


def _reasons(found: theory.Definiteness) -> list[str]:
    return [d.reason for d in found.degeneracies]


@pytest.mark.parametrize("spec", ["relu", "abs", "erf", "gelu", "sin", "cos", "tanh"])
@pytest.mark.parametrize("depth", [1, 3])
def test_positive_on_the_sphere_with_biases_even_with_antipodal_points(spec: str, depth: int, sphere: Sphere) -> None:
    x = sphere(10, 3)
    x = np.concatenate([x, -x[:4]])
    found = theory.definiteness(x, depth=depth, activation=spec, sigma_w=1.4, sigma_b=0.5)
    assert found.degeneracies == ()
    assert found.ratio > 1e-9


@pytest.mark.parametrize("spec", ["erf", "sin", "tanh", "abs", "cos"])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_odd_and_even_activations_cannot_tell_antipodal_points_without_bias(
    spec: str, depth: int, sphere: Sphere
) -> None:
    x = sphere(5, 4)
    clean = theory.definiteness(x, depth=depth, activation=spec, sigma_w=1.2, sigma_b=0.0)
    assert clean.ratio > 1e-6
    assert clean.degeneracies == ()
    x = np.concatenate([x, -x[:1]])
    found = theory.definiteness(x, depth=depth, activation=spec, sigma_w=1.2, sigma_b=0.0)
    assert _reasons(found) == ["antipodal"]
    assert abs(found.ratio) < ZERO


def test_an_even_activation_loses_no_digits_at_antipodal_points() -> None:
    """Rounded norms must not enter: two layers of abs would make a rounding error ε of v into √ε of the kernel."""
    for seed in range(8):
        x = np.random.default_rng(seed).standard_normal((9, 3))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        points = np.concatenate([x, -x[:1]])
        found = theory.definiteness(points, depth=2, activation="abs", sigma_w=1.5, sigma_b=0.0)
        assert abs(found.ratio) < ZERO, seed


def test_relu_with_one_layer_tells_at_most_d_antipodal_pairs(sphere: Sphere) -> None:
    d = 3
    x = sphere(d + 1, d)
    just = theory.definiteness(np.concatenate([x[:d], -x[:d]]), depth=1, activation="relu", sigma_w=1.4, sigma_b=0.0)
    assert just.degeneracies == ()
    assert just.ratio > 1e-4
    arch: dict[str, Any] = {"activation": "relu", "sigma_w": 1.4, "sigma_b": 0.0}
    over = theory.definiteness(np.concatenate([x, -x]), depth=1, **arch)
    assert _reasons(over) == ["antipodal"]
    assert abs(over.ratio) < ZERO
    deeper = theory.definiteness(np.concatenate([x, -x]), depth=2, **arch)
    assert deeper.degeneracies == ()
    assert deeper.ratio > 1e-4


@pytest.mark.parametrize("spec", ["relu", "abs", "leaky_relu"])
def test_parallel_points_of_a_homogeneous_activation(spec: str, sphere: Sphere) -> None:
    x = sphere(4, 3)
    x = np.concatenate([x, 2.5 * x[:1]])
    found = theory.definiteness(x, depth=2, activation=spec, sigma_w=1.4, sigma_b=0.0)
    assert _reasons(found) == ["parallel"]
    assert abs(found.ratio) < ZERO
    biased = theory.definiteness(x, depth=2, activation=spec, sigma_w=1.4, sigma_b=0.5)
    assert biased.degeneracies == ()
    assert biased.ratio > 1e-4


@pytest.mark.parametrize(
    ("spec", "degree", "sigma_b", "depth"),
    [
        ("quadratic", 2, 0.0, 1),
        ("quadratic", 2, 0.7, 1),
        (("hermite", 3), 3, 0.7, 1),
        ("identity", 1, 0.0, 3),
        ("identity", 1, 0.7, 2),
        ("quadratic", 2, 0.7, 2),
    ],
    ids=str,
)
def test_polynomials_run_out_of_dimensions(
    spec: theory.ActivationSpec, degree: int, sigma_b: float, depth: int, rng: np.random.Generator
) -> None:
    d = 2
    total = degree**depth
    dimension = comb(d + total - 1, total) if sigma_b == 0 else comb(d + total, total)
    x = rng.standard_normal((dimension + 1, d))
    arch: dict[str, Any] = {"depth": depth, "activation": spec, "sigma_w": 1.0, "sigma_b": sigma_b}
    full = theory.definiteness(x[:dimension], **arch)
    over = theory.definiteness(x, **arch)
    assert full.degeneracies == ()
    assert _reasons(over) == ["polynomial"]
    assert abs(over.ratio) < ZERO < full.ratio / 100


def test_duplicates_are_named(sphere: Sphere) -> None:
    x = sphere(3, 3)
    found = theory.definiteness(np.concatenate([x, x[1:2]]), depth=1, activation="erf", sigma_w=1.0, sigma_b=0.3)
    assert _reasons(found) == ["duplicates"]
    assert abs(found.ratio) < ZERO


def test_h_infinity_is_positive_unless_parallel(sphere: Sphere) -> None:
    x = sphere(6, 3)
    assert theory.least_eigenvalue(theory.h_infinity(x)) > 1e-3
    for extra in (3 * x[:1], -x[:1]):
        bad = np.concatenate([x, extra])
        positive = theory.least_eigenvalue(theory.h_infinity(bad))
        # The notes say "not proportional"; the antipodal pair alone keeps H^∞ positive: its entry is 0.
        assert (positive > 1e-3) == (extra[0, 0] == -x[0, 0])


def test_how_the_smallest_eigenvalue_depends_on_depth(sphere: Sphere) -> None:
    x = sphere(8, 10)

    def ratios(kernel: str, sigma_w: float, sigma_b: float) -> list[float]:
        found = []
        for depth in (1, 4, 16, 64):
            kernels = theory.kernels(x, depth=depth, activation="relu", sigma_w=sigma_w, sigma_b=sigma_b)
            spectrum = np.linalg.eigvalsh(getattr(kernels, kernel))
            found.append(float(spectrum[0] / spectrum[-1]))
        return found

    # σ_w² = 2, σ_b = 0: the NNGP's correlations tend to 1, the NTK's to 1/4, so that only the NNGP degenerates.
    critical = ratios("nngp", 2**0.5, 0.0)
    assert critical[0] > 1.5 * critical[1] > 4 * critical[2] > 16 * critical[3]
    limit = (1 - 1 / 4) / (1 + 7 / 4)
    tangent = ratios("ntk", 2**0.5, 0.0)
    assert tangent[0] < tangent[1] < tangent[2] < tangent[3] < limit
    assert tangent[3] > 0.8 * limit
    # σ_w² < 2 with biases: inputs are forgotten and both kernels become constant.
    forgotten = ratios("ntk", 1.0, 0.5)
    assert forgotten[0] > 1.5 * forgotten[1] > 30 * forgotten[2]


def test_smallest_eigenvalue_falls_like_the_distance_of_the_closest_points(sphere: Sphere) -> None:
    x = sphere(8, 10)
    slopes = {}
    for spec in ("relu", "erf"):
        ratios = []
        for gap in (1e-1, 1e-2, 1e-3):
            near = np.concatenate([x, x[:1] + gap * x[1:2]])
            ratios.append(theory.definiteness(near, depth=1, activation=spec, sigma_w=1.4, sigma_b=0.1).ratio)
        slopes[spec] = np.diff(np.log10(ratios))
    # The NTK of relu has a cusp at θ = 0: λ_min ∝ θ; a smooth φ has none: θ².
    np.testing.assert_allclose(slopes["relu"], -1, atol=0.15)
    np.testing.assert_allclose(slopes["erf"], -2, atol=0.15)
