"""The time of a commit against the time of the plain writes in it.

    python benchmarks/commits.py [--runs 8] [--n-train 64] [--records 20] [--repeats 40]

A commit writes the arrays of a chunk, a state and a mark, and checks which other attempts have a mark of the chunk. The
floor writes the same arrays, state and mark to the same store, and checks nothing. Commit and floor alternate.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from sweepengine.plan import make_plan
from sweepengine.spec import make_spec
from sweepengine.store import ChunkPlace, ChunkWriter, SweepStore
from sweepengine.store._layout import RUN_ARRAYS
from sweepengine.store._objects import get_object, put_object


def created(folder: Path, options: argparse.Namespace) -> SweepStore:
    """Create a store with one chunk, in which nothing is computed."""
    spec = make_spec(
        {
            "name": "commits",
            "data": {"name": "digits", "classes": [3, 8], "n_train": options.n_train, "n_test": 16},
            "network": {"depth": 1, "activation": "relu", "sigma_w": 1.4},
            "training": {
                "loss": "mse",
                "step_size": 0.1,
                "time": 0.1 * (options.records - 1),
                "records": {"spacing": "every", "k": 1},
            },
            "axes": {"scaling": ["ntk"], "width": [64], "seed": options.runs},
            "precision": "float32",
        }
    )
    store = SweepStore(folder / "commits.zarr")
    plan = make_plan(spec, store)
    store.claim()
    store.extend(spec, plan.data, plan.new_blocks, {}, plan.code)
    return store


def floor(place: ChunkPlace, values: dict[str, np.ndarray], state: bytes, mark: bytes) -> float:
    """Return the seconds that the plain writes take."""
    start = time.perf_counter()
    for name, content in values.items():
        place.arrays[name][: content.shape[0]] = content
    put_object(place.store, "state/floor.npz", state)
    put_object(place.store, "marks/floor.json", mark)
    return time.perf_counter() - start


def main() -> int:
    """Print the times of a commit and of the plain writes, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("runs", 8), ("n-train", 64), ("records", 20), ("repeats", 40)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        store = created(Path(folder), options)
        block, shape = next(iter(store.block_shapes().items()))
        place = store.place(block, shape, 0)
        writer = ChunkWriter(place, store.attempt(1))
        state = {"parameters": rng.standard_normal((64, 65)).astype("float32")}
        first, stop = place.span
        made = {
            v.name: rng.standard_normal(shape.array_shape(v)).astype("float32")[first:stop] for v in shape.variables
        }
        for run in range(stop - first):
            for record in range(shape.records - 1):
                writer.record(run, record, {name: values[run, record] for name, values in made.items()})
        writer.commit((0,), state)
        copied = made | {name: np.zeros(stop - first, dtype=place.arrays[name].dtype) for name in RUN_ARRAYS}
        [key] = [ref.key for refs in writer.state_refs().values() for ref in refs]
        content = get_object(place.store, key) or b""
        mark = get_object(place.store, f"marks/{block}/0/{store.attempt(1):09d}.json") or b""
        pairs = []
        for _ in range(options.repeats):
            writer._part._changed_from = 0  # noqa: SLF001 -- all records are written again, as often as is asked
            start = time.perf_counter()
            writer.commit((0,), state)
            pairs.append((time.perf_counter() - start, floor(place, copied, content, mark)))
        store.release()
    ours, plain = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratios = sorted(one / other for one, other in pairs)
    low, high = ratios[len(ratios) // 10], ratios[-len(ratios) // 10 - 1]
    print(
        f"commit {1e3 * ours:.2f} ms, plain writes {1e3 * plain:.2f} ms, ratio {ours / plain:.2f} "
        f"[{low:.2f}, {high:.2f}]"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
