"""Time methods in sweeps: ids, refusals, resumes to the bit, predictions, what the adaptive solver says of itself."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import sweepengine
from sweepengine import analysis, theory
from sweepengine.analysis import Setting
from sweepengine.errors import SpecError
from sweepengine.spec import Method, Run, SweepSpec, make_spec
from tests.support.stops import stop_in_commit
from tests.support.turns import planned, turn_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from sweepengine.execute import Turn

    Tiny = Callable[..., dict[str, Any]]
    State = dict[str, NDArray[np.generic]]

SGD = {"name": "sgd", "batch_size": 5}
HEAVY = {"name": "momentum", "beta": 0.9, "batch_size": 4, "replacement": True}
RK45 = {"name": "rk45", "tolerance": 1e-6}
METHODS: list[Any] = ["gd", SGD, HEAVY, {"name": "momentum", "beta": 0.7}, "heun", "rk4", RK45]
SOLVER = ["solver_steps", "solver_rejected", "solver_forced", "solver_step_smallest"]


def label(method: Any) -> str:
    return str(method["name"] if isinstance(method, dict) else method)


def stored(state: State) -> State:
    """A state as it comes back from a store."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **{name: np.asarray(value) for name, value in state.items()})
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as arrays:
        return dict(arrays)


def rest(turn: Turn) -> list[dict[str, NDArray[np.floating]]]:
    """What the records from here on hold."""
    found = [record.values[0] for record in turn.advance() if record is not None]
    return [values for values in found if values is not None]


def equal(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x[name], y[name]) for x, y in zip(a, b, strict=True) for name in x)


