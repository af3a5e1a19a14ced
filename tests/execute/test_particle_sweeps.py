"""Sweeps of particles end to end: the numbers of the library and of the networks, what the dynamics does to them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine import particles as pt
from sweepengine.data import fresh_points, load
from sweepengine.observe import canonical_names
from sweepengine.spec import ParticleSpec, expand_particles, make_spec
from tests.support.particle_sweeps import NETWORK, TEACHER, WELLS, changed, computed

if TYPE_CHECKING:
    from pathlib import Path


def test_stored_numbers_are_those_of_the_library(tmp_path: Path) -> None:
    found = computed(TEACHER, tmp_path / "cloud.zarr")
    assert found.particles.dims == ("run", "snapshot", "particle", "coord")
    assert found.coord.values.tolist() == ["w0", "w1", "w2", "w3", "a"]
    assert found.snapshot_step.values.tolist() == [found.step.values[k] for k in (0, 2, 5)]
    spec = make_spec(TEACHER)
    assert isinstance(spec, ParticleSpec)
    assert spec.data is not None
    data = load(spec.data)
    risk = pt.Risk(pt.Neuron(4, "relu"), torch.from_numpy(data.x_train), torch.from_numpy(data.y_train))
    functional = pt.Functional([risk, pt.Scaled(pt.quadratic(), 0.01)])
    for _, each in found.groupby("run"):
        run = each.isel(run=0)
        cloud = pt.gaussian_cloud(int(run.seed), int(run.width), 5)
        cloud[:, 4] = cloud[:, 4].sign()
        end = pt.flow(functional, cloud, step_size=0.1, steps=20).final()
        stored = run.particles.values[:, : int(run.width)]
        np.testing.assert_array_equal(stored[0], cloud)
        np.testing.assert_array_equal(stored[-1], end)
        np.testing.assert_array_equal(run.outputs_train.values[-1], risk.outputs(end))
        assert float(run.objective[-1]) == functional.value(end)
        assert float(run.terms.sum("term")[-1]) == pytest.approx(float(run.objective[-1]), rel=1e-14)
        assert float(run.dissipation[-1]) == pt.dissipation(functional, end)
        assert float(run.displacement[-1]) == pytest.approx(float((end - cloud).square().sum(1).mean().sqrt()))
        assert float(run.sliced_w2_start[-1]) < float(run.displacement[-1])  # W2 is at most any coupling
        # O(dt) beside what it is the defect of: a missing ½ or 1/N would leave a part of the dissipation itself.
        assert abs(float(run.energy_defect[0])) < 0.1 * float(run.dissipation[0])
    assert found.particles.sel(run=found.width == 16)[:, :, 16:].isnull().all()


def test_every_observable_by_name(tmp_path: Path) -> None:
    names = ["w2_start", "stationarity_gap", "kernel", "kernel_drift", "mean", "deviation", "loss_test"]
    found = computed(changed(TEACHER, observables=names, axes={"width": [16], "seed": 1}), tmp_path / "few.zarr")
    assert set(names) | {"inputs_train", "inputs_test", "targets_train", "targets_test", "grid_points"} == set(
        found.data_vars
    )
    assert all(bool(found[name].notnull().all()) for name in names)
    assert float(found.w2_start[0, 0]) == 0
    assert float(found.w2_start[0, -1]) > 0
    assert float(found.kernel_drift[0, -1]) > 0
    assert float(found.stationarity_gap.min()) >= 0


def test_particles_and_networks_give_one_trajectory(tmp_path: Path) -> None:
    network = computed(NETWORK, tmp_path / "twin.zarr")
    content = {key: NETWORK[key] for key in ("name", "data", "precision", "observables")} | {
        "kind": "particles",
        "unit": {"activation": "tanh", "bias": True, "scale": 0.8, "input_scale": 1.3 / 8, "bias_scale": 0.7},
        "functional": {"terms": [{"term": "risk", "cost": "mse"}]},
        "initial": {"law": "network"},
        "dynamics": {key: NETWORK["training"][key] for key in ("step_size", "time", "records")} | {"method": "euler"},
        "axes": {"width": [16], "seed": 1},
    }
    found = computed(content, tmp_path / "particles.zarr").isel(run=0)
    ntk, mean_field = (network.isel(run=k) for k in (0, 1))
    assert mean_field.scaling == "mean_field"
    for name in ("outputs_test", "loss_train", "kernel"):
        np.testing.assert_allclose(found[name], mean_field[name], rtol=1e-11, atol=1e-13)
    # Without 1/m it is another trajectory: that of m^{-1/2}.
    assert float(abs(found.outputs_test - ntk.outputs_test).max()) > 0.1


def test_a_cloud_that_blows_up_is_recorded_and_the_others_finish(tmp_path: Path) -> None:
    content = changed(WELLS, axes={"temperature": [0.0, 50.0]})
    outcome = sweepengine.run(content, tmp_path / "wells.zarr", executor="inline")
    found = sweepengine.open_sweep(tmp_path / "wells.zarr").load()
    assert (outcome.done, outcome.diverged, outcome.failed) == (2, 2, 0)
    assert found.status.values.tolist() == ["done", "done", "diverged", "diverged"]
    assert found.temperature.values.tolist() == [0.0, 0.0, 50.0, 50.0]
    assert found.diverged_step.values[:2].tolist() == [-1, -1]
    assert (found.diverged_step.values[2:] > 0).all()
    valid = found.step < found.diverged_step.where(found.diverged_step >= 0, 10**9)
    np.testing.assert_array_equal(found.objective.notnull(), valid.transpose("run", "record"))


def test_a_functional_without_lower_bound_has_diverged(tmp_path: Path) -> None:
    content = changed(WELLS, functional={"terms": [{"term": "double_well", "strength": -1.0}]})
    assert sweepengine.run(content, tmp_path / "w.zarr", executor="inline").diverged == 2


def test_the_noise_has_its_scale(tmp_path: Path) -> None:
    """Euler–Maruyama's own variance (theory.md §5.7): v ← (1 − dt)² v + 2τ dt."""
    tau, dt, m = 0.5, 0.1, 4000
    content = changed(
        WELLS, functional={"terms": [{"term": "quadratic"}]}, axes={"width": [m], "seed": 1, "temperature": [tau]},
        dynamics={"snapshots": 0},
    )  # fmt: skip
    found = computed(content, tmp_path / "ou.zarr").isel(run=0)
    variances = [1.0]
    for _ in range(10):
        variances.append((1 - dt) ** 2 * variances[-1] + 2 * tau * dt)
    seen = found.deviation.values[-1] ** 2
    error = 4 * variances[-1] * math.sqrt(2 / m)  # four standard errors of a Gaussian's variance
    assert np.all(abs(seen - variances[-1]) < error)
    quiet = 1.0
    for _ in range(10):
        quiet = (1 - dt) ** 2 * quiet + tau * dt
    assert np.all(abs(seen - quiet) > 2 * error)  # √τ for √(2τ) would be seen


