"""Sweeps of particles end to end: the same numbers as the library and the networks, stored, resumed, refused."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pytest
import torch
import xarray as xr
import yaml

import sweepengine
from sweepengine import analysis
from sweepengine import particles as pt
from sweepengine.data import fresh_points, load
from sweepengine.errors import SpecError, StoreError
from sweepengine.execute import _particle_turn
from sweepengine.runge_kutta import Control
from sweepengine.spec import AnyRun, ParticleRun, ParticleSpec, expand_particles, make_spec, run_from_json
from sweepengine.store import ChunkWriter, SweepStore, _layout

if TYPE_CHECKING:
    from pathlib import Path

PINNED = "5370555d9449674d"
TEACHER: dict[str, Any] = {
    "kind": "particles",
    "name": "cloud",
    "data": {"name": "gaussian", "teacher": "neuron", "d": 4, "n_train": 30, "n_test": 20},
    "unit": {"activation": "relu"},
    "functional": {"terms": [{"term": "risk", "cost": "mse"}, {"term": "quadratic", "strength": 0.01}]},
    "initial": {"law": "gaussian", "output": "signs"},
    "dynamics": {
        "method": "euler", "step_size": 0.1, "time": 2.0, "records": {"spacing": "log", "count": 6}, "snapshots": 3
    },
    "axes": {"width": [16, 32], "seed": 2},
    "precision": "float64",
}  # fmt: skip
WELLS: dict[str, Any] = {
    "kind": "particles",
    "name": "wells",
    "functional": {"terms": [{"term": "double_well"}]},
    "initial": {"law": "gaussian", "coordinates": 2},
    "dynamics": {
        "method": "euler_maruyama", "step_size": 0.1, "time": 1.0, "records": {"spacing": "every", "k": 2}, "snapshots": 2
    },
    "axes": {"width": [64], "seed": 2},
    "precision": "float64",
}  # fmt: skip


def changed(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """``base`` with sections changed key by key."""
    return base | {
        key: base[key] | value if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in changes.items()
    }


def runs_of(content: dict[str, Any]) -> list[ParticleRun]:
    spec = make_spec(content)
    assert isinstance(spec, ParticleSpec)
    return list(expand_particles(spec, "0123456789abcdef"))


def computed(content: dict[str, Any], store: Path, **options: Any) -> xr.Dataset:
    sweepengine.run(content, store, executor="inline", **options)
    return sweepengine.open_sweep(store).load().drop_attrs().drop_vars("peak_memory")


def test_runs_are_values_with_pinned_ids() -> None:
    runs = runs_of(TEACHER)
    assert len({run.id for run in runs}) == len(runs) == 4
    assert runs[0].id == PINNED
    again: AnyRun = run_from_json(json.loads(json.dumps(runs[0].to_json())))
    assert again == runs[0]
    assert again.id == runs[0].id
    explicit = changed(TEACHER, initial={"scale": 1.0, "mean": 0}, unit={"frozen": None}, shards=3)
    assert [run.id for run in runs_of(explicit)] == [run.id for run in runs]


@pytest.mark.parametrize(
    "change",
    [{"dynamics": {"method": "heun"}}, {"dynamics": {"time": 4.0}}, {"dynamics": {"snapshots": 2}},
     {"dynamics": {"samples": "fresh"}}, {"unit": {"scale": 2.0}}, {"initial": {"output": "zeros"}},
     {"functional": {"terms": [{"term": "risk", "cost": "huber"}]}}, {"axes": {"seed": [7]}}, {"precision": "float32"},
     {"dynamics": {"projection": {"to": "ball"}}}, {"observables": ["objective"]}],
)  # fmt: skip
def test_everything_physical_is_in_the_id(change: dict[str, Any]) -> None:
    spec = make_spec(changed(TEACHER, **change))
    assert isinstance(spec, ParticleSpec)
    found = {run.id for run in expand_particles(spec, "0123456789abcdef", spec.observables or ())}
    assert not found & {run.id for run in runs_of(TEACHER)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "clouds"}, r"kind: found 'clouds'; allowed: 'networks', 'particles'"),
        ({"unit": None}, r"unit: missing; a risk needs it"),
        ({"functional": {"terms": []}}, r"functional\.terms: .*the list is empty"),
        (
            {"functional": {"terms": [{"term": "gravity"}]}},
            r"functional\.terms\.0\.term: found 'gravity'; allowed: 'risk'",
        ),
        ({"functional": {"terms": [{"term": "riesz", "power": 2.5}]}}, r"functional\.terms\.0\.power: found 2\.5"),
        (
            {"functional": {"terms": [{"term": "mmd", "kernel": "gaussian", "power": 1.5}]}},
            r"functional\.terms\.0: power: given for the kernel 'gaussian'; only 'riesz' has one",
        ),
        ({"unit": {"activation": "rleu"}}, r"unit\.activation: found 'rleu'; allowed: .*'relu'"),
        ({"unit": "relu"}, r"unit: found 'relu'; expected a mapping of fields"),
        (
            {"unit": {"name": "own", "coordinates": 2}},
            r"unit\.activation: unknown key\. Allowed here: coordinates, name$",
        ),
        ({"functional": {"temperature": 0.1}}, r"dynamics\.method: found 'euler' at temperature 0\.1"),
        ({"axes": {"temperature": [0.1]}, "functional": {"temperature": 0.1}}, r"are both given"),
        ({"dynamics": {"tolerance": {}}}, r"dynamics\.tolerance: found one with method 'euler'"),
        ({"dynamics": {"step_size": 0.3}}, r"dynamics\.step_size: found 0\.3, but time / step_size = 6\.66667"),
        ({"dynamics": {"snapshots": 1}}, r"dynamics\.snapshots: found 1"),
        ({"dynamics": {"snapshots": 9}}, r"dynamics\.snapshots: found 9, but there are 6 records"),
        ({"dynamics": {"samples": "fresh", "method": "adaptive"}}, r"dynamics\.samples: found 'fresh' with adaptive"),
        ({"initial": {"coordinates": 3}}, r"initial\.coordinates: found one, but the unit says"),
        ({"initial": {"law": "network", "output": "alike", "mean": 1.0}}, r"initial\.law: found 'network' with .*mean"),
        (
            {"initial": {"output": "zeros", "output_scale": 2.0}},
            r"initial\.output_scale: given for output weights of 0",
        ),
        (
            {"initial": {"law": "sphere", "output": "alike", "output_scale": 2.0}},
            r"initial\.output_scale: found one for law 'sphere'",
        ),
        (
            {"unit": {"frozen": "output"}, "dynamics": {"projection": {"to": "ball"}}},
            r"dynamics\.projection: found one with unit\.frozen",
        ),
        ({"initial": {"coordinates": 10**9}}, r"initial\.coordinates: found 1000000000; expected 100000 or less"),
        (
            {"dynamics": {"step_size": 1e-12, "time": 1e12, "records": {"spacing": "every", "k": 1}}},
            r"dynamics\.records\.k: found 1, which gives 1e\+24 records",
        ),
        (
            {"dynamics": {"time": 1e12}},
            r"dynamics\.time: 1e\+12 takes \d+ steps, more than the 10000000 that a run may",
        ),
        (
            {"functional": {"terms": [{"term": "risk", "cost": "logistic"}]}},
            r"functional\.terms\.0\.cost: logistic needs targets",
        ),
        ({"shards": 2}, r"shards: found 2"),
        ({"observables": ["objective", "kernal"]}, r"observables: found 'kernal'\. Did you mean 'kernel'\?"),
        ({"observables": ["particles"], "dynamics": {"snapshots": 0}}, r"observables: particles is kept at snapshots"),
        ({"data": {"outputs": 2}}, r"data: found 2 targets a point"),
    ],
)
def test_bad_specs_say_what_is_wrong(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        sweepengine.run(changed(TEACHER, **change), tmp_path / "x.zarr", executor="inline")
    assert not (tmp_path / "x.zarr").exists()


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
    assert set(names) | {"targets_train", "targets_test", "grid_points"} == set(found.data_vars)
    assert all(bool(found[name].notnull().all()) for name in names)
    assert float(found.w2_start[0, 0]) == 0
    assert float(found.w2_start[0, -1]) > 0
    assert float(found.kernel_drift[0, -1]) > 0
    assert float(found.stationarity_gap.min()) >= 0


NETWORK: dict[str, Any] = {
    "name": "twin",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 12, "n_test": 10},
    "network": {"depth": 1, "activation": "tanh", "sigma_w": 1.3, "sigma_b": 0.7, "sigma_a": 0.8},
    "training": {"loss": "mse", "step_size": 0.25, "time": 5.0, "records": {"spacing": "log", "count": 6}},
    "axes": {"scaling": ["ntk", "mean_field"], "width": [16], "seed": 1},
    "precision": "float64",
    "observables": ["outputs_test", "loss_train", "kernel"],
}


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


def stop_after_commits(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """End the process' work, as a kill would, after some commits."""
    done = 0
    commit = ChunkWriter.commit

    def counted(self: ChunkWriter, *args: Any) -> None:
        nonlocal done
        commit(self, *args)
        done += 1
        if done == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(ChunkWriter, "commit", counted)


