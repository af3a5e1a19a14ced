"""Execution: the same numbers in every grouping, divergence and failure as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sweepengine
from sweepengine.errors import DataError, SpecError
from sweepengine.observe import declared
from sweepengine.store import SweepStore, failed_runs
from tests.support.failures import fail_starts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr

    Tiny = Callable[..., dict[str, Any]]

QUICK = {
    "data": {"n_train": 64, "n_test": 64},
    "network": {"activation": "relu", "sigma_w": 2**0.5},
    "training": {"step_size": "auto", "time": 20.0, "records": {"count": 8}},
    "axes": {"width": [32, 256], "seed": 2},
    "precision": "float32",
}


def computed(spec: dict[str, Any], store: Path, **options: Any) -> xr.Dataset:
    sweepengine.run(spec, store, executor="inline", **options)
    return sweepengine.open_sweep(store).load()


def by_id(dataset: xr.Dataset, run: str) -> xr.Dataset:
    return dataset.isel(run=int(np.flatnonzero(dataset.id == run)[0]))


def test_a_run_alone_has_the_bits_that_it_has_in_a_pack(tiny: Tiny, tmp_path: Path) -> None:
    together = computed(tiny(**QUICK), tmp_path / "together.zarr")
    alone = computed(
        tiny(**QUICK | {"axes": {"width": [256], "seed": [1], "scaling": ["mean_field"]}}), tmp_path / "a.zarr"
    )
    assert alone.sizes["run"] == 1
    same = by_id(together, str(alone.id.values[0]))
    for name in alone.data_vars:
        expected = alone[name].isel(run=0) if "run" in alone[name].dims else alone[name]
        np.testing.assert_array_equal(same[name], expected, err_msg=str(name))


def test_batched_turns_equal_single_ones_to_rounding(tiny: Tiny, tmp_path: Path) -> None:
    spec = tiny(
        network={"depth": 2, "sigma_b": 0.3, "output_bias": True}, axes={"scaling": ["ntk", 0.75, "mean_field"]}
    )
    single = computed(spec, tmp_path / "single.zarr")
    batched = computed(spec, tmp_path / "batched.zarr", runs_per_turn=4)
    for name in single.data_vars:
        np.testing.assert_allclose(batched[name], single[name], rtol=1e-12, atol=1e-13, err_msg=str(name))
    halves = computed(spec, tmp_path / "halves.zarr", runs_per_turn=2, commit_seconds=1e-9)
    np.testing.assert_allclose(halves.kernel, single.kernel, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("runs_per_turn", [1, 4])
def test_a_diverging_run_is_recorded_and_the_others_finish(tiny: Tiny, tmp_path: Path, runs_per_turn: int) -> None:
    spec = tiny(
        network={"activation": "quadratic"},
        training={"step_size": 0.125, "time": 60.0},
        axes={"scaling": ["ntk", "mean_field"], "width": [16], "alpha": [0.01, 1.0]},
    )
    outcome = sweepengine.run(spec, tmp_path / "d.zarr", executor="inline", runs_per_turn=runs_per_turn)
    dataset = sweepengine.open_sweep(tmp_path / "d.zarr").load()
    diverged = dataset.status == "diverged"
    assert outcome.diverged == int(diverged.sum()) == 4
    assert outcome.done + outcome.diverged == outcome.runs
    assert outcome.failed == 0
    for _, run in dataset.groupby("run"):
        one = run.isel(run=0)
        valid = one.step < (one.diverged_step if one.status == "diverged" else 10**9)
        assert int(valid.sum()) == int(one.records_done)
        np.testing.assert_array_equal(np.isfinite(one.loss_train), valid)
    again = sweepengine.run(spec, tmp_path / "d.zarr", executor="inline")
    assert again.skipped == again.runs


def test_a_failing_run_is_recorded_with_its_traceback_and_tried_again(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = computed(tiny(), tmp_path / "whole.zarr")

    fail_starts(monkeypatch, "a bad weight", lambda widths, seed: (widths, seed) == ([16], 1))
    store = tmp_path / "f.zarr"
    outcome = sweepengine.run(tiny(), store, executor="inline")
    assert (outcome.done, outcome.failed) == (6, 2)
    dataset = sweepengine.open_sweep(store)
    failed = dataset.isel(run=np.flatnonzero(dataset.status == "failed"))
    assert set(failed.width.values) == {16}
    next(store.glob("failures/*/*.json")).with_suffix(".0.partial").write_bytes(b"{")  # of a writer that was killed
    texts = [run.failure.traceback for run in failed_runs(SweepStore(store))]
    assert len(texts) == 2
    assert all("a bad weight" in text for text in texts)
    monkeypatch.undo()
    assert sweepengine.run(tiny(), store, executor="inline").done == 8
    np.testing.assert_array_equal(sweepengine.open_sweep(store).kernel, expected.kernel)


def test_float32_and_float64_are_close_and_not_equal(tiny: Tiny, tmp_path: Path) -> None:
    double = computed(tiny(), tmp_path / "double.zarr")
    single = computed(tiny(precision="float32"), tmp_path / "single.zarr")
    assert single.kernel.dtype == np.float32
    np.testing.assert_allclose(single.outputs_test, double.outputs_test, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(single.outputs_test, double.outputs_test)


def test_the_automatic_step_is_one_number_for_all_widths_scalings_and_seeds(tiny: Tiny, tmp_path: Path) -> None:
    dataset = computed(tiny(**QUICK), tmp_path / "auto.zarr")
    assert len(set(dataset.step_size.values)) == 1
    steps = int(dataset.step[-1])
    eta = float(dataset.step_size[0])
    assert eta * steps == pytest.approx(20.0, rel=1e-15)
    widest = dataset.kernel.isel(record=0).sel(run=(dataset.width == 256)).values.astype(float)
    largest = np.linalg.eigvalsh(widest)[:, -1]
    # λ_max of the reference network (width 4096) is that of width 256 to a few standard errors of m^{-1/2}.
    assert 0.8 < 64 / (4 * largest.mean()) / eta < 1.3
    assert 64 / (4 * largest.mean()) / (2 * eta) < 0.7


def test_more_points_than_there_are(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found 300 \+ 100 = 400, .* have 357 points; ask for at most 357"):
        sweepengine.run(tiny(data={"n_train": 300, "n_test": 100}), tmp_path / "x.zarr", executor="inline")
    assert not (tmp_path / "x.zarr").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"executor": "slurm"}, "allowed: 'ray', 'inline'"), ({"workers": -1}, "workers"),
     ({"commit_seconds": 0}, "commit"), ({"runs_per_turn": 0}, "runs_per_turn"),
     ({"executor": "inline", "address": "auto"}, "goes with the executor 'ray'")],
)  # fmt: skip
def test_bad_options(tiny: Tiny, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        sweepengine.run(tiny(), tmp_path / "x.zarr", **options)
    assert not (tmp_path / "x.zarr").exists()


def test_only_what_is_asked_for_is_recorded(tiny: Tiny, tmp_path: Path) -> None:
    whole = computed(tiny(), tmp_path / "whole.zarr")
    few = computed(tiny(observables=["kernel_drift", "loss_train"]), tmp_path / "few.zarr")
    assert set(few.data_vars) == {
        "kernel_drift",
        "loss_train",
        *(f"{what}_{of}" for what in ("inputs", "targets") for of in ("train", "test")),
    }
    np.testing.assert_array_equal(few.kernel_drift, whole.kernel_drift)
    assert not set(few.id.values) & set(whole.id.values)  # what is recorded is part of a run
    everything = tiny(observables=[name for name, each in declared("networks").items() if each.by_default][::-1])
    assert sweepengine.run(everything, tmp_path / "all.zarr", executor="inline").done == 8
    assert sweepengine.open_sweep(tmp_path / "all.zarr").id.values.tolist() == whole.id.values.tolist()
    with pytest.raises(SpecError, match=r"observables: found 'kernel_drif'.* networks\. Did you mean 'kernel_drift'\?"):
        sweepengine.run(tiny(observables=["kernel_drif"]), tmp_path / "no.zarr", executor="inline")
    assert not (tmp_path / "no.zarr").exists()