@pytest.mark.parametrize(
    ("method", "activation"), [*((method, "tanh") for method in METHODS), (RK45, "relu")], ids=label
)
def test_a_turn_goes_on_with_the_same_bits_from_every_yield(tiny: Tiny, method: Any, activation: str) -> None:
    content = tiny(
        network={"activation": activation, "depth": 2, "centred": True, "sigma_b": 0.2},
        training={"method": method, "time": 2.5},
        axes={"width": [6], "seed": [3], "scaling": [0.8]},
        observables=["outputs_train", "kernel", *SOLVER],
    )
    (run,), data = planned(content)
    whole, states, counts = turn_of([run], data), [], []
    records = 0
    for record in whole.advance():
        records += record is not None
        states.append(stored(whole.state()))
        counts.append(records)
    expected = rest(turn_of([run], data))
    assert len(states) > 12
    for place in {1, 2, 7, 8, len(states) // 2, len(states) - 3}:
        assert equal(rest(turn_of([run], data, states[place])), expected[counts[place] :]), place
    # A resume that forgets what the method holds is seen.
    own = [name for name in states[6] if name.startswith(("momentum_", "control_"))]
    assert bool(own) == (label(method) in {"momentum", "rk45"})
    if own:
        fresh = turn_of([run], data).state()
        forgetful = states[6] | {name: fresh[name] for name in own}
        assert not equal(rest(turn_of([run], data, forgetful)), expected[counts[6] :])


@pytest.mark.parametrize("method", [SGD, HEAVY, RK45], ids=label)
def test_a_stopped_sweep_goes_on_with_the_same_bits(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: Any
) -> None:
    content = tiny(
        training={"method": method, "time": 2.5},
        axes={"width": [8], "scaling": ["ntk"], "seed": 1},
        observables=["kernel", *SOLVER],
    )
    options: dict[str, Any] = {"executor": "inline", "commit_seconds": 1e-9}
    sweepengine.run(content, tmp_path / "whole.zarr", **options)
    expected = sweepengine.open_sweep(tmp_path / "whole.zarr").load().drop_attrs().drop_vars("peak_memory")
    store = tmp_path / "stopped.zarr"
    for commits in (3, 9):
        stop_in_commit(monkeypatch, commits)
        with pytest.raises(KeyboardInterrupt):
            sweepengine.run(content, store, **options)
        monkeypatch.undo()
    sweepengine.run(content, store, **options)
    xr.testing.assert_identical(sweepengine.open_sweep(store).load().drop_attrs().drop_vars("peak_memory"), expected)


@pytest.mark.parametrize("method", METHODS[1:], ids=label)
def test_packs_change_no_bit_where_each_run_has_its_own_steps(tiny: Tiny, tmp_path: Path, method: Any) -> None:
    content = tiny(training={"method": method, "time": 2.5}, axes={"width": [8]})
    sweeps = []
    for per_turn in (1, 4):
        store = tmp_path / f"{per_turn}.zarr"
        assert sweepengine.run(content, store, executor="inline", runs_per_turn=per_turn).done == 4
        sweeps.append(sweepengine.open_sweep(store).load())
    alone, packed = sweeps
    for name in ("kernel", "outputs_test", "movement_total"):
        np.testing.assert_allclose(packed[name], alone[name], rtol=1e-11, atol=1e-12)
        if not SweepSpec.model_validate(content).training.method.method().shares_steps:
            np.testing.assert_array_equal(packed[name], alone[name])
    assert set(alone.method.values) == {make_spec(content).method_label}


def test_methods_are_part_of_the_id_and_descent_is_neutral(tiny: Tiny) -> None:
    runs = [planned(tiny(training={"method": method}))[0][0] for method in METHODS]
    assert len({run.id for run in runs}) == len(METHODS)
    plain = planned(tiny())[0][0]
    assert runs[0] == plain
    assert "method" not in plain._content()
    by_name = dict(zip(map(label, METHODS), runs, strict=True))
    assert len({by_name[name].limit_id for name in ("heun", "rk4", "rk45")}) == 1
    assert len({by_name[name].limit_id for name in ("gd", "sgd", "rk4")}) == 3
    assert replace(runs[1], method=replace(runs[1].method, batch_size=6)).id != runs[1].id
    for run in runs:
        assert Run.from_json(run.to_json()) == run
    assert make_spec(tiny(training={"method": {"name": "gd"}})) == make_spec(tiny(training={"method": "gd"}))


@pytest.mark.parametrize(
    ("method", "message"),
    [("adam", r"training\.method\.name: found 'adam'; allowed: 'gd', 'sgd', 'momentum', 'heun', 'rk4', 'rk45'"),
     ("sgd", r"training\.method\.batch_size: missing; add it"),
     ({"name": "sgd", "batch_size": 3, "beta": 0.5},
      r"method\.beta: unknown key\. Allowed here: batch_size, name, repl"),
     ({"name": "momentum", "beta": 1.0}, r"training\.method\.beta: found 1\.0; expected a number below 1"),
     ({"name": "momentum", "beta": 0.5, "replacement": True}, r"training\.method: replacement is of minibatches"),
     ({"name": "rk45", "tolerance": 0}, r"training\.method\.tolerance: found 0; expected 1e-12 or more"),
     (7, r"training\.method: found 7; expected a mapping of fields")],
)  # fmt: skip
def test_bad_methods_say_what_is_wrong(tiny: Tiny, method: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_spec(tiny(training={"method": method}))


def test_what_a_method_cannot_have_is_refused_before_anything_is_written(tiny: Tiny, tmp_path: Path) -> None:
    store = tmp_path / "no.zarr"
    for method in (SGD, HEAVY):
        content = tiny(training={"method": method}, observables=["linear_distance_test"])
        with pytest.raises(
            SpecError, match=rf"linear_distance_test compares .* found training\.method {label(method)}"
        ):
            sweepengine.run(content, store, executor="inline")
    large = tiny(training={"method": {"name": "sgd", "batch_size": 13}})
    with pytest.raises(SpecError, match=r"batch_size: found 13, but there are 12 training points; use 12 or fewer, or"):
        sweepengine.run(large, store, executor="inline")
    assert not store.exists()
    large["training"]["method"]["replacement"] = True
    assert sweepengine.run(large, store, executor="inline").done == 8
    other = tiny(training={"method": "heun"})
    with pytest.raises(sweepengine.errors.StoreError, match=r"training\.method: the store has"):
        sweepengine.run(other, store, executor="inline")


def test_the_schema_offers_names_and_mappings() -> None:
    offered = SweepSpec.model_json_schema()["$defs"]["TrainingSpec"]["properties"]["method"]["anyOf"]
    assert offered[0]["enum"] == ["gd", "heun", "rk4", "rk45"]
    assert set(offered[1]["discriminator"]["mapping"]) == {"gd", "sgd", "momentum", "heun", "rk4", "rk45"}


def test_flows_are_recorded_at_the_times_of_descent(tiny: Tiny, tmp_path: Path) -> None:
    """gd, Heun, RK4 and the pair at equal times: each closer to the flow than the one before."""
    sweeps: dict[str, xr.Dataset] = {}
    axes = {"width": [8], "seed": 1}
    for method in ("gd", "heun", "rk4", RK45, {"name": "rk45", "tolerance": 1e-10}):
        content = tiny(training={"method": method}, axes=axes, observables=["outputs_train", *SOLVER])
        store = tmp_path / f"{len(sweeps)}.zarr"
        sweepengine.run(content, store, executor="inline")
        sweeps[str(method)] = sweepengine.open_sweep(store).load()
    *others, exact = sweeps.values()
    errors = [float(abs(each.outputs_train - exact.outputs_train.values).max()) for each in others]
    for each in others:
        np.testing.assert_array_equal(each.time, exact.time)
        np.testing.assert_array_equal(each.step, exact.step)
    assert errors[0] > 5 * errors[1] > 50 * errors[2] > 50 * errors[3] > 0
    for each in others[:3]:
        assert all(float(abs(each[name]).max()) == 0 for name in SOLVER)
    adaptive = others[3]
    assert (adaptive.solver_steps.diff("record") > 0).all()
    assert (adaptive.solver_steps.isel(record=-1) < exact.solver_steps.isel(record=-1)).all()
    assert (adaptive.solver_step_smallest.isel(record=0) == 0).all()
    assert (adaptive.solver_step_smallest.isel(record=slice(1, None)) > 0).all()
    assert float(adaptive.solver_forced.max()) == 0


@pytest.mark.parametrize(("method", "bound"), [("gd", 1e-12), ("heun", 1e-12), ("rk4", 1e-12), (RK45, 1e-4)])
def test_a_linear_model_keeps_no_distance_from_its_linearisation(
    tiny: Tiny, tmp_path: Path, method: Any, bound: float
) -> None:
    names = ["linear_distance_train", "linear_distance_test"]
    found = []
    for trained in ("last_layer", "all"):
        axes = {"width": [8], "seed": 1}
        content = tiny(network={"trained": trained}, training={"method": method}, axes=axes, observables=names)
        sweepengine.run(content, tmp_path / f"{trained}.zarr", executor="inline")
        sweep = sweepengine.open_sweep(tmp_path / f"{trained}.zarr").load()
        found.append(max(float(sweep[name].max()) for name in names))
    assert found[0] < bound
    assert found[1] > 1e-2


def test_predictions_are_those_of_the_method(tiny: Tiny, tmp_path: Path) -> None:
    """Flow: e^{−Θt/N}; descent: its step; minibatches and momentum: none."""
    limits = {}
    for method in ("gd", "rk45", SGD):
        content = tiny(training={"method": method, "time": 4.0}, axes={"width": [8], "seed": 1})
        store = tmp_path / f"{label(method)}.zarr"
        sweepengine.run(content, store, executor="inline")
        limits[label(method)] = sweepengine.open_theory(store).load().isel(limit=0)
        sweep = sweepengine.open_sweep(store).load()
    flow, y = limits["rk45"], sweep.targets_train.values
    exact = theory.KernelDynamics.of(flow.ntk_train.values).train(sweep.time.values, np.zeros_like(y), y)
    np.testing.assert_allclose(flow.outputs_mean_train, exact, rtol=1e-9, atol=1e-10)
    assert float(abs(limits["gd"].outputs_mean_train - exact).max()) > 1e-3
    assert np.isnan(limits["sgd"].outputs_mean_train).all()
    assert np.isfinite(limits["sgd"].ntk_train).all()


@pytest.mark.parametrize("method", [SGD, RK45, "heun"], ids=label)
def test_a_diverging_run_is_recorded(tiny: Tiny, tmp_path: Path, method: Any) -> None:
    """x² at a huge step, and at a huge output for the flow, whose adaptive steps follow it as long as they can."""
    content = tiny(
        network={"activation": "quadratic"},
        training={"method": method, "step_size": 5.0 if label(method) != "rk45" else 500.0, "time": 5000.0},
        axes={"scaling": ["mean_field"], "width": [8], "alpha": [1.0, 100.0]},
        observables=["loss_train"],
    )
    outcome = sweepengine.run(content, tmp_path / "d.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "d.zarr").load()
    assert outcome.failed == 0
    assert outcome.diverged > 0
    for position in np.flatnonzero(sweep.status == "diverged"):
        one = sweep.isel(run=position)
        valid = one.step < one.diverged_step
        assert int(valid.sum()) == int(one.records_done) > 0
        np.testing.assert_array_equal(np.isfinite(one.loss_train), valid)


def test_single_precision_flows(tiny: Tiny, tmp_path: Path) -> None:
    method = {"name": "rk45", "tolerance": 1e-5}
    content = tiny(training={"method": method}, axes={"seed": 1}, observables=["outputs_train", *SOLVER])
    found = []
    for precision in ("float32", "float64"):
        sweepengine.run(content | {"precision": precision}, tmp_path / f"{precision}.zarr", executor="inline")
        found.append(sweepengine.open_sweep(tmp_path / f"{precision}.zarr").load())
    single, double = found
    assert single.outputs_train.dtype == np.float32
    np.testing.assert_allclose(single.outputs_train, double.outputs_train, atol=2e-4)
    np.testing.assert_allclose(single.solver_steps[:, -1], double.solver_steps[:, -1], atol=3)


def test_claims_are_not_judged_on_other_dynamics(tiny: Tiny, tmp_path: Path) -> None:
    verdicts = {}
    for method in ("gd", SGD):
        store = tmp_path / f"{label(method)}.zarr"
        axes = {"width": [8, 16, 32, 64], "scaling": ["ntk"], "seed": 4}
        content = tiny(training={"method": method, "time": 2.0}, axes=axes)
        sweepengine.run(content, store, executor="inline")
        summary = analysis.summarise(sweepengine.open_sweep(store))
        assert summary.claims
        verdicts[label(method)] = {(claim.verdict, claim.why) for claim in summary.claims}
    assert {verdict for verdict, _ in verdicts["sgd"]} == {"undecided"}
    assert all("gradient descent or flow" in why and "sgd(batch_size=5" in why for _, why in verdicts["sgd"])
    assert not any("gradient descent or flow" in why for _, why in verdicts["gd"])
    known = {name: Method(name).dynamics is not None for name in ("gd", "sgd", "momentum", "heun", "rk4", "rk45")}
    assert {name: Setting(0.5, 1, "tanh", method=name).follows_the_flow for name in known} == known
