"""Observables of particle sweeps against their own formulas: weak form, first variation, distances to a reference."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.optimize import linear_sum_assignment

import sweepengine
from sweepengine import analysis
from sweepengine import particles as pt
from sweepengine.data import load
from sweepengine.errors import DataError, SpecError, StoreError
from sweepengine.observe import declared
from sweepengine.observe.cloud_costs import TEST_FUNCTIONS
from sweepengine.observe.measure import CloudMoment, CloudProblem, Recorder
from sweepengine.plan import make_plan
from sweepengine.spec import ParticleSpec, make_spec
from sweepengine.store import SweepStore, find_damage
from tests.support.particle_sweeps import TEACHER, WELLS, changed, computed, stopped_and_resumed

SNAPSHOTS_EVERYWHERE = {"records": {"spacing": "every", "k": 5}, "snapshots": 5}


def saved(points: Any, path: Path) -> str:
    np.savez(path, points=points)
    return str(path)


def test_the_set_of_test_functions_has_its_labels() -> None:
    assert tuple(pt.TEST_FUNCTIONS) == TEST_FUNCTIONS


def test_the_page_of_observables_names_each_and_only_these() -> None:
    page = (Path(__file__).parents[2] / "docs" / "observables.md").read_text().split("## Of particles")[1]
    rows = [row for row in page.splitlines() if row.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in rows))) == sorted(declared("particles"))
    dims = {dim for row in rows for dim in re.findall(r"\w+", row.split("|")[2])}
    assert {dim for each in declared("particles").values() for dim in each.variable.dims[2:]} <= dims


def test_the_stored_weak_form_is_of_first_order(tmp_path: Path) -> None:
    """theory.md §5.4, at t = 0 of one problem with steps that are halved."""
    sizes = (0.02, 0.01, 0.005)
    names = ["weak_form_defect", "dissipation", "particles"]
    found = []
    for size in sizes:
        content = changed(
            TEACHER, unit={"activation": "tanh"}, observables=names, axes={"width": [32], "seed": 1},
            dynamics={"step_size": size, "time": 20 * size},
        )  # fmt: skip
        found.append(computed(content, tmp_path / f"{size}.zarr").isel(run=0))
    defects = [run.weak_form_defect for run in found]
    assert defects[0].dims == ("record", "test_function")
    assert defects[0].test_function.values.tolist() == list(TEST_FUNCTIONS)
    for name in ("square", "sine", "bump"):
        ends = [float(each.sel(test_function=name)[0]) for each in defects]
        orders = [math.log2(abs(coarse / fine)) for coarse, fine in pairwise(ends)]
        assert 2 * orders[1] - orders[0] == pytest.approx(1, abs=0.02), name
    # ∫⟨∇χ, ∇δF₀/δμ⟩ dμ is hundreds of times as large: a wrong multiplier of the velocity would leave a part of it.
    square = defects[-1].sel(test_function="square")
    spec = make_spec(TEACHER)
    assert isinstance(spec, ParticleSpec)
    assert spec.data is not None
    data = load(spec.data)
    cloud = found[-1].particles.values[0]
    z = np.tanh(cloud[:, :4] @ data.x_train.T)
    residual = (cloud[:, 4:] * z).mean(0) - data.y_train
    by_w = (cloud[:, 4:] * (1 - z**2) * residual) @ data.x_train / len(data.y_train)
    by_a = z @ residual / len(data.y_train)
    gradient = np.concatenate([by_w, by_a[:, None]], axis=1) + 0.01 * cloud
    assert abs(float(square[0])) < 0.05 * abs(float((cloud * gradient).sum(1).mean()))


@pytest.mark.parametrize("factor", [32.0, -1.0, 0.5])
def test_a_wrong_velocity_of_a_sweep_is_seen(factor: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No 1/m, the wrong sign, a missing factor: a defect as large as what it is the defect of, at every step size."""
    content = changed(
        TEACHER, functional={"terms": [{"term": "risk", "cost": "mse"}]}, observables=["weak_form_defect"],
        axes={"width": [32], "seed": 1}, dynamics={"step_size": 0.01, "time": 0.1},
    )  # fmt: skip
    right = computed(content, tmp_path / "right.zarr").weak_form_defect[0, 0]
    pull = pt.Neuron.pull
    monkeypatch.setattr(pt.Neuron, "pull", lambda *given: lambda points: factor * pull(*given)(points))
    wrong = computed(content, tmp_path / "wrong.zarr").weak_form_defect[0, 0]
    assert float(abs(wrong.sel(test_function="square"))) > 20 * float(abs(right).max())


