"""Distances between the clouds of runs: closed forms, brute force, what is refused, and what was used is said."""

from __future__ import annotations

import math
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import sweepengine
from sweepengine import analysis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RNG = np.random.default_rng(3)


def stored(clouds: Sequence[Sequence[Any]], status: Sequence[str] | None = None) -> xr.Dataset:
    """A sweep of the clouds [run][snapshot], as `sweepengine.open_sweep` opens one: padded with NaN."""
    most = max(len(each[0]) for each in clouds)
    snapshots, p = len(clouds[0]), np.shape(clouds[0][0])[1]
    particles = np.full((len(clouds), snapshots, most, p), np.nan)
    for run, each in enumerate(clouds):
        for k, cloud in enumerate(each):
            particles[run, k, : len(cloud)] = cloud
    runs = len(clouds)
    return xr.Dataset(
        {"particles": (("run", "snapshot", "particle", "coord"), particles)},
        {
            "status": ("run", list(status or ["done"] * runs)),
            "width": ("run", [len(each[0]) for each in clouds]),
            "seed": ("run", list(range(runs))),
            "id": ("run", [f"r{k}" for k in range(runs)]),
            "snapshot_step": ("snapshot", np.arange(snapshots) * 10),
            "snapshot_time": ("snapshot", np.arange(snapshots) * 0.5),
        },
    ).chunk({"run": 1, "snapshot": 1})


def test_assignments_are_the_best_permutations() -> None:
    clouds = [[RNG.standard_normal((5, 2)) for _ in range(2)] for _ in range(3)]
    found = analysis.run_distances(stored(clouds))
    assert found.attrs["method"] == found.w2.attrs["method"] == "assignment"
    assert found.w2.dims == ("run", "run_other", "snapshot")
    for i, j, k in np.ndindex(3, 3, 2):
        x, y = clouds[i][k], clouds[j][k]
        best = min(np.square(x - y[list(order)]).sum(1).mean() for order in permutations(range(5)))
        assert float(found.w2[i, j, k]) == pytest.approx(math.sqrt(best), rel=1e-13, abs=1e-15)
    # The pairing by numbers is another distance.
    apart = math.sqrt(np.square(clouds[0][0] - clouds[1][0]).sum(1).mean())
    assert apart > 1.05 * float(found.w2[0, 1, 0])
    assert found.id_other.values.tolist() == ["r0", "r1", "r2"]
    assert found.snapshot_time.values.tolist() == [0, 0.5]


def test_translations_in_closed_form() -> None:
    """W₂ of a translation by v is |v|; sliced, √(|v|²/p) up to its standard error, whatever the sizes."""
    cloud, v = RNG.standard_normal((300, 3)), np.array([0.3, -0.4, 1.2])
    sweep = stored([[cloud], [cloud + v], [cloud[:100].repeat(2, 0) + v]])
    exact = analysis.run_distances(sweep.isel(run=[0, 1]))
    assert float(exact.w2[0, 1, 0]) == pytest.approx(1.3, rel=1e-12)
    found = analysis.run_distances(sweep, directions=500)  # 300 and 200 particles: no assignment
    assert found.sliced_w2.attrs["method"] == "sliced"
    assert (found.sliced_w2.attrs["directions"], found.sliced_w2.attrs["seed"]) == (500, 0)
    value, error = (float(found[name][0, 1, 0]) for name in ("sliced_w2", "sliced_w2_error"))
    assert 0 < error < 0.05
    assert abs(value - 1.3 / math.sqrt(3)) < 4 * error
    assert abs(value - 1.3) > 10 * error  # without 1/p
    np.testing.assert_array_equal(found.sliced_w2, found.sliced_w2.values.swapaxes(0, 1))
    np.testing.assert_array_equal(found.sliced_w2.values[range(3), range(3), 0], 0)
    again = analysis.run_distances(sweep, directions=500, seed=1)
    assert float(again.sliced_w2[0, 1, 0]) != value


def test_clouds_on_a_line_are_sorted_whatever_their_sizes() -> None:
    cloud = RNG.standard_normal((6, 1))
    found = analysis.run_distances(stored([[cloud], [cloud[::-1].repeat(3, 0)], [2 * cloud]]))
    assert found.attrs["method"] == "sorting"
    assert float(found.w2[0, 1, 0]) == pytest.approx(0, abs=1e-12)
    assert float(found.w2[0, 2, 0]) == pytest.approx(math.sqrt(np.square(cloud).mean()), rel=1e-12)


def test_nothing_large_is_allocated_in_silence() -> None:
    cloud = np.zeros((4000, 2))
    sweep = stored([[cloud], [cloud]])
    with pytest.raises(
        analysis.MemoryNeedError, match=r"\b2 runs of up to 4000 particles by assignment need 122 MiB, 50 are"
    ):
        analysis.run_distances(sweep, method="assignment", memory_bytes=50 * 2**20)
    assert analysis.run_distances(sweep, directions=2, memory_bytes=50 * 2**20).attrs["method"] == "sliced"
    with pytest.raises(analysis.MemoryNeedError, match="by sliced need"):
        analysis.run_distances(sweep, method="sliced", memory_bytes=1000)
    many = stored([[np.zeros((1000, 2))]] * 45)  # 990 assignments of 0.07 s
    assert analysis.run_distances(many, directions=2).attrs["method"] == "sliced"