@pytest.mark.parametrize("method", ["euler", "euler_maruyama", "stochastic_heun"])
@pytest.mark.parametrize(("frozen", "still"), [("output", slice(4, 5)), ("input", slice(0, 4))])
def test_nothing_moves_frozen_coordinates(method: str, frozen: str, still: slice, tmp_path: Path) -> None:
    noise = {"temperature": 0.0 if method == "euler" else 0.1}
    content = changed(
        TEACHER, unit={"frozen": frozen}, functional=noise, dynamics={"method": method}, axes={"width": [16], "seed": 1}
    )
    found = computed(content, tmp_path / "x.zarr")
    start, *_, end = found.particles.values[0]
    moved = np.abs(end - start).min(axis=0) > 0
    expected = np.ones(5, dtype=bool)
    expected[still] = False
    np.testing.assert_array_equal(moved, expected)
    if method == "euler":  # the dissipation is that of the coordinates that move, so F₀ falls by it
        assert abs(found.energy_defect.values).max() < 0.2 * found.dissipation.values.max()


@pytest.mark.parametrize("to", ["sphere", "ball"])
def test_projected_particles_start_where_they_stay(to: str, tmp_path: Path) -> None:
    content = changed(WELLS, dynamics={"projection": {"to": to, "radius": 1.5}})
    norms = np.linalg.norm(computed(content, tmp_path / "x.zarr").particles.values, axis=-1)
    assert norms.shape == (2, 2, 64)
    assert norms.max() < 1.5 + 1e-12
    np.testing.assert_allclose(norms.min() if to == "sphere" else norms.max(), 1.5, rtol=1e-12)


def test_an_output_weight_like_the_others_has_their_mean(tmp_path: Path) -> None:
    start = {"output": "alike", "mean": 3.0, "output_scale": 0.5}
    content = changed(
        TEACHER, initial=start, axes={"width": [4000], "seed": 1}, dynamics={"step_size": 1.0, "time": 5.0}
    )
    found = computed(content, tmp_path / "x.zarr").isel(run=0, record=0)
    np.testing.assert_allclose(found["mean"], 3.0, atol=0.1)
    np.testing.assert_allclose(found.deviation, [1, 1, 1, 1, 0.5], rtol=0.05)


