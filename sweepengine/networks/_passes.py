"""What goes into a pass over points and what comes out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.spec import Architecture


@dataclass(frozen=True)
class Inputs:
    """Points prepared once.

    Attributes
    ----------
    points : Tensor, shape (N, d)
    scaled : Tensor, shape (N, d)
        x σ_w/√d.
    start : Tensor or None, shape ([R,] N [, k])
        The output at t = 0, subtracted by a centred network; see :meth:`Network.centre`.
    point_dim : int
        The dim of ``start`` that is N, from the end.
    """

    points: Tensor
    scaled: Tensor
    start: Tensor | None = None
    point_dim: int = -1

    @classmethod
    def prepare(cls, x: Tensor, architecture: Architecture) -> Inputs:
        """From inputs x, shape (N, d)."""
        return cls(points=x, scaled=x * (architecture.sigma_w / math.sqrt(x.shape[1])))

    @cached_property
    def gram(self) -> Tensor:
        """Φ_0 = x xᵀ/d, shape (N, N), made when it is first used."""
        return self.points @ self.points.T / self.points.shape[1]

    def cross_gram(self, other: Inputs) -> Tensor:
        """Φ_0 between these points and others, shape (N, N_other)."""
        return self.gram if other is self else self.points @ other.points.T / self.points.shape[1]

    def rows(self, index: Tensor) -> Inputs:
        """Some of the points: a minibatch or a block.

        Parameters
        ----------
        index : Tensor of int64, shape (B,)
        """
        start = None if self.start is None else self.start.index_select(self.point_dim, index)
        return replace(self, points=self.points[index], scaled=self.scaled[index], start=start)


@dataclass(frozen=True)
class Forward:
    """What a forward pass leaves.

    Attributes
    ----------
    features : list of Tensor, length L
        φ(h^l), l = 1 … L; shapes ([R,] N, n_l).
    saved : list of Tensor, length L
        What stands in for φ'(h^l), likewise; see :class:`Activation`.
    outputs : Tensor, shape ([R,] N [, k])
    preactivations : list of Tensor
        h^l, when they were asked for; else empty.
    """

    features: list[Tensor]
    saved: list[Tensor]
    outputs: Tensor
    preactivations: list[Tensor] = field(default_factory=list)


class Workspace:
    """Arrays that are used again at every step, so that a step touches as little memory as it can.

    What was made in a workspace is valid until the same workspace makes it again: one workspace serves one set of
    points of one network, or of a group.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, Tensor] = {}

    def array(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """An uninitialised array, the same one as long as name and shape are the same."""
        found = self._arrays.get(name)
        if found is None or found.shape != shape:
            found = self._arrays[name] = torch.empty(shape, dtype=like.dtype, device=like.device)
        return found


class FreshMemory(Workspace):
    """Every array is a new one."""

    def array(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:  # noqa: ARG002
        """An uninitialised array of its own."""
        return torch.empty(shape, dtype=like.dtype, device=like.device)
