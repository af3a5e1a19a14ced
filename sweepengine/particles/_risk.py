"""The risk of f_μ(x) = ∫ψ(θ; x) dμ as a functional of μ (theory.md §5.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch

from sweepengine.networks import COSTS
from sweepengine.particles._errors import ParameterError, ShapeError
from sweepengine.particles._partition import Partition

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from sweepengine.particles._terms import Field, TermContext
    from sweepengine.particles._unit import Unit


_NAMED = tuple(name for name in COSTS if name != "cross_entropy")  # cross_entropy needs two outputs, a unit has one


class PointCost(Protocol):
    """A cost of single points, such as those of :data:`sweepengine.networks.COSTS`."""

    def points(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:
        """ℓ(f, y) of every point, shape (N,)."""
        ...

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """∂ℓ/∂f, shape (N,)."""
        ...


@dataclass(frozen=True)
class CallableCost:
    """A cost of the user's own, differentiated automatically.

    Attributes
    ----------
    value : callable
        From outputs f (N,) and targets y (N,) to the costs ℓ (N,).
    """

    value: Callable[[Tensor, Tensor], Tensor]

    def points(self, outputs: Tensor, targets: Tensor, output_dim: bool) -> Tensor:  # noqa: ARG002
        """ℓ(f, y) of every point, shape (N,)."""
        return self.value(outputs, targets)

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """∂ℓ/∂f, shape (N,)."""
        with torch.enable_grad():
            at = outputs.detach().requires_grad_()
            total = self.value(at, targets).sum()
        return torch.autograd.grad(total, at)[0]


@dataclass(frozen=True)
class Risk:
    """R(f_μ) = Σ_i weights_i ℓ(f_μ(x_i), y_i), f_μ(x) = ∫ψ(θ; x) dμ − offset(x).

    Attributes
    ----------
    unit : Unit
        ψ.
    inputs : Tensor, shape (N, d)
        Inputs x_i, in the dtype of the particles.
    targets : Tensor, shape (N,)
        Targets y_i.
    cost : PointCost or str
        The cost ℓ, or the name of a cost of :data:`sweepengine.networks.COSTS` for one output.
    weights : Tensor or None, shape (N,)
        Weights of the points; None: 1/N each. With the weights of a quadrature this is a population risk.
    offset : Tensor or None, shape (N,)
        Subtracted from the outputs; the outputs at the start make a centred network.
    prepared : Tensor
        The inputs in the form that the unit takes, computed from ``inputs``.

    Raises
    ------
    ParameterError
        The name of the cost is unknown.
    ShapeError
        Targets, weights or offset do not have shape (N,).
    """

    unit: Unit
    inputs: Tensor
    targets: Tensor
    cost: PointCost | str = "mse"
    weights: Tensor | None = None
    offset: Tensor | None = None
    prepared: Tensor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.cost, str) and self.cost not in _NAMED:
            raise ParameterError(f"found cost {self.cost!r}; known are {', '.join(_NAMED)}, or give a CallableCost")
        count = len(self.inputs)
        for name, value in (("targets", self.targets), ("weights", self.weights), ("offset", self.offset)):
            if value is not None and tuple(value.shape) != (count,):
                raise ShapeError(f"found {name} of shape {tuple(value.shape)} for {count} inputs; expected ({count},)")
        object.__setattr__(self, "prepared", self.unit.prepare(self.inputs))

    def outputs(self, particles: Tensor, partition: Partition | None = None) -> Tensor:
        """f_μ at the inputs, float64 (N,), by one pass over the particles (m, p): a product of m·N·d operations."""
        outputs = (partition or Partition()).mean(
            len(particles), lambda chunk: self.unit.total(particles[chunk], self.prepared)
        )
        return outputs if self.offset is None else outputs - self.offset

    def value(self, particles: Tensor, partition: Partition) -> float:
        """R(f_μ)."""
        return self.value_of(self.outputs(particles, partition))

    def value_of(self, outputs: Tensor) -> float:
        """The risk for outputs (N,) that are known already."""
        return float((self._cost.points(outputs, self.targets.to(outputs), False) * self._weights(outputs)).sum())

    def field(self, particles: Tensor, partition: Partition) -> Field:
        """δR/δμ(θ) = Σ_i weights_i ∂ℓ(f_μ(x_i), y_i) ψ(θ; x_i), with the N outputs f_μ(x_i) frozen."""
        return self.field_of(self.outputs(particles, partition), particles.dtype)

    def field_of(self, outputs: Tensor, dtype: torch.dtype) -> Field:
        """The first variation for outputs (N,) that are known already, at particles of a dtype."""
        slopes = self._cost.gradient(outputs, self.targets.to(outputs)) * self._weights(outputs)
        slopes = slopes.to(dtype)
        return _RiskField(self.unit, self.prepared, slopes, self.unit.pull(self.prepared, -slopes))

    @property
    def _cost(self) -> PointCost:
        return COSTS[self.cost]() if isinstance(self.cost, str) else self.cost

    def _weights(self, outputs: Tensor) -> Tensor:
        return outputs.new_full((), 1 / len(outputs)) if self.weights is None else self.weights.to(outputs)


@dataclass(frozen=True)
class _RiskField:
    unit: Unit
    prepared: Tensor
    slopes: Tensor
    descent: Callable[[Tensor], Tensor]

    def first_variation(self, points: Tensor) -> Tensor:
        return self.unit.values(points, self.prepared) @ self.slopes

    def velocity(self, points: Tensor) -> Tensor:
        return self.descent(points)


def build_risk(context: TermContext, *, cost: str) -> Risk:
    """The spec's term ``risk``, with the unit and the points of the context."""
    if context.unit is None or context.inputs is None or context.targets is None:
        raise AssertionError("a spec with a risk has a unit and data")
    return Risk(context.unit, context.inputs, context.targets, cost)
