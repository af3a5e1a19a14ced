"""A group of networks at one instant, with everything that can be said of it, made when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from sweepengine.networks import Passes, SolverReport

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks import Cost, Forward, Inputs, Network
    from sweepengine.spec import Method


@dataclass(frozen=True)
class Problem:
    """What the networks are trained on.

    Attributes
    ----------
    train, test : Inputs
    y_train, y_test : Tensor, shapes (N,) and (N_test,)
    cost : Cost
    step_size : float
    method : Method
    """

    train: Inputs
    test: Inputs
    y_train: Tensor
    y_test: Tensor
    cost: Cost
    step_size: float
    method: Method


class Moment:
    """R networks at one step.

    Parameters
    ----------
    network : Network
    problem : Problem
    step : int
    train : Passes, optional
        The passes on the training points that the step makes anyway.
    solver : SolverReport, optional
        What an adaptive method has done so far.
    """

    def __init__(
        self,
        network: Network,
        problem: Problem,
        step: int,
        train: Passes | None = None,
        solver: SolverReport | None = None,
    ) -> None:
        self.network, self.problem, self.step = network, problem, step
        self.solver = solver or SolverReport()
        self.train = self._passes(problem.train, network.forward(problem.train)) if train is None else train

    def _passes(self, inputs: Inputs, forward: Forward) -> Passes:
        return Passes(inputs, forward, self.network.backward(forward))

    @cached_property
    def test(self) -> Forward:
        """The forward pass on the test points."""
        return self.network.forward(self.problem.test)

    @cached_property
    def kernel(self) -> Tensor:
        """Θ on the training points, shape ([R,] N, N)."""
        return self.network.kernel(*self.train)

    @cached_property
    def kernel_test_train(self) -> Tensor:
        """Θ between test and training points, shape ([R,] N_test, N)."""
        return self.network.kernel(*self._passes(self.problem.test, self.test), against=self.train)

    @cached_property
    def kernel64(self) -> Tensor:
        """Θ in float64."""
        return self.kernel.to(torch.float64)

    @cached_property
    def spectrum(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues, ascending, and eigenvectors of Θ in float64; shapes ([R,] N) and ([R,] N, N)."""
        values, vectors = torch.linalg.eigh(self.kernel64)
        return values, vectors

    @cached_property
    def preactivations(self) -> list[Tensor]:
        """h^l on the training points, l = 1 … L; shapes ([R,] N, n_l)."""
        return self.network.forward(self.problem.train, keep_preactivations=True).preactivations