def test_the_weak_form_has_the_noise_of_its_step(tmp_path: Path) -> None:
    """V = |θ|²/2 at a temperature, by the formula of one Euler–Maruyama step of χ = |θ|²/2 with the run's own noise."""
    tau, dt = 0.5, 0.1
    content = changed(
        WELLS, functional={"terms": [{"term": "quadratic"}], "temperature": tau},
        dynamics=SNAPSHOTS_EVERYWHERE | {"snapshots": 3},
        observables=["weak_form_defect", "particles"],
    )  # fmt: skip
    found = computed(content, tmp_path / "ou.zarr")
    for seed in range(2):
        run = found.isel(run=seed)
        for place, step in enumerate(run.step.values.tolist()):
            cloud = run.particles.values[place]
            xi = pt.Noise(seed).draw(step, slice(0, 64), torch.from_numpy(cloud)).numpy()
            half = np.square(cloud).sum(1).mean() / 2
            # |(1 − dt)θ + s ξ|²/2 − |θ|²/2 − s θ·ξ, s² = 2τ dt; then + |θ|² and − τ p.
            s = math.sqrt(2 * tau * dt)
            cross = -dt * s * (cloud * xi).sum(1).mean()
            change = ((1 - dt) ** 2 - 1) * half + cross + s**2 * np.square(xi).sum(1).mean() / 2
            expected = change / dt + 2 * half - tau * 2
            assert float(run.weak_form_defect.sel(test_function="square")[place]) == pytest.approx(expected, rel=1e-9)


