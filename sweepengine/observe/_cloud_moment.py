"""A cloud of particles at one instant, and the quantities that observables share, computed when first used."""

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
    """The flow of a cloud, and the points and clouds that observables compare it with.

    Attributes
    ----------
    functional : Functional
        F₀, its risk taken over the stored training points.
    train, test : Risk or None
        The risk over the training points and over the test points, without the strength of its term; None if no term
        is a risk.
    step_size : float
        dt, in units of the flow's time.
    start : callable
        Makes the cloud at t = 0, shape (m, p).
    noise : Noise or None
        Noise of the flow; None at temperature 0.
    grid : Tensor or None, shape (g, p)
        Points at which the first variation is taken; None if no observable needs them.
    reference : Tensor of float64 or None, shape (n, p)
        The cloud to which observables measure distances; None if no observable does.
    partition : Partition
        How sums over the particles are divided into chunks and shards.
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
        The particles, of several shards those of this shard. They are not changed, and not kept after the record. A
        callable makes the particles; it is called when they are first used.
    problem : CloudProblem
    step : int
        Number of steps since t = 0.
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
        """The values of the terms of F₀."""
        return self.problem.functional.values(self.cloud, self.problem.partition)

    @property
    def objective(self) -> float:
        """F₀; NaN if a term is not finite."""
        return math.fsum(self.values) if all(map(math.isfinite, self.values)) else math.nan

    @cached_property
    def whole(self) -> Tensor:
        """The particles of all shards, which an assignment needs in one place."""
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


def given(needed: T | None) -> T:
    """A risk, grid or reference that an observable needs: the plan refuses observables for which it is None."""
    if needed is None:
        raise AssertionError("the plan refuses an observable whose risk, grid or reference is missing")
    return needed
