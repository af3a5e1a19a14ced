"""The inputs and the results of passes over points."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.spec import Architecture


Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Inputs:
    """A set of points, prepared for passes.

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
        """Φ_0 = x xᵀ/d, shape (N, N)."""
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


@dataclass(slots=True)  # not frozen: every step makes one, and freezing it takes a microsecond more
class Forward:
    """Result of a forward pass.

    Attributes
    ----------
    features : list of Tensor, length L
        φ(h^l), l = 1 … L; shapes ([R,] N, n_l).
    saved : list of Tensor, length L
        Arrays from which φ'(h^l) is made, of the same shapes; see :class:`Activation`.
    outputs : Tensor, shape ([R,] N [, k])
    preactivations : list of Tensor
        h^l, of the same shapes; empty if the pass did not keep them.
    """

    features: list[Tensor]
    saved: list[Tensor]
    outputs: Tensor
    preactivations: list[Tensor] = field(default_factory=list)


class Passes(NamedTuple):
    """A set of points with its forward pass and its signals."""

    inputs: Inputs
    forward: Forward
    signals: list[Tensor]


class Workspace:
    """Arrays that are used again at every step, so that a step touches as little memory as possible.

    An array is valid until the workspace is asked for the same name again. So a workspace serves one set of points of
    one network or group.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[Shapes, list[Tensor]]] = {}

    def arrays(self, name: str, shapes: Shapes, like: Tensor) -> list[Tensor]:
        """Uninitialised arrays of a name: the same arrays as long as the shapes are the same."""
        held = self._held.get(name)
        if held is None or held[0] != shapes:
            held = self._held[name] = (shapes, _empty(shapes, like))
        return held[1]


class FreshMemory(Workspace):
    """A workspace that makes new arrays every time."""

    def arrays(self, name: str, shapes: Shapes, like: Tensor) -> list[Tensor]:  # noqa: ARG002
        """New, uninitialised arrays."""
        return _empty(shapes, like)


def _empty(shapes: Shapes, like: Tensor) -> list[Tensor]:
    return [torch.empty(shape, dtype=like.dtype, device=like.device) for shape in shapes]