def test_what_does_not_fit_is_said() -> None:
    sweep = stored([[np.zeros((4, 2))], [np.zeros((3, 2))]])
    calls: list[tuple[xr.Dataset, dict[str, Any], str]] = [
        (sweep, {"method": "assignment"}, r"one to one, and the widths are \[3, 4\]"),
        (sweep, {"method": "sorting"}, "optimal for one coordinate, these particles have 2"),
        (sweep, {"method": "exact"}, "Found method 'exact'; known are auto, assignment"),
        (sweep, {"method": "sliced", "directions": 1}, "needs at least 2"),
        (sweep.drop_vars("particles"), {}, r"need snapshots\. Run the sweep with `dynamics\.snapshots`"),
        (
            sweep.assign_coords(snapshot_time=(("run", "snapshot"), [[0.0], [1.0]])), {}, "at different times",
        ),
    ]  # fmt: skip
    for ds, options, message in calls:
        with pytest.raises(analysis.ContractError, match=message):
            analysis.run_distances(ds, **options)


def test_only_finished_runs_are_compared(tmp_path: Path) -> None:
    """Of a real sweep with a run that blows up: OU clouds of two seeds, whose distance contracts (theory.md §5.7)."""
    content = {
        "kind": "particles",
        "name": "contraction",
        "functional": {"terms": [{"term": "quadratic"}]},
        "initial": {"law": "gaussian", "coordinates": 2},
        "dynamics": {
            "method": "euler",
            "step_size": 0.1,
            "time": 1.0,
            "records": {"spacing": "every", "k": 5},
            "snapshots": 3,
        },
        "axes": {"width": [40], "seed": 3},
        "precision": "float64",
        "observables": ["particles"],
    }  # fmt: skip
    sweepengine.run(content, tmp_path / "c.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "c.zarr")
    found = analysis.run_distances(sweep)
    assert found.sizes == {"run": 3, "run_other": 3, "snapshot": 3}
    np.testing.assert_allclose(found.w2[0, 1], float(found.w2[0, 1, 0]) * 0.9 ** np.array([0, 5, 10]), rtol=1e-12)
    diverged = sweep.assign_coords(status=("run", ["done", "diverged", "done"]))
    assert analysis.run_distances(diverged).seed.values.tolist() == [0, 2]


@pytest.mark.parametrize("method", ["auto", "sliced"])
def test_an_error_over_too_few_directions_is_refused(method: Any) -> None:
    two_widths = stored([[np.ones((3, 2))], [np.zeros((4, 2))]])
    with pytest.raises(analysis.ContractError, match="Found 1 directions"):
        analysis.run_distances(two_widths, method=method, directions=1)
    assert analysis.run_distances(two_widths, method=method, directions=2).sliced_w2_error.notnull().all()
    with pytest.raises(analysis.ContractError, match=r"Found seed -1\b"):
        analysis.run_distances(two_widths, method=method, seed=-1)


@pytest.mark.parametrize("dim", ["run", "snapshot"])
def test_a_lost_dim_is_named_and_a_kept_one_is_taken(dim: str) -> None:
    ds = stored([[RNG.standard_normal((3, 2)) for _ in range(2)] for _ in range(2)])
    with pytest.raises(analysis.ContractError, match=f"'{dim}' is lost.*isel\\({dim}=\\[-1\\]\\)"):
        analysis.run_distances(ds.isel({dim: -1}))
    assert analysis.run_distances(ds.isel({dim: [-1]})).sizes[dim] == 1


def test_narrow_runs_of_a_wide_sweep_are_read_no_wider() -> None:
    """The memory that is predicted is that of the runs that were picked."""
    read = []
    ds = stored([[RNG.standard_normal((m, 1))] for m in (4, 4, 4000)])

    def looked(block: Any) -> Any:
        read.append(block.shape)
        return block

    lazy = ds.particles.data.rechunk({2: 4}).map_blocks(looked, dtype=float, meta=np.empty((0, 0, 0, 0)))
    ds["particles"] = (ds.particles.dims, lazy)
    analysis.run_distances(ds.isel(run=[0, 1]))
    assert len(read) == 2


def test_a_sliced_need_does_not_advise_what_is_done_already() -> None:
    ds = stored([[np.ones((3, 2))], [np.zeros((4, 2))]])
    with pytest.raises(analysis.MemoryNeedError) as sliced:
        analysis.run_distances(ds, memory_bytes=1)
    assert "method='sliced'" not in str(sliced.value)
    with pytest.raises(analysis.MemoryNeedError, match="use method='sliced'"):
        analysis.run_distances(ds.isel(run=[0]), method="assignment", memory_bytes=1)
