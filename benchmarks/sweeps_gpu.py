"""One sweep of each kind on a CUDA device, by the in-process executor: seconds, and the distance from a CPU's numbers.

    python benchmarks/sweeps_gpu.py [--device cuda] [--width 1024] [--seeds 32]

Networks run with CUDA graphs and without. The first sweep of each row, which compiles and records, is not timed. The
distance is that of the outputs at the last record, as a share of the largest. Without a CUDA device the rows say so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sweepengine

DATA = {"name": "gaussian", "teacher": "neuron", "d": 64, "n_train": 128, "n_test": 32}
RECORDS = {"spacing": "log", "count": 11}


def specs(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Kind → spec."""
    axes = {"scaling": ["ntk"], "width": [options.width], "seed": options.seeds}
    training = {"loss": "mse", "step_size": 0.05, "time": 10.0, "records": RECORDS}
    shared = {"name": "gpu", "data": DATA, "precision": "float32"}
    return {
        "networks": {
            **shared,
            "network": {"depth": 2, "activation": "tanh", "sigma_w": 1.0},
            "training": training,
            "axes": axes,
        },
        "particles": {
            **shared,
            "kind": "particles",
            "unit": {"activation": "relu"},
            "functional": {"terms": [{"term": "risk", "cost": "mse"}]},
            "initial": {"law": "gaussian"},
            "dynamics": {"method": "euler", "step_size": 0.05, "time": 5.0, "records": RECORDS},
            "axes": {"width": [64 * options.width], "seed": 2},
        },
    }


def outputs(store: Path) -> Any:
    """Outputs at the last record of every run."""
    return sweepengine.open_sweep(str(store)).outputs_train.isel(record=-1).values


def main() -> None:
    """Parse the command line, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--seeds", type=int, default=32)
    options = parser.parse_args()
    for kind, content in specs(options).items():
        ways = {"plain": {}, "graphs": {"cuda_graphs": True}} if kind == "networks" else {"plain": {}}
        if options.device == "cpu":
            ways = {"plain": {}}
        for way, how in ways.items():
            if options.device == "cuda" and not torch.cuda.is_available():
                print(f"sweep of {kind}, {way}: not measured: no CUDA device")
                continue
            with tempfile.TemporaryDirectory() as folder:
                taken = []
                for place in range(2):
                    start = time.perf_counter()
                    store = Path(folder) / f"{place}.zarr"
                    sweepengine.run(content, store, executor="inline", device=options.device, **how)
                    taken.append(time.perf_counter() - start)
                on_cpu = Path(folder) / "cpu.zarr"
                fewer = {**content, "axes": {**content["axes"], "seed": 1}}
                sweepengine.run(fewer, on_cpu, executor="inline", device="cpu")
                expected = outputs(on_cpu)
                apart = np.abs(outputs(store)[: len(expected)] - expected).max() / np.abs(expected).max()
            print(f"sweep of {kind}, {way}: {taken[1]:.1f} s, outputs {apart:.1e} from a CPU's", flush=True)


if __name__ == "__main__":
    main()
