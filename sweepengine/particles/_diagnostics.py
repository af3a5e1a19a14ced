"""Measurements along a flow: dissipation, energy defect, stationarity gap, participation, kernel (theory.md §5.4)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from sweepengine.particles._errors import MemoryNeedError, ParameterError, ShapeError
from sweepengine.particles._partition import Partition
from sweepengine.particles._terms import check_cloud

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from sweepengine.particles._risk import Risk
    from sweepengine.particles._terms import Functional
    from sweepengine.particles._unit import Neuron

KERNEL_BYTES = 2**29
"""Bytes that the mean-field kernel may allocate by default."""


def dissipation(functional: Functional, particles: Tensor, partition: Partition | None = None) -> float:
    """∫‖∇δF₀/δμ‖² dμ at the particles (m, p) of all shards; at τ = 0 it equals −dF₀/dt."""
    partition = partition or Partition()
    field = functional.field(particles, partition)
    return float(partition.mean(len(particles), lambda s: field.velocity(particles[s]).square().sum().reshape(1)))


def energy_defect(times: Sequence[float], values: Sequence[float], dissipations: Sequence[float]) -> list[float]:
    """(F_{n+1} − F_n)/dt + dissipation_n over each interval of a recorded flow at τ = 0.

    Parameters
    ----------
    times, values, dissipations : sequences of one length
        Times, and the values of F₀ and of :func:`dissipation` at these times.

    Returns
    -------
    list of float
        One number for each interval. It tends to 0 for the exact flow as the records get dense, and is O(dt) for
        Euler's steps (theory.md §5.4).

    Raises
    ------
    ShapeError
        The sequences have different lengths, or fewer than 2 entries.
    """
    if not len(times) == len(values) == len(dissipations) >= 2:
        raise ShapeError(
            f"found {len(times)} times, {len(values)} values, {len(dissipations)} dissipations; expected equally many, "
            "at least 2"
        )
    return [(values[n + 1] - values[n]) / (times[n + 1] - times[n]) + dissipations[n] for n in range(len(times) - 1)]


def moments(particles: Tensor, partition: Partition | None = None) -> tuple[Tensor, Tensor]:
    """Mean (p,) and covariance (p, p), float64, of the measure of all shards' particles: divided by m, not by m − 1."""
    check_cloud(particles)
    partition = partition or Partition()
    p = particles.shape[1]
    mean = partition.mean(len(particles), lambda s: particles[s].sum(0, dtype=torch.float64))

    def part(chunk: slice) -> Tensor:
        centred = particles[chunk] - mean  # a second pass, because E xxᵀ − mean meanᵀ would cancel
        return (centred.T @ centred).reshape(-1)

    return mean, partition.mean(len(particles), part).reshape(p, p)


def stationarity_gap(
    functional: Functional, particles: Tensor, grid: Tensor, partition: Partition | None = None
) -> float:
    """∫(δF₀/δμ) dμ minus the smallest δF₀/δμ on a grid and on the particles; never negative.

    At a minimiser of a convex F₀ the first variation takes its minimum on the support, so the gap is 0. For any μ and a
    convex F₀, F₀(μ) − min F₀ would be at most the gap if the grid were all of space (Frank–Wolfe).

    Parameters
    ----------
    functional : Functional
        At τ = 0.
    particles : Tensor, shape (m, p)
    grid : Tensor, shape (g, p)
    partition : Partition or None

    Returns
    -------
    float

    Raises
    ------
    ParameterError
        The functional has a temperature.
    """
    if functional.temperature:
        raise ParameterError(
            f"found temperature {functional.temperature}; the entropy's τ(log μ + 1) is not known on particles: drop it"
        )
    partition = partition or Partition()
    on_cloud = functional.first_variation(particles, particles, partition)
    on_grid = functional.first_variation(grid, particles, partition)
    mean = float(partition.mean(len(on_cloud), lambda s: on_cloud[s].sum(0, keepdim=True)))
    return mean - min(partition.minimum(on_cloud), float(on_grid.min()))


def shares(risk: Risk, particles: Tensor, partition: Partition | None = None) -> Tensor:
    """Root mean square of ψ(θ_k; x_i) over the inputs, shape (m,): how much each particle adds to the outputs."""
    out = particles.new_empty(len(particles))

    def work(chunk: slice) -> None:
        out[chunk] = risk.unit.values(particles[chunk], risk.prepared).square().mean(1).sqrt()

    (partition or Partition()).each(len(particles), work)
    return out


def participation(shares: Tensor, partition: Partition | None = None) -> float:
    """(Σ s)²/(m Σ s²) of non-negative shares s (m,): 1 where all particles share equally, 1/m where one has all."""
    partition = partition or Partition()

    def part(chunk: slice) -> Tensor:
        s = shares[chunk].to(torch.float64)
        return torch.stack([s.sum(), s.square().sum(), (s < 0).sum()])

    if shares.dim() != 1 or not len(shares):
        raise ParameterError(f"found shares of shape {tuple(shares.shape)}; expected (m,)")
    mean, square, negative = partition.mean(len(shares), part).tolist()
    if negative or square == 0:
        raise ParameterError("found shares that are negative or all 0; expected none negative, not all 0")
    return float(mean * mean / square)


def kernel_bytes(inputs: int) -> int:
    """Bytes that :func:`kernel` needs beyond the particles at N inputs: three float64 N × N matrices."""
    return 3 * 8 * inputs * inputs


def kernel(
    unit: Neuron,
    inputs: Tensor,
    particles: Tensor,
    partition: Partition | None = None,
    *,
    memory_bytes: int = KERNEL_BYTES,
) -> Tensor:
    """The mean-field kernel ∫⟨∇ψ(θ; x), ∇ψ(θ; x')⟩ dμ, over all shards.

    Parameters
    ----------
    unit : Neuron
    inputs : Tensor, shape (N, d)
    particles : Tensor, shape (m, p)
    partition : Partition or None
    memory_bytes : int
        Bytes that may be allocated.

    Returns
    -------
    Tensor of float64, shape (N, N)
        For the particles of a network at γ = 1 it is α² Θ (theory.md §5.3).

    Raises
    ------
    MemoryNeedError
        The kernel needs more than ``memory_bytes``; nothing has been allocated.
    """
    partition = partition or Partition()
    need = kernel_bytes(len(inputs))
    if need * partition.threads > memory_bytes:
        raise MemoryNeedError(
            f"the kernel at {len(inputs)} inputs needs {math.ceil(need * partition.threads / 2**20)} MiB and "
            f"{memory_bytes // 2**20} are allowed; use fewer inputs or threads, or raise memory_bytes"
        )
    prepared = unit.prepare(inputs)
    gram = prepared @ prepared.T

    def part(chunk: slice) -> Tensor:
        signal, feature = unit.kernel_parts(particles[chunk], prepared)
        return (gram * (signal.T @ signal) + feature.T @ feature).reshape(-1)

    return partition.mean(len(particles), part).reshape(len(inputs), len(inputs))
