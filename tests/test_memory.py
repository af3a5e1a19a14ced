"""What a task takes of memory: predicted by the plan, measured by its worker, stored with its runs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROGRAM = """
import json, sys
import sweepengine
from sweepengine.plan import make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore
for place, content in enumerate(json.loads(sys.argv[1])):
    store = f"{place}.zarr"
    predicted = make_plan(make_spec(content), SweepStore(store)).memory_bytes()
    sweepengine.run(content, store, workers=1)
    print(predicted / sweepengine.open_sweep(store).peak_memory.values.max())
"""


def test_memory_is_predicted_and_a_process_may_run_sweep_after_sweep(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    wide = tiny(network={"depth": 2}, axes={"width": [2048], "seed": 1, "scaling": ["ntk"]}, precision="float64")
    many_points = tiny(data={"n_train": 250, "n_test": 50}, axes={"width": [512], "seed": 16})
    # In a process of its own, which has not imported ray; each sweep starts a Ray of its own.
    command = [sys.executable, "-W", "error", "-c", PROGRAM, json.dumps([wide, many_points])]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=240)
    assert found.returncode == 0, found.stderr
    np.testing.assert_allclose([float(line) for line in found.stdout.split()], 1.0, atol=0.25)
