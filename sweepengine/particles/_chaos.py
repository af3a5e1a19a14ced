"""Propagation of chaos by synchronous coupling: small clouds nested in a large one (theory.md §5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepengine.particles._errors import ParameterError
from sweepengine.particles._flow import flow
from sweepengine.particles._terms import Functional, check_cloud
from sweepengine.transport import coupled_distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.particles._partition import Partition
    from sweepengine.particles._risk import Risk
    from sweepengine.particles._terms import Term


@dataclass(frozen=True)
class Coupling:
    """Distances at the end between a cloud of m particles and the reference of M that begins with the same m.

    Attributes
    ----------
    width : int
        Number m of particles.
    distance : float
        Distance between the particles k ≤ m of both clouds, by :func:`sweepengine.transport.coupled_distance`.
    outputs : float
        Distance between f^m and f^M on the inputs, by the same function.
    """

    width: int
    distance: float
    outputs: float


def couple(
    risk: Risk,
    cloud: Tensor,
    widths: Sequence[int],
    *,
    step_size: float,
    steps: int,
    others: Sequence[Term] = (),
    temperature: float = 0.0,
    method: str = "gd",
    seed: int | None = None,
    partition: Partition | None = None,
) -> list[Coupling]:
    """Let a cloud flow, and its first m particles alone for each width m, with the same noise for the same particle.

    Parameters
    ----------
    risk : Risk
        Risk whose outputs are compared; the functional is the sum of the risk and ``others``.
    cloud : Tensor, shape (M, p)
        Independent draws at the start, as of :func:`gaussian_cloud`.
    widths : sequence of int
        Widths m, each from 1 to M − 1.
    step_size, steps, method, seed, partition
        As for :func:`flow`.
    others : sequence of Term
        Further terms of the functional.
    temperature : float
        τ.

    Returns
    -------
    list of Coupling
        One for each width.

    Raises
    ------
    ParameterError
        A width is out of range, or the partition is a shard.
    DivergedError
        A flow diverged.
    """
    check_cloud(cloud)
    total = len(cloud)
    if not widths or min(widths) < 1 or max(widths) >= total:
        raise ParameterError(f"found widths {list(widths)} in a reference of {total}; each m is from 1 to {total - 1}")
    if partition is not None and partition.reduce is not None:
        raise ParameterError("found a coupling on shards; the nested clouds begin at particle 0: use one shard")
    functional = Functional([risk, *others], temperature)

    def end(start: Tensor) -> Tensor:
        run = flow(functional, start, step_size=step_size, steps=steps, method=method, seed=seed, partition=partition)
        return run.final()

    reference = end(cloud)
    outputs = risk.outputs(reference, partition)
    couplings = []
    for width in widths:
        small = end(cloud[:width])
        pairs = (small, reference[:width]), (risk.outputs(small, partition), outputs)
        distance, gap = (coupled_distance(_array(own), _array(whole), width, total) for own, whole in pairs)
        couplings.append(Coupling(width, distance, gap))
    return couplings


def _array(values: Tensor) -> NDArray[np.float64]:
    return values.double().cpu().numpy()
