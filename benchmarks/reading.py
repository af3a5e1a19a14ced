"""Reading a store: a mean over runs by `open_sweep` against a plain zarr loop over the same chunks.

    python benchmarks/reading.py [--gigabytes 1] [--threads 1] [--repeats 3] [--blocks 1000] [--folder .]

A store of synthetic kernels is written through the store's own classes; nothing is trained. The mean over runs of
‖Θ_t − Θ_0‖ is then taken three times, in processes of their own that alternate: by the lazy expression of a notebook,
by the same with `skipna=False`, and by a loop that reads each stored chunk once with zarr (which checks its CRC32C, as
we do) and keeps a sum. xarray's sum looks for NaN in every value unless it is told not to, and the loop does not, so
that the arithmetic of the second is the loop's. All have `--threads` threads: dask's workers, and as many Python
threads that share the chunks of the loop. A ratio is of times of one round, loop over expression: 1 is as fast as the
loop. `peak` is the most resident memory less that after the imports, also in chunks for each thread. With `--blocks`
another store of as many blocks of 20 variables is opened, without reading values.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

POINTS, RECORDS, FEW_POINTS = 128, 21, 4


def spec_of(name: str, points: int, axes: dict[str, object], observables: list[str]) -> dict[str, object]:
    """A spec of one hidden layer whose records lie at every step."""
    return {
        "name": name,
        "data": {"name": "gaussian", "d": 4, "n_train": points, "n_test": 2, "teacher": "linear"},
        "network": {"depth": 1, "activation": "relu", "sigma_w": 1.4, "sigma_b": 0.0},
        "training": {
            "loss": "mse", "step_size": 0.25, "time": 0.25 * (RECORDS - 1), "records": {"spacing": "every", "k": 1}
        },
        "axes": {"scaling": ["ntk"], **axes},
        "observables": observables,
        "precision": "float32",
    }  # fmt: skip


def write_store(url: str, content: dict[str, object], *, values: bool) -> int:
    """Write a finished store whose runs have made-up kernels, or an empty one; return the bytes of its kernels."""
    from sweepengine.plan import make_plan
    from sweepengine.spec import make_spec
    from sweepengine.store import ChunkWriter, Status, SweepStore

    spec, store = make_spec(content), SweepStore(url)
    plan = make_plan(spec, store)
    store.claim()
    store.extend(spec, plan.data, plan.new_blocks, {}, plan.code)
    rng, size = np.random.default_rng(0), 0
    for block, shape in store.block_shapes().items() if values else ():
        factor = rng.standard_normal((POINTS, POINTS)).astype(np.float32)
        for chunk in range(shape.n_chunks):
            writer = ChunkWriter(store.place(block, shape, chunk), store.attempt(1))
            for position in range(*shape.chunk_span(chunk)):
                start = (factor + 0.1 * rng.standard_normal(factor.shape, np.float32)) @ factor.T / POINTS
                drift = rng.standard_normal(factor.shape, np.float32)
                for record in range(shape.records):
                    moved = start + np.float32(0.05 * (1 - np.exp(-record / 8))) * drift
                    size += moved.nbytes
                    writer.record(position, record, {"kernel": moved})
                writer.finish(position, Status.DONE)
            writer.commit()
            writer.release()
    store.release()
    return size


def by_expression(url: str, threads: int, *, skipna: bool | None = None) -> tuple[float, float, list[float]]:
    """Seconds to open, seconds in all, and the mean, by the lazy expression of a notebook."""
    import dask

    import sweepengine

    begun = time.perf_counter()
    kernel = sweepengine.open_sweep(url).kernel
    opened = time.perf_counter() - begun
    drift = ((kernel - kernel.isel(record=0)) ** 2).sum(["i", "j"], skipna=skipna) ** 0.5
    with dask.config.set(num_workers=threads):
        mean = drift.mean("run").values
    return opened, time.perf_counter() - begun, mean.tolist()


def by_loop(url: str, threads: int) -> tuple[float, float, list[float]]:
    """The same by a loop over the stored chunks with zarr alone, on as many threads."""
    import zarr

    begun = time.perf_counter()
    blocks = zarr.open_group(url, mode="r")["blocks"]
    arrays = [block["kernel"] for _, block in sorted(blocks.groups())]
    opened = time.perf_counter() - begun
    chunks = [(array, first) for array in arrays for first in range(0, array.shape[0], array.chunks[0])]

    def share(number: int) -> tuple[np.ndarray, int]:
        total, runs = np.zeros(RECORDS), 0
        for array, first in chunks[number::threads]:
            values = array[first : first + array.chunks[0]]
            total += (((values - values[:, :1]) ** 2).sum((2, 3)) ** 0.5).sum(0)
            runs += len(values)
        return total, runs

    with ThreadPoolExecutor(threads) as pool:
        totals, runs = zip(*pool.map(share, range(threads)), strict=True)
    return opened, time.perf_counter() - begun, (sum(totals) / sum(runs)).tolist()


def opening(url: str, threads: int) -> tuple[float, float, list[float]]:  # noqa: ARG001
    """Seconds to open."""
    import sweepengine

    begun = time.perf_counter()
    sweepengine.open_sweep(url)
    return time.perf_counter() - begun, time.perf_counter() - begun, []


WAYS = {
    "expression": by_expression,
    "skipna=False": partial(by_expression, skipna=False),
    "loop": by_loop,
    "opening": opening,
}


def child(way: str, url: str, threads: int) -> None:
    """Import everything, then read the store one way and print times, memory and the mean as JSON."""
    import xarray as xr

    import sweepengine.store  # noqa: F401

    xr.Dataset({"a": ("b", [0])}).chunk().a.mean().values  # noqa: B018 -- dask is loaded by its first use
    before = _resident()
    opened, seconds, mean = WAYS[way](url, threads)
    print(json.dumps({"opened": opened, "seconds": seconds, "bytes": _peak() - before, "mean": mean}))


def _resident() -> int:
    statm = Path("/proc/self/statm")  # elsewhere than on Linux the peak of the imports is taken
    return int(statm.read_text().split()[1]) * resource.getpagesize() if statm.exists() else _peak()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(way: str, url: str, threads: int = 1) -> dict[str, object]:
    """What a process of its own says of one way."""
    command = [sys.executable, __file__, "--threads", str(threads), "--child", way, url]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def compare(url: str, threads: int, repeats: int) -> None:
    """Print the times of the expressions and of the loop, in processes that alternate."""
    import zarr

    ways = ("expression", "skipna=False", "loop")
    rounds = [{way: measured(way, url, threads) for way in ways} for _ in range(repeats)]
    for each in rounds:
        for way in ways:
            np.testing.assert_allclose(each[way]["mean"], each["loop"]["mean"], rtol=1e-5)
    kernel = next(block["kernel"] for _, block in zarr.open_group(url, mode="r")["blocks"].groups())
    chunk = 4 * np.prod(kernel.chunks)
    for way in ways:
        times = sorted(each[way]["seconds"] for each in rounds)
        opened = min(each[way]["opened"] for each in rounds)
        peak = max(each[way]["bytes"] for each in rounds)
        low, ratio, high = np.percentile(
            [each["loop"]["seconds"] / each[way]["seconds"] for each in rounds], (25, 50, 75)
        )
        print(
            f"{way:12} {times[0]:7.2f} … {times[-1]:.2f} s  opening {opened:.2f} s  loop / it {ratio:.2f} "
            f"[{low:.2f}, {high:.2f}]  peak {peak / 1e6:.0f} MB, {peak / chunk / threads:.1f} chunks a thread"
        )


def main() -> int:
    """Write the stores, read them, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0, help="uncompressed size of the kernels")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=1000, help="blocks of the store that is only opened; 0: none")
    parser.add_argument("--folder", default=".", help="where to put the stores, which are deleted at the end")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child, options.threads)
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        runs = max(1, round(options.gigabytes * 1e9 / (4 * RECORDS * POINTS**2)))
        url = str(Path(folder) / "kernels.zarr")
        size = write_store(url, spec_of("kernels", POINTS, {"width": [16], "seed": runs}, ["kernel"]), values=True)
        stored = sum(path.stat().st_size for path in Path(url).rglob("*") if path.is_file())
        print(f"{size / 1e9:.2f} GB of kernels in {stored / 1e9:.2f} GB, {runs} runs")
        compare(url, options.threads, options.repeats)
        if options.blocks:
            url = str(Path(folder) / "blocks.zarr")
            axes = {"width": list(range(1, options.blocks + 1)), "seed": 1}
            write_store(url, spec_of("blocks", FEW_POINTS, axes, MANY), values=False)
            times = sorted(measured("opening", url)["seconds"] for _ in range(options.repeats))
            print(f"{options.blocks} blocks of {len(MANY)} variables open in {times[0]:.2f} … {times[-1]:.2f} s")
    return 0


MANY = [
    "loss_train", "loss_test", "outputs_train", "outputs_test", "kernel", "kernel_drift", "movement_relative",
    "movement_row_max", "movement_op", "movement_total", "accuracy_train", "accuracy_test", "residual_norm",
    "kernel_diagonal", "kernel_test_train", "kernel_eigenvalues", "kernel_lambda_min", "kernel_lambda_max",
    "kernel_effective_rank", "kernel_alignment",
]  # fmt: skip
"""Twenty variables."""

if __name__ == "__main__":
    sys.exit(main())
