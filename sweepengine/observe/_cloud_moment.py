"""A cloud of particles at one instant, with everything that can be said of it, made when it is first asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from sweepengine.particles import Neuron, dissipation, kernel, kernel_bytes, moments

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from sweepengine.particles import Functional, Noise, Partition, Risk

T = TypeVar("T")


@dataclass(frozen=True)
class CloudProblem:
    """What a cloud flows in.

    Attributes
    ----------
    functional : Functional
        On the stored training points.
    train, test : Risk or None
        The risk's own outputs and costs there, without strength; None without a risk.
    step_size : float
    start : callable
        Makes the cloud at t = 0, shape (m, p).
    noise : Noise or None
        That of the flow, where it has a temperature.
    grid : Tensor or None, shape (g, p)
        Points of the first variation, where an observable needs them.
    reference : Tensor of float64 or None, shape (n, p)
        Where an observable measures to it.
    partition : Partition
    """

    functional: Functional
    train: Risk | None
    test: Risk | None
    step_size: float
    start: Callable[[], Tensor]
    noise: Noise | None
    grid: Tensor | None
    reference: Tensor | None
    partition: Partition


class CloudMoment:
    """A cloud at one step.

    Parameters
    ----------
    cloud : Tensor, shape (m, p), or callable
        Of several shards this one's particles. Not changed, and not kept after the record; what makes it is called when
        it is first asked for.
    problem : CloudProblem
    step : int
        Steps that lie behind it.
    """

    def __init__(self, cloud: Tensor | Callable[[], Tensor], problem: CloudProblem, step: int) -> None:
        self._cloud, self.problem, self.step = cloud, problem, step
        self.shared: dict[object, Any] = {}

    @cached_property
    def cloud(self) -> Tensor:
        """The particles, shape (m, p)."""
        return self._cloud if isinstance(self._cloud, torch.Tensor) else self._cloud()

    @cached_property
    def values(self) -> list[float]:
        """The terms of F₀."""
        return self.problem.functional.values(self.cloud, self.problem.partition)

    @property
    def objective(self) -> float:
        """F₀; NaN or infinite where a term is."""
        return math.fsum(self.values) if all(map(math.isfinite, self.values)) else math.nan

    @cached_property
    def whole(self) -> Tensor:
        """All shards' particles: an assignment needs them in one place."""
        partition = self.problem.partition
        return self.cloud if partition.reduce is None else partition.everyone(self.cloud)

    @cached_property
    def dissipation(self) -> float:
        """∫‖∇δF₀/δμ‖² dμ."""
        return dissipation(self.problem.functional, self.cloud, self.problem.partition)

    @cached_property
    def outputs_train(self) -> Tensor:
        """f_μ on the training points, float64, shape (N,)."""
        return given(self.problem.train).outputs(self.cloud, self.problem.partition)

    @cached_property
    def outputs_test(self) -> Tensor:
        """f_μ on the test points, float64, shape (N_test,)."""
        return given(self.problem.test).outputs(self.cloud, self.problem.partition)

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean (p,) and covariance (p, p)."""
        return moments(self.cloud, self.problem.partition)

    @cached_property
    def kernel(self) -> Tensor:
        """The mean-field kernel on the training points, float64, shape (N, N)."""
        risk = given(self.problem.train)
        if not isinstance(risk.unit, Neuron):
            raise TypeError(f"found a unit of {type(risk.unit).__name__}; the kernel is that of neurons")
        need = kernel_bytes(len(risk.inputs)) * self.problem.partition.threads
        return kernel(risk.unit, risk.inputs, self.cloud, self.problem.partition, memory_bytes=need)


def given(found: T | None) -> T:
    """What a plan has seen to: a risk where outputs are asked for, a grid or a reference where one is."""
    if found is None:
        raise AssertionError("an observable is refused where what it needs is not there")
    return found
