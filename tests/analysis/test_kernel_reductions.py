"""Kernels reduced chunk by chunk, and statistics over seeds in one pass: against loops of NumPy, on every scheduler."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr

import sweepengine
from sweepengine.analysis import ContractError, _order, over_seeds, reduce_kernels
from sweepengine.analysis._kernel_stack import KERNEL_REDUCTIONS
from sweepengine.store import _lazy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
NAMES = tuple(KERNEL_REDUCTIONS)
SPEC: dict[str, Any] = {
    "name": "kernels",
    "data": {"name": "gaussian", "d": 3, "n_test": 4, "teacher": "linear"},
    "network": {"depth": 1, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.3},
    "training": {"loss": "mse", "step_size": 0.25, "time": 3.0, "records": {"spacing": "every", "k": 3}},
    "axes": {"scaling": ["ntk", "mean_field"], "width": [8, 16], "n_train": [5, 7], "seed": 5},
    "observables": ["outputs_test", "kernel", "kernel_full", "kernel_test_train", "kernel_drift", "kernel_alignment",
                    "kernel_cka", "kernel_eigenvalues", "kernel_effective_rank", "feature_gram"],
    "precision": "float64",
}  # fmt: skip


@pytest.fixture(scope="module")
def ds(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """Runs of two numbers of points, padded to the larger; several chunks of several runs."""
    url = tmp_path_factory.mktemp("kernels") / "kernels.zarr"
    sweepengine.run(SPEC, url, executor="inline")
    return sweepengine.open_sweep(url)


def plainly(name: str, ds: xr.Dataset, run: int, record: int) -> Any:
    """One result by NumPy, from one kernel."""
    one = ds.isel(run=run)
    n = int(one.n_train)
    now, start = (one.kernel.isel(record=r).values[:n, :n] for r in (record, 0))
    y = one.targets_train.values[:n]
    values, vectors = np.linalg.eigh(now)
    centre = np.eye(n) - 1 / n
    a, b = centre @ now @ centre, centre @ start @ centre
    shares = values / values.sum()
    signs = np.array([1.0 if v[np.argmax(abs(v))] > 0 else -1.0 for v in vectors.T])
    cross = one.kernel_test_train.isel(record=record).values[:, :n]
    return {
        "norm": np.linalg.norm(now),
        "drift": np.linalg.norm(now - start) / np.linalg.norm(start),
        "cka": (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b),
        "alignment": y @ now @ y / np.linalg.norm(now) / (y @ y),
        "eigenvalues": values,
        "eigenvectors": vectors * signs,
        "target_shares": (vectors.T @ y) ** 2 / (y @ y),
        "effective_rank": np.exp(-(shares * np.log(shares)).sum()),
        "prediction": cross @ np.linalg.solve(now + 0.1 * np.eye(n), y),
    }[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_is_reduced_as_by_a_loop(ds: xr.Dataset, name: str) -> None:
    made = reduce_kernels(ds, name, ridge=0.1)[f"kernel_{name}"]
    assert made.chunks is not None
    assert made.attrs["long_name"]
    held = made.compute()
    for run in range(ds.sizes["run"]):
        for record in (0, 2, ds.sizes["record"] - 1):
            wanted = np.asarray(plainly(name, ds, run, record))
            found = held.isel(run=run, record=record).values
            there = found[tuple(slice(size) for size in wanted.shape)]
            np.testing.assert_allclose(there, wanted, rtol=1e-7, atol=1e-9)
            assert np.isfinite(found).sum() == wanted.size  # what belongs to the padding is NaN


def test_results_are_what_the_engine_records(ds: xr.Dataset) -> None:
    made = reduce_kernels(ds, "drift", "alignment", "cka", "eigenvalues", "effective_rank").compute()
    for name, values in made.data_vars.items():
        np.testing.assert_allclose(values, ds[name], rtol=1e-9, atol=1e-12, err_msg=str(name))


@pytest.mark.parametrize("name", NAMES)
def test_each_reduction_notices_another_kernel(ds: xr.Dataset, name: str) -> None:
    """Twin: kernels with a changed row, so that no test above could pass with a reduction that reads something else."""
    other = ds.assign(kernel=ds.kernel + xr.DataArray(np.diag(np.arange(1.0, 8.0)), dims=("i", "j")))
    made, changed = (reduce_kernels(each, name, ridge=0.1)[f"kernel_{name}"].compute() for each in (ds, other))
    last = {"run": 0, "record": -1}
    assert not np.allclose(made.isel(last), changed.isel(last), rtol=1e-3, equal_nan=True)


def test_several_outputs_and_layers(tmp_path: Path) -> None:
    spec = SPEC | {"data": {"name": "digits", "classes": [1, 3, 7], "n_train": 6, "n_test": 4}}
    spec |= {"axes": {"scaling": ["ntk"], "width": [8], "seed": 2}}
    sweepengine.run(spec, tmp_path / "several.zarr", executor="inline")
    ds = sweepengine.open_sweep(tmp_path / "several.zarr")
    full = reduce_kernels(ds, "drift", "alignment", "cka", "eigenvalues", "effective_rank", of="kernel_full")
    for name in ("drift", "alignment", "cka", "eigenvalues", "effective_rank"):
        np.testing.assert_allclose(full[f"kernel_full_{name}"], ds[f"kernel_{name}"], rtol=1e-9, atol=1e-12)
    one = ds.isel(run=1, record=-1)
    y, kernel = one.targets_train.values, one.kernel.values
    made = reduce_kernels(ds, "prediction", ridge=0.2).kernel_prediction.isel(run=1, record=-1)
    assert made.dims == ("test", "output")
    np.testing.assert_allclose(made, one.kernel_test_train.values @ np.linalg.solve(kernel + 0.2 * np.eye(6), y))
    layers = reduce_kernels(ds, "norm", of="feature_gram").feature_gram_norm
    np.testing.assert_allclose(layers, (ds.feature_gram**2).sum(("i", "j")) ** 0.5)


def test_a_grid_and_missing_runs(ds: xr.Dataset) -> None:
    some = ds.isel(run=slice(1, None))
    dense = some.sweep.grid().sweep.reduce_kernels("drift", "norm")
    listed = some.sweep.reduce_kernels("drift", "norm").sweep.grid()
    assert int(dense.kernel_norm.isnull().all("record").sum()) == 1
    xr.testing.assert_allclose(dense.kernel_drift, listed.kernel_drift)


def test_a_singular_kernel_has_no_prediction(ds: xr.Dataset) -> None:
    flat = ds.assign(kernel=xr.ones_like(ds.kernel))
    assert reduce_kernels(flat, "prediction").kernel_prediction.isnull().all()
    assert reduce_kernels(flat, "prediction", ridge=1.0).kernel_prediction.notnull().all()


@pytest.mark.parametrize(
    ("names", "how", "message"),
    [
        (("drfit",), {}, "'drfit'. Did you mean 'drift'"),
        ((), {}, r"''\. There are norm"),
        (("norm",), {"of": "loss_train"}, "no 'loss_train' with the dims i, j"),
        (("prediction",), {"of": "feature_gram"}, "needs of='kernel'"),
    ],
)
def test_what_cannot_be_reduced(ds: xr.Dataset, names: Any, how: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        reduce_kernels(ds, *names, **how)
    with pytest.raises(ContractError, match="its start is unknown"):
        reduce_kernels(ds.isel(record=0), "drift")


def test_a_chunk_is_read_once_for_all_reductions(ds: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    plain = _lazy.CommittedValues._read

    def counted(values: Any, index: Any) -> Any:
        read.append((values._path, index[0]))
        return plain(values, index)

    monkeypatch.setattr(_lazy.CommittedValues, "_read", counted)
    reduce_kernels(ds[["kernel", "targets_train"]], "norm", "drift", "cka", "eigenvalues").compute(scheduler="sync")
    assert len(read) == len(ds.kernel.chunks[0])  # padding reads nothing
    assert len(set(map(str, read))) == len(read)


def plain_moments(ds: xr.Dataset, name: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean and variance over seeds of a variable in memory, group by group."""
    dense = ds[[name]].compute().sweep.grid()[name]
    return dense.mean("seed", skipna=False), dense.var("seed", ddof=1, skipna=False)


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("as_grid", [True, False])
def test_means_and_variances_are_those_of_plain_arrays(ds: xr.Dataset, lazy: bool, as_grid: bool) -> None:
    shown = ds if lazy else ds.compute()
    shown = shown.sweep.grid() if as_grid else shown
    mean, variance = plain_moments(ds, "outputs_test")
    found = {each: over_seeds(shown, each) for each in ("mean", "variance", "sem")}
    assert (found["mean"].outputs_test.chunks is not None) == lazy
    for each, wanted in (("mean", mean), ("variance", variance), ("sem", (variance / 5) ** 0.5)):
        made = found[each].outputs_test.transpose(*wanted.dims)
        np.testing.assert_allclose(made, wanted, rtol=1e-10, atol=1e-14)
        assert (found[each].n_seeds == 5).all()
    assert "variance over seeds of network output" in found["variance"].outputs_test.attrs["long_name"]
    kernel = found["mean"].kernel
    assert kernel.isel(i=-1).isnull().any()  # padding stays NaN
    assert kernel.sel(n_train=5).isel(i=slice(5), j=slice(5)).notnull().all()


