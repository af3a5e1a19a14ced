"""The backward recursion and the Gaussian conditioning lemma (theory.md §4.6)."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sweepengine import theory

Floats = npt.NDArray[Any]


def test_conditional_draws_keep_the_product_and_have_the_law(rng: np.random.Generator) -> None:
    phi = rng.standard_normal((7, 2))
    w = rng.standard_normal((3, 7))
    draws = np.stack([theory.condition_on_product(w, phi, rng) for _ in range(4000)])
    np.testing.assert_allclose(draws @ phi, np.broadcast_to(w @ phi, (4000, 3, 2)), atol=1e-12)
    projector = phi @ np.linalg.pinv(phi)
    free = draws - w @ projector
    measured = np.einsum("sni,snj->ij", free, free) / (4000 * 3)
    expected = np.eye(7) - projector
    error = np.sqrt((np.outer(np.diagonal(expected), np.diagonal(expected)) + expected**2) / (4000 * 3))
    assert (np.abs(measured - expected) / error).max() < 4
    assert (np.abs(measured - np.eye(7)) / error).max() > 4


def test_lemma_over_fresh_weights(rng: np.random.Generator) -> None:
    """W itself, not a constructed draw: W P^⊥ has covariance P^⊥ and no correlation with Wφ."""
    phi = rng.standard_normal((6, 2))
    w = rng.standard_normal((60_000, 6))
    projector = phi @ np.linalg.pinv(phi)
    free, known = w - w @ projector, w @ phi
    expected = np.eye(6) - projector
    error = np.sqrt((np.outer(np.diagonal(expected), np.diagonal(expected)) + expected**2) / 60_000)
    assert (np.abs(free.T @ free / 60_000 - expected) / error).max() < 4
    crossed = np.sqrt(np.outer(np.diagonal(expected), np.square(phi).sum(0)) / 60_000)
    assert (np.abs(free.T @ known / 60_000) / crossed).max() < 4


ARCH: dict[str, Any] = {"depth": 3, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.6, "sigma_a": 0.9}


def test_recursion_of_g_at_finite_width(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 5))
    layers = [theory.backward_check(x, rng, width=400, **ARCH) for _ in range(40)]
    for index in range(3):
        predicted = layers[0][index].predicted
        for name in ("measured", "decoupled"):
            draws = np.stack([getattr(run[index], name) for run in layers])
            error = draws.std(0, ddof=1) / np.sqrt(40)
            # The bias is O(1/m), a few per mille here, below the standard error.
            assert (np.abs(draws.mean(0) - predicted) < 4 * error).all()
            assert (np.abs(draws.mean(0) - 1.2 * predicted) > 4 * error).all()
        assert layers[0][index].layer == index + 1


def test_gradients_deviate_by_the_root_of_the_width(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 5))
    deviations = []
    for width in (64, 1024):
        runs = [theory.backward_check(x, rng, width=width, **ARCH)[0] for _ in range(24)]
        deviations.append(np.mean([np.linalg.norm(r.measured - r.predicted) for r in runs]))
    slope = np.log(deviations[1] / deviations[0]) / np.log(16)
    assert -0.65 < slope < -0.35


@pytest.mark.parametrize("spec", ["relu", "tanh"])
@pytest.mark.parametrize("sigma_b", [0.0, 0.8])
def test_conditional_covariance_is_as_the_lemma_says(spec: str, sigma_b: float, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 5))
    arch: dict[str, Any] = {"depth": 3, "activation": spec, "sigma_w": 1.4, "sigma_b": sigma_b}
    runs = [theory.backward_check(x, rng, width=200, **arch) for _ in range(80)]
    for chosen in ([0, 1], [2]):
        layers = [run[index] for run in runs for index in chosen]
        scores, twins = (
            np.stack(
                [(r.conditional_measured - factor * r.conditional_predicted) / r.conditional_error for r in layers]
            )
            for factor in (1.0, 1.05 if len(chosen) > 1 else 1.1)
        )
        count = len(layers)
        assert np.abs(scores.mean(0)).max() < 4 / np.sqrt(count)
        assert np.abs(np.square(scores).mean(0) - 1).max() < 4 * np.sqrt(2.6 / count)
        assert np.abs(twins.mean(0)).max() > 4 / np.sqrt(count)


def _alignment_constant(spec: str, sigma_b: float, rng: np.random.Generator) -> float:
    """c, the m-fold share of z inside the features of a single point (theory.md §4.6)."""
    x = np.array([[0.7, -1.1, 0.4]])
    layers = theory.backward_check(x, rng, width=50, depth=2, activation=spec, sigma_w=1.5, sigma_b=sigma_b)
    return float(50 * layers[0].share_predicted[0])


def test_alignment_constants(rng: np.random.Generator) -> None:
    for spec in ("relu", "abs", "identity"):
        assert _alignment_constant(spec, 0.0, rng) == pytest.approx(1.0, abs=1e-12)
        assert _alignment_constant(spec, 0.9, rng) == pytest.approx(1.0, abs=1e-12)
    for spec in ("tanh", "erf"):
        assert 0.1 < _alignment_constant(spec, 0.0, rng) < 0.9
    # erf in closed form: φ'² ∝ e^{−2h²}, so E[h²φ'²]/(q Eφ'²) = 1/(1 + 4q).
    first = 1.5**2 * (0.7**2 + 1.1**2 + 0.4**2) / 3
    q = 1.5**2 * float(theory.dual_activation("erf", first, first, first).value)
    assert _alignment_constant("erf", 0.0, rng) == pytest.approx(1 / (1 + 4 * q), rel=1e-12)


@pytest.mark.parametrize("sigma_b", [0.0, 1.0])
def test_share_of_z_inside_the_features(sigma_b: float, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 4))
    x *= 2 / np.linalg.norm(x, axis=1, keepdims=True)
    width, runs = 100, 1000
    hidden, last, plain = [], [], []
    for _ in range(runs):
        first, top = theory.backward_check(x, rng, width=width, depth=2, activation="erf", sigma_w=1.5, sigma_b=sigma_b)
        hidden.append(first.share_measured)
        last.append(top.share_measured)
        plain.append(first.share_predicted)
    for draws, predicted in ((np.stack(hidden), plain[0]), (np.stack(last), np.full(2, 2 / width))):
        error = draws.std(0, ddof=1) / np.sqrt(runs)
        correction = 3 * predicted / width  # the next order in 1/m
        assert (np.abs(draws.mean(0) - predicted) < 4 * error + correction).all()
    # c = E[h²φ'²]/(E h² E φ'²), without the bias's share of h, is right only for σ_b = 0.
    q = 1.5**2 * 1.0 + sigma_b**2
    second = theory.dual_activation("erf", q, q, q).value
    variance = float(1.5**2 * second + sigma_b**2)
    naive = (1 + 1 / (1 + 4 * variance)) / width
    draws = np.stack(hidden)
    error = draws.std(0, ddof=1) / np.sqrt(runs)
    wrong = (np.abs(draws.mean(0) - naive) > 4 * error + 3 * naive / width).all()
    assert wrong == (sigma_b > 0)


def test_bad_widths_and_shapes(rng: np.random.Generator) -> None:
    with pytest.raises(theory.ParameterError, match="expected more than the 3 points"):
        theory.backward_check(np.ones((3, 2)), rng, width=3, depth=1, activation="relu", sigma_w=1.0, sigma_b=0.0)
    with pytest.raises(theory.ShapeError, match=r"expected \(n, m\) and \(m, N\)"):
        theory.condition_on_product(np.ones((2, 3)), np.ones((2, 3)), rng)
