"""One shard of the flows of test_shards.py, as a process: RANK FOLDER."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sweepengine import particles as pt
from sweepengine.observe.measure import CloudMoment, CloudProblem, Recorder

COUNT, CHUNK, D = 103, 8, 3  # thirteen chunks, the last of seven
INPUTS = pt.gaussian_cloud(1, 17, D)
RISK = pt.Risk(pt.Neuron(D, "relu"), INPUTS, INPUTS[:, 0].sin())
REFERENCE = pt.gaussian_cloud(4, 40, D + 1)
OBSERVABLES = ["weak_form_defect", "first_variation", "sliced_w2_reference", "sliced_w2_reference_error"]
SMOOTH = pt.Functional([pt.Risk(pt.Neuron(D, "tanh"), INPUTS, INPUTS[:, 0].sin())])
FLOWS = {
    "euler": (pt.Functional([RISK, pt.ridge(0.1)]), "euler"),
    "rk4": (pt.Functional([RISK, pt.QuadraticInteraction()]), "rk4"),
    "langevin": (pt.Functional([RISK], temperature=0.05), "leimkuhler_matthews"),
    "pairwise": (
        pt.Functional(
            [
                pt.Interaction(pt.GaussianKernel()),
                pt.Discrepancy(pt.RieszKernel(), 0.3 * pt.gaussian_cloud(3, 5, D + 1)),
            ]
        ),
        "heun",
    ),
}


def start(particles: range) -> torch.Tensor:
    return pt.gaussian_cloud(2, len(particles), D + 1, first=particles.start)


def flowed(cloud: torch.Tensor, partition: pt.Partition) -> dict[str, torch.Tensor]:
    """Clouds and diagnostics after four steps of each flow."""
    found = {}
    for name, (functional, method) in FLOWS.items():
        end = pt.flow(functional, cloud, step_size=0.1, steps=4, method=method, seed=5, partition=partition).final()
        found[name] = end
        cold = replace(functional, temperature=0.0)
        numbers = [*functional.values(end, partition), pt.dissipation(cold, end, partition)]
        numbers.append(pt.stationarity_gap(cold, end, end.new_zeros(1, D + 1), partition))
        numbers.append(pt.participation(pt.shares(RISK, end, partition), partition))
        found[f"{name} numbers"] = torch.tensor(numbers, dtype=torch.float64)
        noise = pt.Noise(5, partition.first) if functional.temperature else None
        problem = CloudProblem(
            functional, RISK, RISK, 0.1, end.clone, noise, INPUTS[:3, [0, 1, 2, 0]], REFERENCE, partition
        )
        at_start = CloudMoment(problem.start, problem, 0)
        measured = Recorder("particles", OBSERVABLES, at_start).measure(CloudMoment(end, problem, 4), snapshot=False)
        found |= {f"{name} {each}": values.reshape(-1) for each, values in measured.items()}
        found[f"{name} covariance"] = pt.moments(end, partition)[1]
    # Without kinks: where relu's make the control reject steps, it amplifies rounding a million times, sharded or not.
    adaptive = pt.adaptive_flow(SMOOTH, cloud, time=0.5, partition=partition)
    found["adaptive"] = adaptive.final()
    to_start, to_other = (
        pt.wasserstein(found["adaptive"], other, method="sliced", directions=20, shards=(partition, divided))
        for other, divided in ((cloud, partition), (start(range(COUNT + 9)), None))
    )
    numbers = [to_start.value, to_start.standard_error, to_other.value, to_other.standard_error]
    found["sliced numbers"] = torch.tensor(numbers, dtype=torch.float64)
    found["adaptive numbers"] = torch.tensor([adaptive.accepted, adaptive.rejected])
    return found


def shard(rank: int, size: int, rendezvous: str) -> dict[str, torch.Tensor]:
    """All that one rank finds, summed over the ranks and, under "alone …", summed over nothing."""
    mine = pt.spans(COUNT, CHUNK, size)[rank]
    with pt.ShardGroup(rank, size, rendezvous, timeout=60.0) as group:
        partition = group.partition(mine, chunk=CHUNK)
        found = flowed(start(mine), partition)
        group.take_traffic()
        functional, cloud = FLOWS["euler"][0], start(mine)
        pt.flow(functional, cloud, step_size=0.1, steps=4, partition=partition)
        traffic = group.take_traffic()
        found["traffic"] = torch.tensor([traffic.calls, traffic.payload])
        if rank == size - 1:
            cloud[0] = torch.nan
        status = pt.flow(functional, cloud, step_size=0.1, steps=4, partition=partition)
        found["diverged"] = torch.tensor(-1 if status.diverged_step is None else status.diverged_step)
    for name, end in flowed(start(mine), pt.Partition(CHUNK, first=mine.start)).items():
        found[f"alone {name}"] = end
    return found


def leave(rank: int, size: int, rendezvous: str) -> None:
    """The last rank goes without a word; the others see an error, not a wrong sum."""
    group = pt.ShardGroup(rank, size, rendezvous, timeout=60.0)
    if rank == size - 1:
        return
    with pytest.raises(pt.ShardError, match="start all shards again"), group:
        group.total(torch.ones(3))


def main() -> None:
    """Groups of several sizes after each other, as the processes allow."""
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    for size in (3, 2):
        if rank < size:
            found = shard(rank, size, f"file://{folder}/meet{size}")
            arrays = {name: each.numpy() for name, each in found.items()}
            np.savez(folder / f"{rank}of{size}.npz", **arrays)  # type: ignore[arg-type]
    if rank < 2:
        leave(rank, 2, f"file://{folder}/leave")


if __name__ == "__main__":
    main()