RESUMED = {
    "adaptive": changed(TEACHER, dynamics={"method": "adaptive", "step_size": 0.25}, axes={"width": [16], "seed": 2}),
    "langevin, fresh points": changed(
        TEACHER, dynamics={"method": "stochastic_heun", "samples": "fresh"}, functional={"temperature": 0.1},
        precision="float32",
    ),
}  # fmt: skip


def stopped_and_resumed(
    content: dict[str, Any], store: Path, monkeypatch: pytest.MonkeyPatch, commits: int
) -> xr.Dataset:
    with monkeypatch.context() as patch:
        stop_after_commits(patch, commits)
        with pytest.raises(KeyboardInterrupt):
            sweepengine.run(content, store, executor="inline", commit_seconds=1e-9)
    midway = sweepengine.open_sweep(store)
    assert "running" in midway.status.values
    done = midway.records_done.max().item()
    assert int(midway.objective.notnull().sum("record").max()) == done
    assert int(midway.particles.notnull().any(("particle", "coord")).sum("snapshot").max()) < 3 or done == 6
    return computed(content, store, commit_seconds=1e-9)


@pytest.mark.parametrize("name", RESUMED)
@pytest.mark.parametrize("commits", [9, 14])
def test_a_stopped_sweep_resumes_with_the_same_bits(
    name: str, commits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = computed(RESUMED[name], tmp_path / "whole.zarr")
    found = stopped_and_resumed(RESUMED[name], tmp_path / "stopped.zarr", monkeypatch, commits)
    assert set(found.status.values) == {"done"}
    xr.testing.assert_identical(found, expected)
    assert not list((tmp_path / "stopped.zarr").glob("state/*/*/*.npz"))


def test_the_comparison_sees_a_lost_part_of_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = RESUMED["adaptive"]
    expected = computed(content, tmp_path / "whole.zarr")

    def forgetful(values: Any) -> tuple[Control, float]:
        time, size, *_ = values.tolist()
        return Control(size / 2), time

    monkeypatch.setattr(_particle_turn, "_control", forgetful)
    found = stopped_and_resumed(content, tmp_path / "stopped.zarr", monkeypatch, 9)
    assert not found.identical(expected)


def test_ray_and_in_process_give_the_same_bits_and_plain_xarray_reads_them(tmp_path: Path) -> None:
    inline = computed(TEACHER, tmp_path / "inline.zarr")
    (tmp_path / "cloud.yaml").write_text(yaml.safe_dump(TEACHER))
    words = ["run", "cloud.yaml", "--store", "ray.zarr", "--workers", "2", "--no-report"]
    done = subprocess.run(
        [sys.executable, "-m", "sweepengine", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "distance of particles" in done.stdout
    xr.testing.assert_identical(
        sweepengine.open_sweep(tmp_path / "ray.zarr").load().drop_attrs().drop_vars("peak_memory"), inline
    )
    assert sweepengine.run(TEACHER, tmp_path / "ray.zarr", executor="inline").skipped == 4
    tree = xr.open_datatree(tmp_path / "ray.zarr", engine="zarr")
    block = next(tree["blocks"][name] for name in tree["blocks"] if name.startswith("w000016"))
    assert block["particles"].dims == ("run", "snapshot", "particle", "coord")
    assert {"snapshot_step", "snapshot_time", "status"} <= set(block["particles"].coords)
    stored = inline.particles.sel(run=inline.width == 16)[:, :, :16]
    np.testing.assert_array_equal(block["particles"].values, stored)


def test_particles_of_one_snapshot_lie_in_chunks_below_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = computed(TEACHER, tmp_path / "whole.zarr")
    monkeypatch.setattr(_layout, "CHUNK_LIMIT", 500)
    monkeypatch.setattr(_layout, "CHUNK_TARGET", 1)
    found = computed(TEACHER, tmp_path / "cut.zarr")
    xr.testing.assert_identical(found, expected)
    for shape in SweepStore(tmp_path / "cut.zarr").block_shapes().values():
        particles = next(each for each in shape.variables if each.is_snapshot)
        assert shape.chunk_shape(particles) == (1, 1, 12, 5)
    counted = sum(1 for path in (tmp_path / "cut.zarr" / "blocks").rglob("particles/c/*/*/*/*"))
    assert counted == 2 * 3 * (2 + 3)  # seeds × snapshots × (⌈16/12⌉ + ⌈32/12⌉)


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


def test_a_sweep_of_which_nothing_is_done_has_a_summary(tmp_path: Path) -> None:
    content = changed(WELLS, functional={"terms": [{"term": "quadratic", "strength": -1e9}]})
    assert sweepengine.run(content, tmp_path / "x.zarr", executor="inline").diverged == 2
    found = analysis.summarise(sweepengine.open_sweep(tmp_path / "x.zarr"))
    assert all(claim.verdict == "undecided" for claim in found.claims)
    assert found.counts["diverged"] == 2


def test_a_functional_without_lower_bound_has_diverged(tmp_path: Path) -> None:
    content = changed(WELLS, functional={"terms": [{"term": "double_well", "strength": -1.0}]})
    assert sweepengine.run(content, tmp_path / "w.zarr", executor="inline").diverged == 2


def test_the_noise_has_its_scale(tmp_path: Path) -> None:
    """Euler–Maruyama's own variance (theory.md §5): v ← (1 − dt)² v + 2τ dt."""
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
    [run, *_] = expand_particles(spec, "0" * 16)
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


def test_a_store_takes_one_kind_and_one_functional(tmp_path: Path) -> None:
    store = tmp_path / "cloud.zarr"
    sweepengine.run(TEACHER, store, executor="inline")
    with pytest.raises(StoreError, match="kind: the store has particles, this spec networks"):
        sweepengine.run(NETWORK, store, executor="inline")
    with pytest.raises(StoreError, match=r"unit\.activation: the store has relu, this spec tanh"):
        sweepengine.run(changed(TEACHER, unit={"activation": "tanh"}), store, executor="inline")
    longer = sweepengine.run(changed(TEACHER, axes={"width": [16, 32, 64]}), store, executor="inline")
    assert (longer.skipped, longer.done) == (4, 6)


def test_more_snapshots_than_the_disk_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 10**4))
    with pytest.raises(SpecError, match=r"would write up to .* GB free; take fewer records or snapshots"):
        sweepengine.run(TEACHER, tmp_path / "x.zarr", executor="inline")
    assert not (tmp_path / "x.zarr").exists()


def test_the_report_shows_chaos_propagate_and_the_cloud(tmp_path: Path) -> None:
    content = changed(TEACHER, axes={"width": [16, 32, 64, 128], "seed": 3})
    sweepengine.run(content, tmp_path / "cloud.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "cloud.zarr")
    [group] = analysis.summarise(sweep).groups
    fit = group.fits["chaos_particles"]
    assert fit.widths == (16, 32, 64)
    assert {claim.id for claim in analysis.summarise(sweep).claims} == {"mf-limit"}
    spec = make_spec(content)
    assert isinstance(spec, ParticleSpec)
    assert spec.data is not None
    data = load(spec.data)
    risk = pt.Risk(pt.Neuron(4, "relu"), torch.from_numpy(data.x_train), torch.from_numpy(data.y_train))
    means = np.zeros(3)
    for seed in range(3):
        cloud = pt.gaussian_cloud(seed, 128, 5)
        cloud[:, 4] = cloud[:, 4].sign()
        others = [pt.Scaled(pt.quadratic(), 0.01)]
        couplings = pt.couple(risk, cloud, [16, 32, 64], step_size=0.1, steps=20, others=others)
        means += [each.distance / each.finite / 3 for each in couplings]
    np.testing.assert_allclose(fit.means, means, rtol=1e-12)
    # Clouds that are not nested are apart at every width, so the pairing by seeds is seen.
    apart = sweep.load().assign_coords(seed=("run", np.where(sweep.width == 128, (sweep.seed + 1) % 3, sweep.seed)))
    mixed = analysis.summarise(apart).groups[0].fits["chaos_particles"]
    assert min(mixed.means) > 5 * fit.means[-1]
    paths = analysis.write_report(sweep, tmp_path / "report")
    page, found = paths.html.read_text(), json.loads(paths.json.read_text())
    assert "The cloud at the start and the end" in page
    assert page.count('id="fig-cloud-') == 2  # the data of its two panels
    charts = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, flags=re.DOTALL)
    assert len(charts) > 2
    for chart in charts:
        alt.Chart.from_dict(json.loads(chart), validate=True)
    assert len(found["finished_runs"]) == 12
    assert found["groups"][0]["loss_test"]["width"] == 128
    assert "distance of particles to the widest" in paths.markdown.read_text()


def test_the_widest_cloud_is_missed_by_no_one(tmp_path: Path) -> None:
    terms = {"terms": [{"term": "gaussian"}]}
    content = changed(WELLS, functional=terms, dynamics={"method": "euler"}, axes={"width": [16, 32, 64]})
    sweepengine.run(content, tmp_path / "w.zarr", executor="inline")
    [group] = analysis.summarise(sweepengine.open_sweep(tmp_path / "w.zarr")).groups
    assert group.failures["chaos_particles"].startswith(
        "The widest, 64, is what they are compared with. Found 2 widths [16, 32]"
    )


def test_a_sweep_without_a_risk_has_a_report(tmp_path: Path) -> None:
    sweepengine.run(changed(WELLS, axes={"temperature": [0.0, 0.5]}), tmp_path / "w.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "w.zarr")
    assert [group.label for group in analysis.summarise(sweep).groups] == ["mean_field, τ = 0", "mean_field, τ = 0.5"]
    page = analysis.write_report(sweep, tmp_path / "report").html.read_text()
    assert page.count("The cloud at the start and the end") == 2


def test_rows_of_propagation_of_chaos_say_why_they_are_empty(tmp_path: Path) -> None:
    claimed: dict[str, set[str]] = {}

    def reasons(name: str, content: dict[str, Any]) -> dict[str, str]:
        sweepengine.run(content, tmp_path / f"{name}.zarr", executor="inline")
        summary = analysis.summarise(sweepengine.open_sweep(tmp_path / f"{name}.zarr"))
        claimed[name] = {claim.observable for claim in summary.claims}
        return summary.groups[0].failures

    widths = {"width": [4, 8, 16, 32]}
    alone = reasons("alone", changed(WELLS, axes=widths))
    assert alone["chaos_outputs"].startswith("No term of the functional is a risk")
    assert alone["chaos_particles"].startswith("No particle acts on another")
    still = changed(TEACHER, axes=widths, functional={"terms": [{"term": "risk", "cost": "mse", "strength": 0.0}]})
    [still_reason] = reasons("still", still).values()  # the outputs of other numbers of particles do differ
    assert still_reason == alone["chaos_particles"]
    unseen = reasons("unseen", changed(TEACHER, axes=widths, observables=["objective"]))
    assert unseen["chaos_outputs"] == "outputs_test was not recorded; name it under the sweep's observables."
    assert "set dynamics.snapshots to 2 or more" in unseen["chaos_particles"]
    blind = reasons("blind", changed(WELLS, axes=widths, observables=["objective"]))
    assert blind["chaos_particles"] == alone["chaos_particles"]  # snapshots would not help
    single = reasons("single", changed(TEACHER, axes={"width": [8]}))
    assert set(single.values()) == {
        "No finished run has a wider one of its seed to be compared with; add widths under axes."
    }
    pairs = changed(WELLS, axes=widths, functional={"terms": [{"term": "attraction"}]})
    assert "chaos_particles" not in reasons("pairs", pairs)
    # Nothing is claimed where the claim has no object.
    assert (claimed["alone"], claimed["pairs"]) == (set(), {"chaos_particles"})
    assert claimed["unseen"] == {"chaos_outputs", "chaos_particles"}


@pytest.mark.parametrize(("term", "scale"), [("riesz", "linear"), ("double_well", "log")])
def test_a_functional_below_zero_has_a_figure_of_all_its_values(tmp_path: Path, term: str, scale: str) -> None:
    content = changed(WELLS, functional={"terms": [{"term": term}]}, dynamics={"method": "euler"})
    sweepengine.run(content, tmp_path / "x.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "x.zarr")
    assert bool((sweep.objective < 0).all()) == (scale == "linear")
    page = analysis.write_report(sweep, tmp_path / "report").html.read_text()
    charts = [
        json.loads(text) for text in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    ]
    [chart] = [chart for chart in charts if "F" in str(chart.get("description", ""))[:1]]
    alt.Chart.from_dict(chart, validate=True)
    assert chart["encoding"]["y"]["scale"]["type"] == scale
    low, high = chart["encoding"]["y"]["scale"]["domain"]
    values = [row["value"] for row in chart["data"]["values"]]
    assert len(values) == 5  # t = 0 is not on a logarithmic axis
    assert low < min(values) <= max(values) < high
    assert ("The time axis is logarithmic" in page) == (scale == "linear")


SHELLS: dict[str, Any] = TEACHER | {
    "name": "shells",
    "data": {"name": "shells", "d": 6, "delta": 0.8, "n_train": 100, "n_test": 4000},
    "unit": {"activation": "staircase", "output": "none"},
    "functional": {"terms": [{"term": "risk", "cost": "mse"}]},
    "initial": {"law": "gaussian", "scale": 0.8 / 6**0.5},
    "dynamics": TEACHER["dynamics"] | {"samples": "fresh", "step_size": 0.02, "time": 0.4},
    "axes": {"width": [400], "seed": 2},
    "observables": ["loss_test"],
}


def test_clouds_on_shells_follow_the_radial_reduction(tmp_path: Path) -> None:
    found = computed(SHELLS, tmp_path / "shells.zarr")
    risk, start = pt.radial_risk(6, 0.8), pt.radial_start(400, 6, 0.8)
    end = pt.flow(pt.Functional([risk]), start, step_size=0.02, steps=20).final()
    limit = found.risk_limit.isel(run=0)
    # 48 radii in the store, 400 here.
    assert float(limit[-1]) == pytest.approx(risk.value(end, pt.Passes()), rel=1e-3)
    gap = abs(found.loss_test - found.risk_limit).max("record")
    # 4000 test points of a cost with a standard deviation near 1, and m = 400.
    assert float(gap.max()) < 4 / 4000**0.5
    assert float(limit[0] - limit[-1]) > 5 * 4 / 4000**0.5  # so that standing still would be seen
    page = analysis.write_report(sweepengine.open_sweep(tmp_path / "shells.zarr"), tmp_path / "r").html.read_text()
    assert "The dashed line is what infinite width predicts." in page
    assert list(sweepengine.open_theory(tmp_path / "shells.zarr").data_vars) == ["risk"]
    fixed = computed(changed(SHELLS, dynamics={"samples": "fixed"}), tmp_path / "fixed.zarr")
    assert "risk_limit" not in fixed  # the risk of a few points is not symmetric


def test_only_symmetric_runs_name_a_reduction() -> None:
    [run, _] = runs_of(SHELLS)
    assert run.radial == pytest.approx((6, 0.8, 0.8))
    broken: list[dict[str, Any]] = [
        {"initial": {"mean": 0.1}}, {"initial": {"law": "sphere"}}, {"unit": {"bias": True}}, {"unit": {"scale": 2.0}},
        {"functional": {"terms": [{"term": "risk", "cost": "mse"}, {"term": "quadratic"}]}},
        {"functional": {"terms": [{"term": "risk", "cost": "mse", "strength": 2.0}]}},
        {"dynamics": {"projection": {"to": "ball"}}},
    ]  # fmt: skip
    assert all(runs_of(changed(SHELLS, **change))[0].limit_id == "" for change in broken)
    assert runs_of(changed(SHELLS, initial={"scale": 0.5}))[0].limit_id not in {"", run.limit_id}


def test_particles_learn_a_neuron_that_their_features_cannot(tmp_path: Path) -> None:
    """theory.md §4, rf-relu: the same cloud with and without moving input weights, on fresh points."""
    content = changed(
        TEACHER, data={"d": 16, "n_train": 256, "n_test": 2000}, functional={"terms": [{"term": "risk", "cost": "mse"}]},
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


PLUGIN = """
import sweepengine

@sweepengine.register_potential(name="bowl", version="{version}")
def bowl(points):
    return points.square().sum(1) * {half}

@sweepengine.register_kernel(name="bump", version="{version}")
def bump(points, others):
    return (-(points[:, None] - others).square().sum(2) / 2).exp()

@sweepengine.register_potential(name="broken")
def broken(points):
    return points["no"]
"""


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


UNIT = """
import sweepengine

@sweepengine.register_unit(name="own")
def own(particles, inputs):
    return particles[:, 4:] * (particles[:, :4] @ inputs.T).relu()

@sweepengine.register_unit(name="flat")
def flat(particles, inputs):
    return particles[:, 0]
"""


def test_units_of_users_are_those_of_the_package(tmp_path: Path) -> None:
    plugin = tmp_path / "own.py"
    plugin.write_text(UNIT)
    known = changed(TEACHER, initial={"output": "alike"})
    users = known | {"unit": {"name": "own", "coordinates": 5}}
    with pytest.raises(SpecError, match=r"unit\.name: found 'own', which is not registered"):
        sweepengine.run(users, tmp_path / "x.zarr", executor="inline")
    expected = computed(known, tmp_path / "known.zarr")
    found = computed(users, tmp_path / "users.zarr", plugins=[plugin])
    assert list(found.coord.values) == ["x0", "x1", "x2", "x3", "x4"]
    assert set(found.activation.values) == {"own@1"}
    names = ["loss_test", "outputs_train", "objective", "dissipation", "participation", "particles"]
    aside = ["id", "block", "term", "coord", "activation"]
    xr.testing.assert_allclose(
        found[names].drop_vars(aside, errors="ignore"), expected[names].drop_vars(aside, errors="ignore"), rtol=1e-9
    )
    provenance = json.loads(sweepengine.open_sweep(tmp_path / "users.zarr").attrs["provenance"])["user_code"]
    assert [(each["kind"], each["name"]) for each in provenance] == [("unit", "own")]
    assert set(found.id.values).isdisjoint(expected.id.values)
    flat = users | {"unit": {"name": "flat", "coordinates": 5}}
    with pytest.raises(SpecError, match=r"psi gave shape \(16,\).*\n.*trial of unit flat@1"):
        sweepengine.run(flat, tmp_path / "flat.zarr", executor="inline", plugins=[plugin])
    assert not (tmp_path / "flat.zarr").exists()
    with pytest.raises(
        SpecError, match=r"observables: kernel is that of neurons, and unit\.name is a unit of your own"
    ):
        sweepengine.run(users | {"observables": ["kernel"]}, tmp_path / "x.zarr", executor="inline", plugins=[plugin])
    with pytest.raises(SpecError, match=r"initial\.law: found 'network', whose units are neurons"):
        sweepengine.run(users | {"initial": {"law": "network"}}, tmp_path / "x.zarr", executor="inline")


def test_terms_of_users_are_those_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(PLUGIN.format(version="1", half=0.5))
    (tmp_path / "other.py").write_text(PLUGIN.format(version="2", half=0.75))
    known = changed(WELLS, functional={"terms": [{"term": "quadratic", "strength": 2.0}, {"term": "gaussian"}]})
    own = [{"term": "potential", "name": "bowl", "strength": 2.0}, {"term": "kernel", "name": "bump"}]
    users = changed(WELLS, functional={"terms": own})
    with pytest.raises(SpecError, match=r"functional\.terms: found the potential 'bowl', which is not registered"):
        sweepengine.run(users, tmp_path / "x.zarr", executor="inline")
    expected = computed(known, tmp_path / "known.zarr")
    found = computed(users, tmp_path / "users.zarr", plugins=[tmp_path / "own.py"])
    names = ["objective", "terms", "dissipation", "particles"]
    xr.testing.assert_allclose(
        found[names].drop_vars(["id", "block", "term"]), expected[names].drop_vars(["id", "block", "term"])
    )
    provenance = json.loads(sweepengine.open_sweep(tmp_path / "users.zarr").attrs["provenance"])["user_code"]
    assert [(each["kind"], each["name"], each["version"]) for each in provenance] == [
        ("potential", "bowl", "1"),
        ("kernel", "bump", "1"),
    ]
    other = computed(users, tmp_path / "other.zarr", plugins=[tmp_path / "other.py"])
    assert not set(other.id.values) & set(found.id.values)
    assert abs(other.terms.values[0, 0, 0] / found.terms.values[0, 0, 0] - 1.5) < 1e-12
    with pytest.raises(StoreError, match="was written with other fixed settings"):
        sweepengine.run(users, tmp_path / "users.zarr", executor="inline", plugins=[tmp_path / "other.py"])
    broken = changed(WELLS, functional={"terms": [{"term": "potential", "name": "broken"}]})
    with pytest.raises(SpecError, match=r"potential broken@1: it raised TypeError.*\n.*trial of potential broken@1"):
        sweepengine.run(broken, tmp_path / "broken.zarr", executor="inline", plugins=[tmp_path / "own.py"])
    assert not (tmp_path / "broken.zarr").exists()
