"""The analysis of sweeps whose axes list values of settings: groups, and reductions without the padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sweepengine
from sweepengine.analysis import reduce_runs, summarise
from sweepengine.analysis._dataset import split
from tests.support.axes import fixed, swept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr

    Tiny = Callable[..., dict[str, Any]]

AXES = {"n_train": [6, 12], "sigma_b": [0.0, 0.5], "width": [8, 16, 32]}


@pytest.fixture
def opened(tiny: Tiny, tmp_path: Path) -> Callable[[dict[str, Any]], tuple[xr.Dataset, xr.Dataset]]:
    """A sweep that has been run, with its theory."""

    def made(content: dict[str, Any]) -> tuple[xr.Dataset, xr.Dataset]:
        store = tmp_path / f"{len(list(tmp_path.iterdir()))}.zarr"
        sweepengine.run(content, store, executor="inline")
        return sweepengine.open_sweep(store), sweepengine.open_theory(store)

    return made


def test_swept_settings_divide_the_groups(tiny: Tiny, opened: Any) -> None:
    sweep, theory = opened(swept(tiny, **AXES))
    groups = split(sweep)
    assert [group.label for group in groups] == [
        f"{scaling}, σ_b = {bias}, N = {n}"
        for bias in ("0", "0.5")
        for n in (6, 12)
        for scaling in ("ntk", "mean_field")
    ]
    for group in groups:
        assert group.setting.biases == (group.axes["sigma_b"] > 0)
        assert set(sweep.n_train.values[group.runs].tolist()) == {group.axes["n_train"]}
        assert len(group.runs) == 3 * 2  # widths and seeds
    along = split(sweep, over="n_train")
    assert all({6, 12} == set(sweep.n_train.values[group.runs].tolist()) for group in along)
    assert len(along) == 2 * 2 * 3
    summary = summarise(sweep, theory=theory)
    assert [len(group.widths) for group in summary.groups] == [3] * 8
    assert all("kernel_drift" in group.fits for group in summary.groups)


def test_an_automatic_step_size_does_not_divide_runs_along_the_axis_that_determines_it(tiny: Tiny, opened: Any) -> None:
    content = swept(tiny, n_train=[6, 12, 24])
    content["training"] |= {"step_size": "auto", "time": 20.0}
    sweep, _ = opened(content)
    assert len(set(sweep.step_size.values.tolist())) == 3
    assert [sorted(set(sweep.n_train.values[group.runs].tolist())) for group in split(sweep, over="n_train")] == [
        [6, 12, 24],
        [6, 12, 24],
    ]
    assert [group.label for group in split(sweep)][::2] == ["ntk, N = 6", "ntk, N = 12", "ntk, N = 24"]
    both, _ = opened(swept(tiny, n_train=[6, 12], step_size=[0.25, 0.5]))
    assert len(split(both, over="n_train")) == 2 * 2
    assert len(split(both, over="step_size")) == 2 * 2


def test_reductions_are_those_of_the_plain_sweeps(tiny: Tiny, opened: Any) -> None:
    sweep, theory = opened(swept(tiny, **AXES))
    reduced = reduce_runs(sweep, theory=theory)
    assert reduced.id.values.tolist() == sweep.id.values.tolist()
    assert not reduced.to_array().isnull().any()
    for n, bias in ((6, 0.0), (12, 0.5)):
        content = fixed(tiny, n_train=n, sigma_b=bias)
        content["axes"]["width"] = AXES["width"]
        alone, its_theory = opened(content)
        expected = reduce_runs(alone, theory=its_theory)
        rows = [reduced.id.values.tolist().index(each) for each in expected.id.values]
        assert set(expected.data_vars) == set(reduced.data_vars)
        for name in expected.data_vars:
            np.testing.assert_allclose(reduced[name].isel(run=rows), expected[name], rtol=1e-12, err_msg=str(name))


def test_padding_that_is_not_cut_off_would_show(tiny: Tiny, opened: Any) -> None:
    sweep, theory = opened(swept(tiny, **AXES))
    reduced = reduce_runs(sweep.drop_vars("n_train"), theory=theory)
    assert np.isnan(reduced.kernel_distance.values[sweep.n_train.values == 6]).all()
    assert np.isfinite(reduced.kernel_distance.values[sweep.n_train.values == 12]).all()


def test_accuracies_are_of_the_targets_of_each_run(tiny: Tiny, opened: Any) -> None:
    content = swept(tiny, data_seed=[0, 1])
    sweep, theory = opened(content)
    found = reduce_runs(sweep, theory=theory).accuracy_test
    for seed in (0, 1):
        alone, its_theory = opened(fixed(tiny, data_seed=seed))
        np.testing.assert_array_equal(
            found.values[sweep.data_seed.values == seed], reduce_runs(alone, theory=its_theory).accuracy_test.values
        )
