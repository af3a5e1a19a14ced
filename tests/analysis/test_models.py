"""Models compared by what they predict for the widest left out; optima along an axis; collapse of two axes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from sweepengine import analysis
from sweepengine.analysis._jackknife import log_means
from sweepengine.analysis._models import FINITE_SIZE, OFFSET, compare_models, fit_model
from tests.support.curves import LOG_M, WIDTHS, curves, simulate

M = WIDTHS.astype(float)


def noisy(law: np.ndarray[tuple[int], np.dtype[np.float64]], seed: int, noise: float) -> analysis.Curves:
    return curves(law * simulate(1, 8, p=0.0, noise=noise, rng_seed=seed)[0])


@pytest.mark.parametrize(
    ("law", "best"),
    [
        (M**-0.5, "power law"),
        (M**-0.5 * (1 + 4 * M**-0.5), "finite size 1/2"),
        (M**-0.5 * (1 + 30 / M), "finite size 1"),
        (0.1 + 10 / M, "offset"),
    ],
)
def test_the_model_that_is_true_predicts_the_widest_best(
    law: np.ndarray[tuple[int], np.dtype[np.float64]], best: str
) -> None:
    """With 0.2 % of noise; an offset contains the power law, which therefore shares its place."""
    fit = analysis.fit_scaling(noisy(law, 5, 0.002))
    assert best in {model.name for model in fit.models[: 3 if best == "power law" else 1]}
    errors = [abs(model.error.value) for model in fit.models]
    assert errors == sorted(errors)
    true = next(model for model in fit.models if model.name == best)
    assert true.error.contains(0.0)
    if best != "power law":
        straight = next(model for model in fit.models if model.name == "power law")
        assert not straight.error.contains(0.0)


def test_a_fit_of_an_offset_is_that_of_scipy() -> None:
    full, _ = log_means(noisy(0.1 + 10 / M, 6, 0.1).values)
    theta, _ = fit_model(OFFSET, full, LOG_M - LOG_M[-1])

    def residual(
        parameters: np.ndarray[tuple[int], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        r = full - OFFSET.shape(parameters, LOG_M - LOG_M[-1])
        return np.asarray(r - r.mean())

    found = optimize.least_squares(residual, [1.0, 0.5], bounds=([0.05, -2], [4, 0.999]), xtol=1e-14, ftol=1e-14).x
    np.testing.assert_allclose(theta, found, rtol=1e-6)


def test_an_offset_is_measured_with_its_interval() -> None:
    full, left = log_means(noisy(0.1 + 10 / M, 7, 0.05).values)
    [offset] = [model for model in compare_models(full, left, LOG_M) if model.name == "offset"]
    assert offset.level is not None
    assert offset.p is not None
    assert offset.level.contains(0.1)
    assert offset.p.contains(1.0)
    assert not offset.level.contains(0.0)
    pure = next(m for m in analysis.fit_scaling(noisy(10 / M, 7, 0.05)).models if m.name == "offset")
    assert pure.level is not None
    assert pure.level.contains(0.0)


def test_models_need_a_width_for_every_parameter() -> None:
    three = analysis.fit_scaling(curves(np.tile(M[:3] ** -1.0, (3, 1)), WIDTHS[:3]))
    assert [model.name for model in three.models] == ["power law"]
    four = analysis.fit_scaling(curves(np.tile(M[:4] ** -1.0, (3, 1)), WIDTHS[:4]))
    assert {model.name for model in FINITE_SIZE} < {model.name for model in four.models}


ETA = np.asarray(2.0 ** np.arange(-6, 3), dtype=np.float64)


def losses(noise: float, rng_seed: int, at: float = 0.2) -> analysis.Curves:
    rng = np.random.default_rng(rng_seed)
    z = np.sqrt(0.5) * (rng.standard_normal((8, 1)) + rng.standard_normal((8, ETA.size)))
    return analysis.Curves(ETA, np.arange(8), np.exp(0.15 * np.log(ETA / at) ** 2 + noise * z), (), "step_size")


def test_an_optimum_is_located() -> None:
    exact = analysis.locate_optimum(losses(0.0, 0))
    assert (exact.axis, exact.neighbours) == ("step_size", (0.125, 0.25, 0.5))
    assert exact.at.value == pytest.approx(0.2, rel=1e-9)
    assert exact.value.value == pytest.approx(1.0, rel=1e-9)
    found = [analysis.locate_optimum(losses(0.02, k)).at for k in range(200)]
    seen = np.mean([at.contains(0.2) for at in found])
    assert 0.90 < seen < 0.99
    assert np.mean([at.contains(0.3) for at in found]) < 0.05  # the negative twin: another optimum is not covered
    top = losses(0.0, 0)
    greatest = analysis.locate_optimum(
        analysis.Curves(ETA, top.seeds, 1 / top.values, (), "step_size"), sense="greatest"
    )
    assert greatest.at.value == pytest.approx(0.2, rel=1e-9)


def test_an_optimum_at_the_edge_is_refused() -> None:
    with pytest.raises(
        analysis.OptimumAtEdgeError, match=r"step_size = 0.015625, the smallest of 9.*Add smaller values"
    ):
        analysis.locate_optimum(losses(0.0, 0, at=0.001))
    with pytest.raises(analysis.OptimumAtEdgeError, match="Add larger values"):
        analysis.locate_optimum(losses(0.0, 0, at=50.0))
    with pytest.raises(analysis.TooFewWidthsError, match="at least 3"):
        analysis.locate_optimum(analysis.Curves(ETA[:2], np.arange(8), np.ones((8, 2)), (), "step_size"))
    with pytest.raises(analysis.ContractError, match="vectors"):
        analysis.locate_optimum(analysis.Curves(ETA, np.arange(8), np.ones((8, 9, 2)), (), "step_size"))


DEPTHS, LAYERS = np.array([1, 2, 3, 4, 6, 8, 12, 16.0]), np.array([32, 64, 128, 256.0])


def depth_and_width(
    power: float, rng_seed: int, noise: float = 0.2
) -> np.ndarray[tuple[int, int, int], np.dtype[np.float64]]:
    rng = np.random.default_rng(rng_seed)
    z = np.sqrt(0.5) * (rng.standard_normal((8, 1, 1)) + rng.standard_normal((8, DEPTHS.size, LAYERS.size)))
    r = DEPTHS[:, None] / LAYERS**power
    return np.asarray(r**0.7 * (1 + 20 * r) * np.exp(noise * z))


def test_a_collapse_is_measured() -> None:
    found = [analysis.collapse(DEPTHS, LAYERS, depth_and_width(1.0, k)) for k in range(6)]
    assert float(np.median([each.quality_at for each in found])) == pytest.approx(1.0, abs=0.35)
    assert all(abs(each.exponent.value - 1) < 0.1 for each in found)
    assert sum(each.exponent.contains(1.0) for each in found) >= 4
    other = analysis.collapse(DEPTHS, LAYERS, depth_and_width(0.5, 0))  # the negative twin
    assert other.quality_at > 20
    assert not other.exponent.contains(1.0)
    assert other.exponent.contains(0.5)
    assert other.quality < 2
    none = analysis.collapse(
        DEPTHS, LAYERS, depth_and_width(1.0, 0, noise=0.02) * (1 + np.log(DEPTHS)[:, None] * LAYERS / 64)
    )
    assert none.quality > 20


def test_a_collapse_refuses_what_it_cannot_read() -> None:
    values = depth_and_width(1.0, 0)
    with pytest.raises(analysis.TooFewSeedsError, match="at least 3"):
        analysis.collapse(DEPTHS, LAYERS, values[:2])
    with pytest.raises(analysis.ContractError, match="does not increase"):
        analysis.collapse(DEPTHS[::-1], LAYERS, values)
    with pytest.raises(analysis.ContractError, match="not positive"):
        analysis.collapse(DEPTHS, LAYERS, 0 * values)
    with pytest.raises(analysis.ContractError, match=r"need \(X,\)"):
        analysis.collapse(DEPTHS, LAYERS, values[0])
    with pytest.raises(analysis.ContractError, match="curves of different y overlap"):
        analysis.collapse(DEPTHS, [32, 32 * 10**4], values[:, :, :2])
