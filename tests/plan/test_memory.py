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


ALONE = """
import json, sys
import sweepengine
from sweepengine.plan import make_plan
from sweepengine.spec import make_spec
from sweepengine.store import SweepStore
content = json.loads(sys.argv[1])
predicted = make_plan(make_spec(content), SweepStore("alone.zarr")).memory_bytes()
sweepengine.run(content, "alone.zarr", executor="inline")
print(predicted / sweepengine.open_sweep("alone.zarr").peak_memory.values.max())
"""


def test_memory_of_particles_is_predicted(tmp_path: Path) -> None:
    base: dict[str, Any] = {
        "kind": "particles",
        "name": "cloud",
        "data": {"name": "gaussian", "teacher": "neuron", "d": 10, "n_train": 20, "n_test": 20},
        "unit": {"activation": "relu"},
        "functional": {"terms": [{"term": "risk", "cost": "mse"}]},
        "initial": {"law": "gaussian"},
        "dynamics": {
            "method": "euler", "step_size": 0.1, "time": 0.1, "records": {"spacing": "every", "k": 1}, "snapshots": 0
        },
        "axes": {"width": [100], "seed": 1},
        "precision": "float32",
    }  # fmt: skip
    many = base | {"axes": {"width": [2_000_000], "seed": 1}, "observables": ["loss_test"]}
    kernel = base | {"data": base["data"] | {"n_train": 2500}, "observables": ["kernel_drift"]}
    points = base | {"data": base["data"] | {"n_train": 20_000}, "axes": {"width": [2048], "seed": 1}}
    weak = many | {"axes": {"width": [1_000_000], "seed": 1}, "observables": ["weak_form_defect"]}
    for name, content in {"weak": weak, "many": many, "kernel": kernel, "points": points}.items():
        # In a process of its own: a sweep before it may leave memory that the system has not taken back.
        folder = tmp_path / name
        folder.mkdir()
        command = [sys.executable, "-W", "error", "-c", ALONE, json.dumps(content)]
        found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=240)
        assert found.returncode == 0, found.stderr
        np.testing.assert_allclose(float(found.stdout), 1.0, atol=0.25, err_msg=name)
