"""Quantities that compare runs with the limit's path from their own f_0, against the library of the theory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from sweepengine import theory
from sweepengine.analysis._ensembles import ENSEMBLE_MEAN, ENSEMBLE_VARIANCE, PATH_DISTANCE
from sweepengine.analysis.claims.bayes import POSTERIOR_MEAN, POSTERIOR_VARIANCE
from sweepengine.analysis.claims.lazy import largest_gaussian

if TYPE_CHECKING:
    from numpy.typing import NDArray

N, Q, STEPS = 4, 3, np.array([0, 1, 5, 20])
RUNS, UNKNOWN = 6, 2


def _kernels() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Θ and K on N + Q points, positive definite."""
    roots = np.random.default_rng(1).standard_normal((2, N + Q, 2 * (N + Q)))
    ntk, nngp = roots @ roots.transpose(0, 2, 1) / (2 * (N + Q))
    return ntk, nngp


def _sweep(step: float, kernel: NDArray[np.float64], trained_with: float) -> tuple[xr.Dataset, xr.Dataset]:
    """Runs that follow the dynamics of a kernel, trained with one step and recorded as if with another."""
    generator = np.random.default_rng(2)
    first, y = generator.standard_normal((RUNS, N + Q)), generator.standard_normal(N)
    _, nngp = _kernels()
    dynamics = theory.KernelDynamics.of(kernel[:N, :N], step=trained_with)
    test = [dynamics.query(STEPS * trained_with, kernel[N:, :N], f[N:], f[:N], y) for f in first]
    train = [dynamics.train(STEPS * trained_with, f[:N], y) for f in first]
    ensemble = theory.query_ensemble(
        dynamics, STEPS * trained_with, y, kernel_cross=kernel[N:, :N], nngp_train=nngp[:N, :N],
        nngp_cross=nngp[N:, :N], nngp_query=nngp[N:, N:],
    )  # fmt: skip
    deviation = np.sqrt(np.diagonal(ensemble.covariance, axis1=1, axis2=2))
    done = xr.Dataset(
        {
            "outputs_train": (("run", "record", "i"), np.stack(train)),
            "outputs_test": (("run", "record", "test"), np.stack(test)),
            "targets_train": ("i", y),
        },
        {
            "step_size": ("run", np.full(RUNS, step)),
            "step": ("record", STEPS),
            "time": ("record", STEPS * step),
            "limit": ("run", np.where(np.arange(RUNS) == UNKNOWN, "another", "known")),
        },
    )
    limit = {
        "ntk_train": (("limit", "i", "j"), kernel[None, :N, :N]),
        "ntk_test_train": (("limit", "test", "i"), kernel[None, N:, :N]),
        "nngp_train": (("limit", "i", "j"), nngp[None, :N, :N]),
        "nngp_test_train": (("limit", "test", "i"), nngp[None, N:, :N]),
        "nngp_test": (("limit", "test", "test_other"), nngp[None, N:, N:]),
        "outputs_mean_test": (("limit", "record", "test"), ensemble.mean[None]),
        "outputs_std_test": (("limit", "record", "test"), deviation[None]),
    }
    return done, xr.Dataset(limit, {"limit": ["known"]})


def test_a_run_that_follows_the_limit_keeps_no_distance_from_its_path() -> None:
    ntk, _ = _kernels()
    for trained_with, follows in ((0.3, True), (0.33, False)):
        done, limit = _sweep(0.3, ntk, trained_with)
        known = np.arange(RUNS) != UNKNOWN
        for quantity, value in ((PATH_DISTANCE, 0.0), (ENSEMBLE_MEAN, 0.0), (ENSEMBLE_VARIANCE, 1.0)):
            found = quantity.reduction.compute(done, limit).transpose("run", ...).values
            assert np.isnan(found[UNKNOWN]).all()
            apart = np.abs(found[known] - value)
            assert (apart.max() < 1e-12) == follows, quantity.name


def test_training_under_the_prior_to_the_end_samples_the_posterior() -> None:
    ntk, nngp = _kernels()
    eta = 1.5 * N / float(np.linalg.eigvalsh(nngp[:N, :N])[-1])
    for kernel, samples in ((nngp, True), (ntk, False)):
        done, limit = _sweep(eta, kernel, eta)
        longer = theory.KernelDynamics.of(kernel[:N, :N])
        y, first = done["targets_train"].values, done.isel(record=0)
        end = [
            longer.query(np.inf, kernel[N:, :N], first["outputs_test"].values[k], first["outputs_train"].values[k], y)
            for k in range(RUNS)
        ]
        done["outputs_test"][:, -1] = np.stack(end)
        for quantity, value in ((POSTERIOR_MEAN, 0.0), (POSTERIOR_VARIANCE, 1.0)):
            found = quantity.reduction.compute(done, limit).values
            assert np.isnan(found[UNKNOWN])
            assert (np.nanmax(np.abs(found - value)) < 1e-10) == samples, quantity.name


def test_the_largest_of_gaussians_is_known_for_one_for_two_and_for_many() -> None:
    assert largest_gaussian(1) == pytest.approx(np.sqrt(2 / np.pi), rel=1e-6)
    assert largest_gaussian(2) == pytest.approx(2 / np.sqrt(np.pi), rel=1e-6)
    assert largest_gaussian(10**6) == pytest.approx(np.sqrt(2 * np.log(10**6)), rel=0.08)