def test_fresh_points_are_new_at_every_step_and_the_runs_own(tmp_path: Path) -> None:
    spec = make_spec(changed(TEACHER, dynamics={"samples": "fresh"}))
    assert isinstance(spec, ParticleSpec)
    [run, *_] = expand_particles(spec, "0" * 16, canonical_names(spec))
    assert run.fresh is not None
    x = [fresh_points(run.fresh, seed, step)[0] for seed, step in ((0, 0), (0, 1), (1, 0))]
    assert all(np.intersect1d(a, b).size == 0 for a, b in ((x[0], x[1]), (x[0], x[2])))
    np.testing.assert_array_equal(fresh_points(run.fresh, 0, 1)[0], x[1])
    fixed = computed(TEACHER, tmp_path / "fixed.zarr")
    fresh = computed(changed(TEACHER, dynamics={"samples": "fresh"}), tmp_path / "fresh.zarr")
    np.testing.assert_array_equal(fixed.loss_train[:, 0], fresh.loss_train[:, 0])  # the same stored points
    assert not np.isclose(fixed.loss_train[:, -1], fresh.loss_train[:, -1]).any()
    shells = TEACHER | {
        "data": {"name": "shells", "d": 4, "delta": 0.8, "n_train": 100, "n_test": 200},
        "unit": {"activation": "staircase", "output": "none"},
        "initial": {"law": "gaussian", "scale": 0.4},
        "dynamics": TEACHER["dynamics"] | {"samples": "fresh", "step_size": 0.01, "time": 0.2},
    }
    found = computed(shells, tmp_path / "shells.zarr")
    assert bool((found.loss_test[:, -1] < found.loss_test[:, 0]).all())


def test_particles_learn_a_neuron_that_their_features_cannot(tmp_path: Path) -> None:
    """theory.md §4.8: the same cloud with and without moving input weights, on fresh points."""
    content = changed(
        TEACHER, data={"d": 16, "n_train": 256, "n_test": 2000},
        functional={"terms": [{"term": "risk", "cost": "mse"}]},
        initial={"law": "gaussian", "scale": 0.25, "output": "signs", "output_scale": 1.0},
        dynamics={"samples": "fresh", "step_size": 0.25, "time": 40.0}, axes={"width": [32], "seed": 1},
        observables=["loss_test", "particles"],
    )  # fmt: skip
    moving = computed(content, tmp_path / "moving.zarr").isel(run=0)
    frozen = computed(changed(content, unit={"frozen": "input"}), tmp_path / "frozen.zarr").isel(run=0)
    spec = make_spec(content)
    assert isinstance(spec, ParticleSpec)
    assert spec.data is not None
    data = load(spec.data)
    active = data.y_train > 0
    target = np.asarray(np.linalg.lstsq(data.x_train[active], data.y_train[active], rcond=None)[0], dtype=np.float64)
    assert np.linalg.norm(target) == pytest.approx(1.0)
    features, cloud = (run.particles.values[-1] for run in (frozen, moving))
    np.testing.assert_array_equal(features[:, :-1], frozen.particles.values[0][:, :-1])
    least = pt.relu_feature_risk(features[:, :-1], target)[0]
    share = [2 * float(run.loss_test[-1]) / 0.5 for run in (frozen, moving)]  # of E f*² = 1/2
    assert least / 0.5 > 0.1
    assert share[0] > 0.9 * least / 0.5  # no read-out of these features does better, up to 2000 test points
    assert share[1] < 0.1 * share[0]
    assert pt.relu_network_risk(cloud, target) / 0.5 == pytest.approx(share[1], rel=0.3)


@pytest.mark.parametrize("kernel", [{"kernel": "gaussian", "length": 0.5}, {"power": 1.5}, {}])
def test_the_discrepancy_is_the_librarys(tmp_path: Path, kernel: dict[str, Any]) -> None:
    term = {"term": "mmd", "count": 50, "mean": 1.0, "scale": 0.5, "seed": 3} | kernel
    content = changed(
        WELLS, functional={"terms": [term]}, dynamics={"method": "euler"}, axes={"width": [64], "seed": [5]}
    )
    run = computed(content, tmp_path / "x.zarr").isel(run=0)
    chosen = pt.GaussianKernel(0.5) if "length" in kernel else pt.RieszKernel(kernel.get("power", 1.0))
    functional = pt.Functional([pt.Discrepancy(chosen, pt.gaussian_cloud(3, 50, 2) * 0.5 + 1.0)])
    cloud = pt.gaussian_cloud(5, 64, 2)
    assert float(run.objective[0]) == pytest.approx(functional.value(cloud), rel=1e-12)
    end = pt.flow(functional, cloud, step_size=0.1, steps=10).final()
    np.testing.assert_allclose(run.particles.values[-1], end.numpy(), rtol=1e-12, atol=1e-12)
    assert 0 < float(run.objective[-1]) < float(run.objective[0])