def test_the_first_variation_is_the_formula_at_points_that_all_runs_share(tmp_path: Path) -> None:
    names = ["first_variation", "stationarity_gap", "particles"]
    found = computed(changed(TEACHER, observables=names), tmp_path / "grid.zarr")
    assert found.first_variation.dims == ("run", "record", "grid")
    assert found.grid_points.dims == ("grid", "coord")
    points = found.grid_points.values
    assert points.shape == (512, 5)
    assert set(np.abs(points[:, 4])) == {1.0}  # draws of the law, whose output weights are signs
    assert abs(points[:, :4].std() - 1) < 0.1
    spec = make_spec(TEACHER)
    assert isinstance(spec, ParticleSpec)
    assert spec.data is not None
    data = load(spec.data)
    x, y = data.x_train, data.y_train

    def variation(theta: np.ndarray[Any, Any], cloud: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        outputs = (cloud[:, 4:] * np.maximum(cloud[:, :4] @ x.T, 0)).mean(0)
        psi = theta[:, 4:] * np.maximum(theta[:, :4] @ x.T, 0)
        return np.asarray(psi @ (outputs - y) / len(y) + 0.005 * np.square(theta).sum(1))

    for number in range(found.sizes["run"]):
        run = found.isel(run=number)
        cloud = run.particles.values[-1][: int(run.width)]
        assert not (points[:, None] == cloud).all(-1).any()  # no particle begins on the grid
        expected = variation(points, cloud)
        np.testing.assert_allclose(run.first_variation[-1], expected, rtol=1e-11, atol=1e-13)
        on_cloud = variation(cloud, cloud)
        gap = on_cloud.mean() - min(on_cloud.min(), expected.min())
        assert float(run.stationarity_gap[-1]) == pytest.approx(gap, rel=1e-10)
    # Twin: without 1/m the outputs are others.
    cloud = found.particles.values[0, -1, :16]
    assert not np.allclose(found.first_variation[0, -1], variation(points, np.repeat(cloud, 2, 0) * 2), rtol=1e-3)


def test_the_first_variation_is_a_derivative_of_the_functional(tmp_path: Path) -> None:
    """theory.md §5.2: d/ds F((1 − s)μ + s ν), ν on two points of the lattice, W symmetric with its ½."""
    content = changed(
        WELLS, functional={"terms": [{"term": "gaussian", "length": 0.8}, {"term": "double_well"}], "temperature": 0.2},
        grid={"low": -2.0, "high": 2.0, "count": 9}, observables=["first_variation", "particles"],
    )  # fmt: skip
    found = computed(content, tmp_path / "lattice.zarr").isel(run=0)
    points = found.grid_points.values
    np.testing.assert_array_equal(np.unique(points), np.linspace(-2, 2, 9))
    np.testing.assert_array_equal(points[:10, 0], [-2.0] * 9 + [-1.5])  # the last coordinate varies fastest
    cloud = found.particles.values[-1]

    def value(weights: np.ndarray[Any, Any], at: np.ndarray[Any, Any]) -> float:
        square = np.square(at[:, None] - at).sum(-1)
        pair = np.exp(-square / (2 * 0.8**2))
        return float(weights @ pair @ weights / 2 + weights @ np.square(np.square(at) - 1).sum(1) / 4)

    at = np.concatenate([cloud, points[[30, 44]]])
    plus, minus = (np.array([1 / 64] * 64 + [sign * 1e-4, -sign * 1e-4]) for sign in (1, -1))
    expected = (value(plus, at) - value(minus, at)) / 2e-4
    [first, second] = found.first_variation.values[-1, [30, 44]]
    assert first - second == pytest.approx(expected, rel=1e-9)


def test_distances_to_a_reference_are_those_of_numpy(tmp_path: Path) -> None:
    reference = np.random.default_rng(0).standard_normal((32, 5)) * 0.5 + 0.25
    content = changed(
        TEACHER, reference=saved(reference, tmp_path / "r.npz"), axes={"width": [32]},
        observables=["w2_reference", "sliced_w2_reference", "sliced_w2_reference_error", "sliced_w2_start",
                     "particles"],
    )  # fmt: skip
    found = computed(content, tmp_path / "r.zarr")
    np.testing.assert_array_equal(found.reference_points, reference)
    for number, place, record in ((0, 0, 0), (1, 2, -1)):
        run = found.isel(run=number)
        cloud = run.particles.values[place]
        costs = np.square(cloud[:, None] - reference).sum(-1)
        exact = math.sqrt(costs[linear_sum_assignment(costs)].mean())
        assert float(run.w2_reference[record]) == pytest.approx(exact, rel=1e-12)
        assert exact < 0.9 * math.sqrt(np.diag(costs).mean())  # the pairing by numbers is not optimal
        # SW₂² = mean over directions of W₂² on the line, here over 20 000 of them.
        axes = np.random.default_rng(1).standard_normal((20_000, 5))
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        gaps = np.sort(cloud @ axes.T, axis=0) - np.sort(reference @ axes.T, axis=0)
        sliced = math.sqrt(np.square(gaps).mean())
        bar = 4 * float(run.sliced_w2_reference_error[record])
        assert 0 < bar < 0.5 * sliced
        assert abs(float(run.sliced_w2_reference[record]) - sliced) < bar
        assert float(run.sliced_w2_reference[record]) < exact
    assert not np.allclose(found.sliced_w2_start, found.sliced_w2_reference)


def test_a_contraction_reaches_its_reference_at_the_rate_of_theory(tmp_path: Path) -> None:
    """V = |θ|²/2 contracts W₂ to its minimum by 1 − dt a step; the reference is 0, of any size for one coordinate."""
    content = changed(
        WELLS, functional={"terms": [{"term": "quadratic"}]}, dynamics={"method": "euler"}, initial={"coordinates": 1},
        reference=saved(np.zeros((7, 1)), tmp_path / "r.npz"), observables=["w2_reference"],
    )  # fmt: skip
    found = computed(content, tmp_path / "c.zarr")
    expected = found.w2_reference.isel(record=0) * 0.9**found.step
    np.testing.assert_allclose(found.w2_reference, expected, rtol=1e-12)


def test_a_reference_is_measured_to_unless_the_spec_says_otherwise(tmp_path: Path) -> None:
    content = changed(TEACHER, reference=saved(np.zeros((3, 5)), tmp_path / "r.npz"), axes={"width": [16], "seed": 1})
    found = computed(content, tmp_path / "r.zarr")
    assert bool(found.sliced_w2_reference.notnull().all())
    assert "w2_reference" not in found
    without = computed(changed(TEACHER, axes={"width": [16], "seed": 1}), tmp_path / "plain.zarr")
    assert set(found.data_vars) - set(without.data_vars) == {
        "sliced_w2_reference", "sliced_w2_reference_error", "reference_points"
    }  # fmt: skip
    np.testing.assert_array_equal(found.particles, without.particles)
    assert found.id.values[0] != without.id.values[0]
    page = analysis.write_report(tmp_path / "r.zarr", tmp_path / "report").html.read_text()
    assert "Sliced W₂ between the cloud and the given reference over training time" in page


def test_the_content_of_a_reference_is_in_the_id_wherever_its_file_lies(tmp_path: Path) -> None:
    one = changed(TEACHER, reference=saved(np.zeros((3, 5)), tmp_path / "one.npz"), axes={"width": [16], "seed": 1})
    store = tmp_path / "r.zarr"
    sweepengine.run(one, store, executor="inline")
    (tmp_path / "one.npz").rename(tmp_path / "moved.npz")
    moved = one | {"reference": str(tmp_path / "moved.npz")}
    assert sweepengine.run(moved, store, executor="inline").skipped == 1
    other = one | {"reference": saved(np.ones((3, 5)), tmp_path / "other.npz")}
    with pytest.raises(StoreError, match="was written with other reference"):
        sweepengine.run(other, store, executor="inline")
    ids = [
        make_plan(make_spec(content), SweepStore(tmp_path / "x.zarr")).runs[0].id
        for content in (moved, other, changed(TEACHER))
    ]
    assert len(set(ids)) == 3
    longer = moved | {"axes": {"width": [16], "seed": 2}}
    assert not list(find_damage(SweepStore(store)))
    [folder] = (store / "reference").glob("*/points/c/0")
    (folder / "0").unlink()
    with pytest.raises(StoreError, match=r"reference/.*/points is not what was written"):
        sweepengine.run(longer, store, executor="inline")
    [damage] = find_damage(SweepStore(store))
    assert "points is not what was written" in damage.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": np.zeros((16, 4))}, r"reference: .* has 4 coordinates, the particles of the spec have 5"),
        ({"reference": np.zeros(16)}, r"reference: points of .* has shape \(16,\)"),
        ({"reference": np.full((16, 5), np.nan)}, r"reference: .*points holds numbers that are not finite"),
        (
            {"reference": np.zeros((16, 5)), "observables": ["w2_reference"]},
            (
                r"w2_reference assigns particles one to one, and axes\.width has 32 where the reference has 16; name "
                r"sliced"
            ),
        ),
        (
            {"reference": np.zeros((4001, 5)), "observables": ["w2_reference"], "axes": {"width": [4001]}},
            r"w2_reference of 4001 particles is not affordable, at most 4000 are",
        ),
        ({"observables": ["w2_reference"]}, r"observables: w2_reference needs a cloud to measure to; set reference"),
        (
            {"reference": np.zeros((16, 5)), "observables": ["objective"]},
            r"reference: given, and nothing that is recorded uses it; name sliced_w2_reference or",
        ),
        (
            {"grid": {"low": -1.0, "high": 1.0, "count": 3}},
            r"grid: given, and nothing that is recorded uses it; name first_variation or stationarity_gap",
        ),
        (
            {"grid": {"low": 1.0, "high": 1.0, "count": 3}, "observables": ["first_variation"]},
            r"grid: found low 1 and high 1; low must be below high",
        ),
        (
            {"grid": {"low": -1.0, "high": 1.0, "count": 11}, "observables": ["first_variation"]},
            r"grid\.count: found 11 in each of 5 coordinates, which is more than 100000 points",
        ),
        (
            {
                "grid": {"low": -1.0, "high": 1.0, "count": 2},
                "observables": ["first_variation"],
                "dynamics": {"projection": {"to": "sphere"}},
            },
            r"grid: found a lattice with dynamics\.projection",
        ),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is_written(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    if "reference" in change:
        change = change | {"reference": saved(change["reference"], tmp_path / "r.npz")}
    with pytest.raises((SpecError, DataError), match=message):
        sweepengine.run(changed(TEACHER, **change), tmp_path / "x.zarr", executor="inline")
    assert not (tmp_path / "x.zarr").exists()


def test_a_stopped_sweep_has_the_same_observables_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = changed(
        TEACHER, dynamics={"method": "euler_maruyama", "samples": "fresh"}, functional={"temperature": 0.1},
        reference=saved(np.ones((20, 5)), tmp_path / "r.npz"), axes={"width": [16], "seed": 2}, precision="float32",
        observables=["objective", "particles", "weak_form_defect", "first_variation", "sliced_w2_reference"],
    )  # fmt: skip
    expected = computed(content, tmp_path / "whole.zarr")
    found = stopped_and_resumed(content, tmp_path / "stopped.zarr", monkeypatch, 9)
    xr.testing.assert_identical(found, expected)
    assert bool(expected.weak_form_defect.notnull().all())


def test_a_kernel_of_zero_has_no_relative_change() -> None:
    cloud = pt.gaussian_cloud(1, 8, 3)
    x = pt.gaussian_cloud(2, 6, 2)
    risk = pt.Risk(pt.Neuron(2, "relu", frozen="output"), x, x[:, 0])
    dead = cloud.clone()
    dead[:, 2] = 0

    def drift(start: torch.Tensor, now: torch.Tensor) -> float:
        partition = pt.Partition()
        problem = CloudProblem(pt.Functional([risk]), risk, risk, 0.1, lambda: start, None, None, None, partition)
        first, then = CloudMoment(start, problem, 0), CloudMoment(now, problem, 3)
        found = Recorder("particles", ["kernel_drift"], first).measure(then, snapshot=False)
        return float(found["kernel_drift"])

    assert math.isnan(drift(dead, cloud))  # and not infinite
    assert drift(cloud, dead) == pytest.approx(1)


def test_the_plan_counts_what_they_take(tmp_path: Path) -> None:
    def plan(name: str, **changes: Any) -> Any:
        return make_plan(
            make_spec(changed(TEACHER, axes={"width": [32], "seed": 1}, **changes)),
            SweepStore(tmp_path / f"{name}.zarr"),
        )

    base = plan("a", observables=["objective"])
    bytes_of = {
        name: plan(
            name, observables=["objective", name], reference=saved(np.zeros((32, 5)), tmp_path / "r.npz")
        ).disk_bytes()
        - base.disk_bytes()
        for name in ("sliced_w2_reference", "w2_reference")
    }
    assert set(bytes_of.values()) == {6 * 8 + 32 * 5 * 8}
    grid = plan("g", observables=["objective", "first_variation"])
    assert grid.disk_bytes() - base.disk_bytes() == 6 * 512 * 8 + 512 * 5 * 8
    weak = plan("w", observables=["objective", "weak_form_defect"])
    assert weak.disk_bytes() - base.disk_bytes() == 6 * 5 * 8
    large = saved(np.zeros((200_000, 5)), tmp_path / "large.npz")
    far = plan("l", observables=["objective", "sliced_w2_reference"], reference=large)
    assert far.memory_bytes() - base.memory_bytes() > 8 * 5 * 200_000
