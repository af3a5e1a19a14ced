"""What a task takes of memory: predicted by the plan, measured by its worker, stored with its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import sweepengine
from sweepengine.plan import make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_memory_is_predicted_and_a_process_may_run_sweep_after_sweep(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    wide = tiny(network={"depth": 2}, axes={"width": [2048], "seed": 1, "scaling": ["ntk"]}, precision="float64")
    many_points = tiny(data={"n_train": 250, "n_test": 50}, axes={"width": [512], "seed": 16})
    ratios = []
    for place, content in enumerate((wide, many_points)):  # each starts a Ray of its own
        store = tmp_path / f"{place}.zarr"
        predicted = make_plan(make_spec(content), SweepStore(store)).memory_bytes()
        sweepengine.run(content, store, workers=1)
        measured = sweepengine.open_sweep(store).peak_memory.values
        assert measured.min() > 1e8
        ratios.append(predicted / measured.max())
    np.testing.assert_allclose(ratios, 1.0, atol=0.25)
