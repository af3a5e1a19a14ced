"""Several outputs, given weights, widths for each layer, laws that the theory does not have: from spec to report."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import xarray as xr

import sweepengine
from sweepengine import analysis
from sweepengine.data import load
from sweepengine.errors import DataError, SpecError, StoreError
from sweepengine.networks import Law, initialise
from sweepengine.plan import make_plan
from sweepengine.spec import AnySpec, Run, SweepSpec, make_spec
from sweepengine.store import SweepStore, read_given
from tests.support.memory import machine_of
from tests.support.turns import planned, turn_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tiny = Callable[..., dict[str, Any]]

OUTPUTS = ["loss_train", "loss_test", "outputs_train", "outputs_test"]
THREE = {"classes": [0, 1, 2]}
_STORES = itertools.count()


def computed(content: dict[str, Any], **options: Any) -> xr.Dataset:
    """Run a spec in a store of this process's memory, and open it; its limit is the attribute ``theory``."""
    store = f"memory://models-{next(_STORES)}.zarr"
    outcome = sweepengine.run(content, store, executor="inline", **options)
    assert outcome.done == outcome.runs
    sweep = sweepengine.open_sweep(store).load()
    sweep.attrs["theory"] = sweepengine.open_theory(store).load()
    return sweep


def saved(content: dict[str, Any], path: Path, seed: int = 1) -> dict[str, Any]:
    """A spec with its own first network in a file."""
    spec = SweepSpec.model_validate(content)
    data, [architecture] = load(spec.data), spec.architectures()
    law = Law(architecture.first_layer, architecture.readout)
    widths, d = architecture.widths(spec.axes.width[0]), data.x_train.shape[1]
    drawn = initialise(architecture, widths, d, seed, torch.float64, outputs=data.outputs, law=law)
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in drawn.tensors().items()}
    np.savez(path, **arrays)
    network = {key: value for key, value in content["network"].items() if key not in ("first_layer", "readout")}
    return content | {"network": network | {"weights": str(path)}}


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_given_weights_equal_the_same_weights_drawn(tiny: Tiny, tmp_path: Path, precision: str) -> None:
    content = tiny(
        data=THREE,
        network={"depth": 2, "width_ratios": [2.0, 1.0], "sigma_b": 0.4, "output_bias": True, "first_layer": "sphere"},
        axes={"width": [8], "seed": [1]}, training={"loss": "cross_entropy"}, precision=precision, observables=OUTPUTS,
    )  # fmt: skip
    drawn, given = computed(content), computed(saved(content, tmp_path / "w.npz"))
    tolerance = 1e-11 if precision == "float64" else 1e-4
    np.testing.assert_allclose(given.outputs_test, drawn.outputs_test, rtol=tolerance, atol=tolerance)
    assert not set(given.id.values) & set(drawn.id.values)
    # The test sees other weights, and a seed changes nothing of given ones.
    other = computed(saved(content | {"axes": content["axes"] | {"seed": [3, 4]}}, tmp_path / "o.npz", seed=2))
    assert float(abs(other.outputs_test.isel(run=0) - drawn.outputs_test.isel(run=0)).max()) > 1e-2
    first, second = (other.outputs_test.isel(run=np.flatnonzero(other.seed == seed)) for seed in (3, 4))
    np.testing.assert_array_equal(first, second)


def test_given_weights_come_to_the_workers_through_the_store(tiny: Tiny, tmp_path: Path) -> None:
    content = saved(tiny(axes={"width": [8]}, observables=OUTPUTS), tmp_path / "w.npz")
    store = tmp_path / "s.zarr"
    sweepengine.run(content, store, executor="inline")
    opened = SweepStore(store)
    runs = make_plan(make_spec(content), opened).runs
    [weights] = {run.architecture.weights for run in runs if isinstance(run, Run)}
    with np.load(tmp_path / "w.npz") as file:
        tree = xr.open_datatree(store, engine="zarr")  # as any reader of Zarr sees them
        for name, values in read_given(opened.objects, opened.nodes, "weights", weights).items():
            np.testing.assert_array_equal(values, file[name])
            np.testing.assert_array_equal(tree[f"weights/{weights}/{name}"], file[name])
        tree.close()
    # Wherever the file lies, the same weights are the same sweep; other weights are not.
    (tmp_path / "w.npz").rename(tmp_path / "moved.npz")
    moved = content | {"network": content["network"] | {"weights": str(tmp_path / "moved.npz")}}
    assert sweepengine.run(moved, store, executor="inline").skipped == 4
    with pytest.raises(StoreError, match="was written with other weights"):
        sweepengine.run(saved(content, tmp_path / "w.npz", seed=5), store, executor="inline")
    with pytest.raises(StoreError, match="was written with other weights"):
        sweepengine.run(tiny(axes={"width": [8]}, observables=OUTPUTS), store, executor="inline")
    longer = moved | {"axes": moved["axes"] | {"seed": 3}}
    (store / "weights" / weights / "W0" / "c" / "0" / "0").unlink()
    with pytest.raises(StoreError, match=f"weights/{weights}/W0 is not what was written"):
        sweepengine.run(longer, store, executor="inline")