def test_a_large_mean_leaves_the_variance_its_digits(ds: xr.Dataset) -> None:
    """Sums of squares would lose them: (1e8)² and a variance of 1 have 16 digits between them."""
    shifted = ds.assign(outputs_test=ds.outputs_test + 1e8)
    wanted = plain_moments(ds, "outputs_test")[1]
    made = over_seeds(shifted, "variance").outputs_test.transpose(*wanted.dims)
    np.testing.assert_allclose(made, wanted, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("as_grid", [True, False])
def test_quantiles_of_some_entries_at_a_time_are_those_of_all(
    ds: xr.Dataset, monkeypatch: pytest.MonkeyPatch, as_grid: bool
) -> None:
    """Whatever of a group is in memory at once, and in the order of the seeds, not in that of the store."""
    shuffled = ds[["kernel", "outputs_test"]].isel(run=np.random.default_rng(0).permutation(ds.sizes["run"]))
    shown = shuffled.sweep.grid() if as_grid else shuffled
    dense = ds[["kernel", "outputs_test"]].compute().sweep.grid()
    levels = [0.1, 0.5, 0.9]
    whole = over_seeds(dense, "bootstrap", levels=levels, resamples=50)
    for nbytes in (2**26, 500, 1):
        monkeypatch.setattr(_order, "_PIECE", nbytes)
        found = over_seeds(shown, "quantile", levels=levels)
        drawn = over_seeds(shown, "bootstrap", levels=levels, resamples=50)
        assert (found.kernel.data.npartitions > 1000) == (nbytes == 1)
        for name in ("kernel", "outputs_test"):
            wanted = np.quantile(dense[name], levels, axis=dense[name].dims.index("seed"))
            dims = ("quantile", *(dim for dim in dense[name].dims if dim != "seed"))
            made = found[name].sel({dim: dense[dim] for dim in ("scaling", "n_train", "width")}).transpose(*dims)
            np.testing.assert_allclose(made, wanted, rtol=1e-12)
            xr.testing.assert_allclose(drawn[name].sel(scaling=dense.scaling), whole[name])


def test_a_piece_keeps_no_chunk_that_another_needs(ds: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece reads the chunks of its seeds again: what is read once is in memory until the last piece is made."""
    read: list[Any] = []
    plain = _lazy.CommittedValues._read

    def counted(values: Any, index: Any) -> Any:
        read.append(str(index[0]))
        return plain(values, index)

    monkeypatch.setattr(_lazy.CommittedValues, "_read", counted)
    one = ds[["kernel"]].isel(run=np.flatnonzero((ds.scaling == "ntk") & (ds.width == 8) & (ds.n_train == 7)))
    over_seeds(one, "quantile").compute(scheduler="sync")
    once = len(read)
    monkeypatch.setattr(_order, "_PIECE", 5 * 8 * 49 * 2)  # of five seeds in float64: two records
    read.clear()
    made = over_seeds(one, "quantile").kernel
    records = ds.sizes["record"]
    assert made.chunksizes["record"] == (2,) * (records // 2) + (1,) * (records % 2)
    made.compute(scheduler="sync")
    assert len(read) == once * -(-records // 2)


@pytest.fixture(params=["threads", "processes", "distributed"])
def scheduler(request: pytest.FixtureRequest) -> Iterator[Callable[[xr.Dataset], xr.Dataset]]:
    """What computes a lazy Dataset on a scheduler that a user may pass."""
    name = request.param
    if name != "distributed":
        yield lambda lazy: lazy.compute(scheduler=name, num_workers=2)
        return
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield lambda lazy: lazy.compute(scheduler=client)


def reduced(ds: xr.Dataset) -> list[xr.Dataset]:
    of_order = over_seeds(ds[["outputs_test"]], "quantile")
    return [reduce_kernels(ds, *NAMES, ridge=0.1), over_seeds(ds, "mean"), over_seeds(ds, "variance"), of_order]


def test_every_scheduler_has_the_same_numbers(ds: xr.Dataset, scheduler: Callable[[xr.Dataset], xr.Dataset]) -> None:
    for each in reduced(ds):
        with dask.config.set(scheduler="sync"):
            alone = each.compute()
        xr.testing.assert_identical(scheduler(each), alone)


ON_RAY = """
import sys, warnings
warnings.simplefilter("ignore")
import ray, sweepengine, xarray as xr
from ray.util.dask import ray_dask_get
from tests.analysis.test_kernel_reductions import reduced

ray.init("local", num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False,
         object_store_memory=100 * 2**20)
for each in reduced(sweepengine.open_sweep(sys.argv[1])):
    xr.testing.assert_identical(each.compute(scheduler=ray_dask_get), each.compute(scheduler="sync"))
ray.shutdown()
print("the same")
"""


def test_the_scheduler_of_ray_has_the_same_numbers(ds: xr.Dataset) -> None:
    """In a process of its own, because Ray keeps the settings with which it is imported first."""
    settings = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ON_RAY, ds.attrs["store"]]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "the same\n"), done.stderr