@pytest.mark.parametrize(
    ("changes", "arrays", "message"),
    [
        ({}, None, r"network\.weights: .*w\.npz: there is no such file"),
        ({}, {"W1": np.full(8, np.nan)}, r"network\.weights: .*w\.npz: W1 holds numbers that are not finite"),
        ({}, {"W1": np.array([{}] * 8)}, r"W1 holds Python objects; expected real numbers"),
        ({}, {"W1": None}, r"no array 'W1'; found W0"),
        ({"network": {"sigma_b": 0.1}}, {}, r"no array 'b0'"),
        ({"axes": {"width": [16]}}, {}, r"sizes \(64, 8\) and 1 outputs, the spec and its data ask for \(64, 16\)"),
        ({"data": THREE}, {}, r"and 1 outputs, the spec and its data ask for \(64, 8\) and 3 outputs"),
        ({"network": {"depth": 2}}, {}, r"no array 'W2'|W1 has shape"),
        # A parameter of the file that the network would silently be without.
        ({}, {"b0": np.zeros(8)}, r"has b0, and the network of the spec has only W0, W1; set .* sigma_b > 0"),
        ({"network": {"sigma_b": 0.1}}, {"b0": np.zeros(8), "b1": np.zeros(())}, r"has b1, .* only W0, b0, W1;"),
        ({}, {"W2": np.zeros(8)}, r"has W2"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tiny: Tiny, tmp_path: Path, changes: dict[str, Any], arrays: dict[str, Any] | None, message: str
) -> None:
    rng = np.random.default_rng(0)
    if arrays is not None:
        whole = {"W0": rng.standard_normal((8, 64)), "W1": rng.standard_normal(8)} | arrays
        np.savez(tmp_path / "w.npz", **{name: values for name, values in whole.items() if values is not None})
    base = tiny(axes={"width": [8]}, network={"weights": str(tmp_path / "w.npz")})
    content = {
        key: {**value, **changes.get(key, {})} if isinstance(value, dict) else value for key, value in base.items()
    }
    with pytest.raises(DataError, match=message):
        sweepengine.run(content, tmp_path / "s.zarr", executor="inline")
    assert not (tmp_path / "s.zarr").exists()


@pytest.mark.parametrize(
    ("network", "axes", "message"),
    [
        ({"weights": "w.npz", "readout": "signs"}, {"width": [8]}, "weights of a file have no law"),
        ({"weights": "w.npz"}, {}, r"axes\.width: found \[8, 16\] with network\.weights"),
        ({"depth": 2, "width_ratios": [1.5]}, {}, "give one ratio for each layer"),
        ({"depth": 2, "width_ratios": [1.0, 2.0]}, {}, "the last ratio must be 1"),
        (
            {"depth": 2, "width_ratios": [0.3, 1.0]},
            {"width": [10, 16]},
            r"0\.3 × width 16 = 4\.8 is no number of neurons",
        ),
        ({"depth": 2, "width_ratios": [0.01, 1.0]}, {}, r"0\.01 × width 8"),
        ({"depth": None, "width_ratios": [1.0]}, {"depth": [1, 2]}, r"width_ratios: found \[1\.0\] with axes\.depth"),
    ],
)
def test_models_that_cannot_be_are_refused(
    tiny: Tiny, network: dict[str, Any], axes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        make_spec(tiny(network=network, axes=axes))


def test_equal_ratios_are_the_plain_network_and_others_are_not(tiny: Tiny) -> None:
    def architecture(**network: Any) -> Any:
        [found] = SweepSpec.model_validate(tiny(network={"depth": 2, **network})).architectures()
        return found

    assert architecture(width_ratios=[1.0, 1.0]) == architecture()
    assert architecture(width_ratios=[2.0, 1.0]).widths(8) == [16, 8]
    assert architecture(width_ratios=[2.0, 1.0]) != architecture()


def test_every_setting_of_the_model_is_in_the_id(tiny: Tiny) -> None:
    variants: list[dict[str, Any]] = [
        {}, {"first_layer": "sphere"}, {"readout": "signs"}, {"readout": "ones"}, {"width_ratios": [2.0, 1.0]},
        {"width_ratios": [3.0, 1.0]},
    ]  # fmt: skip
    store = SweepStore("memory://nothing.zarr")
    plans = [make_plan(make_spec(tiny(network={"depth": 2, **variant})), store) for variant in variants]
    ids = [{run.id for run in plan.runs} for plan in plans]
    assert len(set.union(*ids)) == 8 * len(variants)
    assert ids[0] == {
        run.id for run in make_plan(make_spec(tiny(network={"depth": 2, "width_ratios": [1, 1]})), store).runs
    }


def test_a_store_takes_the_same_model_in_other_words_and_no_other_model(tiny: Tiny) -> None:
    base = tiny(data=THREE, network={"depth": 2}, axes={"width": [8], "seed": 1}, observables=["loss_train"])
    store = f"memory://models-{next(_STORES)}.zarr"
    sweepengine.run(base, store, executor="inline")

    def again(section: str, **changes: Any) -> AnySpec:
        return make_spec(base | {section: base[section] | changes})

    for same in (again("data", targets="one_hot"), again("network", width_ratios=[1.0, 1.0])):
        assert sweepengine.run(same, store, executor="inline").skipped == 2
    for other, message in (
        (again("data", targets="signs"), "was written with other data"),
        (again("data", random_labels=True), r"data\.random_labels: the store has False, this spec True"),
        (
            again("network", width_ratios=[2.0, 1.0]),
            r"network\.width_ratios: the store has nothing, this spec \[2\.0, 1\.0\]",
        ),
        (again("network", first_layer="sphere"), r"network\.first_layer: the store has gaussian"),
        (again("training", loss="cross_entropy"), r"training\.loss: the store has mse"),
    ):
        with pytest.raises(StoreError, match=message):
            sweepengine.run(other, store, executor="inline")


def test_a_read_out_of_ones_has_one_output(tiny: Tiny) -> None:
    with pytest.raises(SpecError, match=r"network\.readout: ones gives all 3 outputs"):
        make_plan(make_spec(tiny(network={"readout": "ones"}, data=THREE)), SweepStore("memory://nothing.zarr"))


def test_outputs_of_a_trained_last_layer_know_nothing_of_each_other(tiny: Tiny, tmp_path: Path) -> None:
    """With frozen features column 0 is the network of one output with the first column's read-out and targets."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((22, 6)), rng.standard_normal((22, 2))
    for name, targets in (("both", y), ("first", y[:, 0])):
        np.savez(tmp_path / name, x_train=x[:12], x_test=x[12:], y_train=targets[:12], y_test=targets[12:])
    for trained, alike in (("last_layer", True), ("all", False)):
        base = tiny(network={"trained": trained}, observables=OUTPUTS)
        both, first = (
            computed(base | {"data": {"name": "file", "path": str(tmp_path / f"{name}.npz")}})
            for name in ("both", "first")
        )
        difference = float(abs(both.outputs_test.isel(output=0) - first.outputs_test).max())
        assert (difference < 1e-12) == alike, (trained, difference)


def test_several_outputs_in_groups_equal_single_runs_to_rounding(tiny: Tiny) -> None:
    content = tiny(
        data=THREE, network={"depth": 2, "sigma_b": 0.3}, training={"loss": "cross_entropy"}, observables=OUTPUTS
    )
    single, grouped = computed(content), computed(content, runs_per_turn=4)
    for name in single.data_vars:
        np.testing.assert_allclose(grouped[name], single[name], rtol=1e-11, atol=1e-12, err_msg=str(name))


def test_a_turn_of_several_outputs_continues_from_its_state(tiny: Tiny) -> None:
    [run, *_], data = planned(tiny(data=THREE, training={"loss": "cross_entropy"}, observables=OUTPUTS))
    whole = [record for record in turn_of([run], data).advance() if record]
    turn = turn_of([run], data)
    progress = turn.advance()
    for _ in range(9):
        next(progress)
    state = {name: np.copy(values) for name, values in turn.state().items()}
    rest = [record for record in turn_of([run], data, state).advance() if record]
    assert 0 < len(rest) < len(whole)
    for found, expected in zip(rest[::-1], whole[::-1], strict=False):
        assert found.index == expected.index
        for values, wanted in zip(found.values, expected.values, strict=True):
            assert values is not None
            assert wanted is not None
            for name in OUTPUTS:
                np.testing.assert_array_equal(values[name], wanted[name])


def wide(tiny: Tiny, **changes: Any) -> dict[str, Any]:
    training = {"step_size": "auto", "time": 4.0, "records": {"count": 3}}
    axes = {"scaling": ["ntk"], "width": [1024], "seed": 3}
    return tiny(training=training, axes=axes, observables=[*OUTPUTS, "kernel"], **changes)


def distance_at_start(sweep: xr.Dataset, limit: xr.Dataset) -> float:
    difference, own = sweep.kernel.isel(record=0) - limit.ntk_train, limit.ntk_train
    relative = np.sqrt((difference**2).mean(("i", "j")) / (own**2).mean())
    return float(relative.max(skipna=False))


def test_wide_networks_of_several_outputs_follow_the_mean_of_each(tiny: Tiny) -> None:
    network = {"depth": 2, "width_ratios": [0.5, 1.0]}
    sweep = computed(wide(tiny, network=network | {"centred": True}, data=THREE))
    limit = sweep.attrs["theory"].isel(limit=0)
    assert limit.outputs_mean_test.dims == ("record", "test", "output")
    assert distance_at_start(sweep, limit) < 0.15
    for mean, near in ((limit.outputs_mean_test, True), (limit.outputs_mean_test.roll(output=1), False)):
        error = float(abs(sweep.outputs_test - mean).max(skipna=False))
        assert (error < 0.15) == near
        assert near or error > 0.5
    # The deviation is the same for every output: uncentred networks scatter by it about their means.
    sweep = computed(wide(tiny, network=network, data=THREE))
    limit = sweep.attrs["theory"].isel(limit=0)
    z = (sweep.outputs_test - limit.outputs_mean_test) / limit.outputs_std_test
    for rms in np.sqrt((z**2).mean(("run", "record", "test"), skipna=False)).values:
        assert 0.5 < rms < 2


def test_wide_networks_with_a_read_out_of_ones_lie_on_their_limit_where_it_is_told(tiny: Tiny) -> None:
    sweep = computed(wide(tiny, network={"readout": "ones"}))
    limit = sweep.attrs["theory"].isel(limit=0)
    assert distance_at_start(sweep, limit) < 0.15
    z = (sweep.outputs_test - limit.outputs_mean_test) / limit.outputs_std_test
    assert 0.5 < float(np.sqrt((z**2).mean(skipna=False))) < 2


@pytest.mark.parametrize(
    ("network", "known"),
    [
        ({"first_layer": "sphere"}, False),
        ({"readout": "ones", "activation": "relu"}, False),
        ({"readout": "ones", "depth": 2}, False),
        ({"readout": "ones", "sigma_b": 0.1}, False),
        ({"readout": "ones"}, True),
        ({"readout": "signs", "activation": "relu"}, True),
    ],
)
def test_no_limit_is_told_where_the_theory_has_none(tiny: Tiny, network: dict[str, Any], known: bool) -> None:
    sweep = computed(
        tiny(network=network, axes={"scaling": ["ntk"], "width": [8], "seed": 1}, observables=["loss_train"])
    )
    limit = sweep.attrs["theory"]
    assert all(bool(limit[name].notnull().all()) == known for name in limit.data_vars)
    assert all(bool(limit[name].isnull().all()) != known for name in limit.data_vars)


def test_relu_with_a_read_out_of_ones_is_not_lazy_and_is_not_judged_as_if(tiny: Tiny) -> None:
    """Row init-scale: E f_0² grows like m and the kernel moves at every width; signs obey the theorem."""
    axes = {"scaling": ["ntk"], "width": [32, 64, 128, 256, 512], "seed": 4}
    found = {}
    for readout in ("ones", "signs"):
        sweep = computed(
            tiny(
                network={"readout": readout, "activation": "relu"}, training={"step_size": "auto", "time": 5.0},
                axes=axes, precision="float32", observables=["outputs_train", "kernel_drift", "movement_total"],
            )
        )  # fmt: skip
        summary = analysis.summarise(sweep)
        f0 = (sweep.outputs_train.isel(record=0) ** 2).mean("i").groupby("width").mean()
        growth = float(np.polyfit(np.log(f0.width), np.log(f0), 1)[0])
        found[readout] = growth, summary.groups[0].fits["kernel_drift"].exponent, {row.id for row in summary.claims}
    growth, drift, claims = found["ones"]
    assert growth == pytest.approx(1, abs=0.1)
    assert abs(drift.value) < 0.1
    assert claims == set()
    growth, drift, claims = found["signs"]
    assert growth == pytest.approx(0, abs=0.4)
    assert drift.value < -0.4
    assert "ntk-const" in claims


def test_accuracy_of_several_outputs_is_that_of_the_largest(tiny: Tiny) -> None:
    content = tiny(data=THREE, training={"loss": "cross_entropy"}, observables=OUTPUTS)
    sweep = computed(content)
    right = (sweep.outputs_test.isel(record=-1).argmax("output") == sweep.targets_test.argmax("output")).mean("test")
    table = analysis.reduce_runs(sweep)
    np.testing.assert_array_equal(table.accuracy_test, right)
    assert 0.4 < float(right.mean()) < 1
    centred = computed(content | {"network": content["network"] | {"centred": True}})
    # At t = 0 every output of a centred network is 0, and a tie is wrong; a run with a NaN is unknown.
    start = analysis.reduce_runs(centred.isel(record=[0]).assign_coords(records_done=("run", [1] * 8)))
    assert float(start.accuracy_test.max()) == 0
    broken = sweep.copy(deep=True)
    broken.outputs_test[0, -1, 0, 1] = np.nan
    table = analysis.reduce_runs(broken)
    assert bool(table.accuracy_test.isnull()[0])
    assert not bool(table.accuracy_test.isnull()[1:].any())


def test_targets_that_are_no_classes_have_no_accuracy(tiny: Tiny) -> None:
    """Half the targets of a relu neuron are 0: the share of right signs would say a fit was bad."""
    base = {"d": 6, "n_train": 12, "n_test": 10}
    for teacher, outputs, known in (("neuron", 1, False), ("sign", 1, True), ("linear", 2, False), ("sign", 2, False)):
        data = {"name": "gaussian", "teacher": teacher, "outputs": outputs, **base}
        sweep = computed(tiny(axes={"width": [8], "seed": 1}, observables=OUTPUTS) | {"data": data})
        assert bool(analysis.reduce_runs(sweep).accuracy_test.notnull().all()) == known
        assert all((group.level is not None) == known for group in analysis.summarise(sweep).groups)


def test_the_automatic_step_of_given_weights_is_that_of_their_own_kernel(tiny: Tiny, tmp_path: Path) -> None:
    base = tiny(
        data=THREE, axes={"scaling": ["ntk"], "width": [8], "seed": [1]},
        training={"step_size": "auto", "time": 500.0, "records": {"count": 2}}, observables=["kernel_eigenvalues"],
    )  # fmt: skip
    sweep = computed(saved(base, tmp_path / "w.npz"))
    quarter = sweep.sizes["i"] / (4 * float(sweep.kernel_eigenvalues[0, 0].max()))
    assert 0.98 * quarter < float(sweep.step_size[0]) <= quarter
    # Of drawn networks it is that of a wide one: another number.
    [drawn, *_] = make_plan(make_spec(base), SweepStore("memory://nothing.zarr")).runs
    assert not 0.98 * quarter < drawn.step_size <= quarter


def test_an_automatic_step_that_no_memory_holds_is_refused_before_it_is_looked_for(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_of(monkeypatch, 16 * (64 * 4096 + 4096**2 + 12 * (64 + 2 * 4096) + 12**2) - 1)
    content = tiny(network={"depth": 2}, training={"step_size": "auto"})
    message = r"auto takes the kernel of 12 points and 2 layers of width 4096, which needs 0\.274 GB; this"
    with pytest.raises(SpecError, match=message):
        sweepengine.run(content, tmp_path / "s.zarr", executor="inline")
    assert not (tmp_path / "s.zarr").exists()
