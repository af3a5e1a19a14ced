"""A group of networks at one instant, and the quantities that observables share, computed when first used."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from sweepengine.networks import AnyNetwork, Inputs, Network, Passes, SolverReport
from sweepengine.observe._linalg import eigenvalues, finite_or_zero
from sweepengine.spec import Method

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks import Cost, Forward, Grams, Parameters
    from sweepengine.spec import Architecture


@dataclass(frozen=True)
class Problem:
    """The problem that the networks are trained on.

    Attributes
    ----------
    train, test : Inputs
        Training and test points.
    y_train, y_test : Tensor, shapes (N [, k]) and (N_test [, k])
        Their targets.
    cost : Cost
    step_size : float
        η, in units of training time.
    method : Method
        The time method.
    """

    train: Inputs
    test: Inputs
    y_train: Tensor
    y_test: Tensor
    cost: Cost
    step_size: float
    method: Method = field(default_factory=Method)

    def in_float64(self, architecture: Architecture) -> Problem:
        """The same problem in float64, for networks of an architecture."""

        def wider(inputs: Inputs) -> Inputs:
            start = None if inputs.start is None else inputs.start.to(torch.float64)
            prepared = Inputs.prepare(inputs.points.to(torch.float64), architecture)
            return replace(prepared, start=start, point_dim=inputs.point_dim)

        return replace(
            self,
            train=wider(self.train),
            test=wider(self.test),
            y_train=self.y_train.to(torch.float64),
            y_test=self.y_test.to(torch.float64),
        )


class Moment:
    """R networks at one step.

    Quantities with a value for each point and output have the networks' shape ([R,] N [, k]). Matrices over training
    points are over (point, output) pairs, Nk × Nk, so that k outputs need no formulas of their own.

    Parameters
    ----------
    network : AnyNetwork
    problem : Problem
    step : int
        Number of steps since t = 0.
    train : Passes, optional
        Passes on the training points, if the step makes them anyway.
    solver : SolverReport, optional
        Counts of an adaptive method since t = 0.
    """

    def __init__(
        self,
        network: AnyNetwork,
        problem: Problem,
        step: int,
        train: Passes | None = None,
        solver: SolverReport | None = None,
    ) -> None:
        self.network, self.problem, self.step = network, problem, step
        self.solver = solver or SolverReport()
        self.train = network.passes(problem.train) if train is None else train
        self.shared: dict[object, Any] = {}

    @property
    def layers(self) -> Network:
        """The fully connected network; observables with the condition LAYERS ask for it."""
        if not isinstance(self.network, Network):
            raise TypeError(f"found a {type(self.network).__name__}, which has no layers")
        return self.network

    @property
    def has_output_dim(self) -> bool:
        """Whether outputs have a dim k, that is k ≥ 2."""
        return self.network.parameters.has_output_dim

    def flat(self, values: Tensor) -> Tensor:
        """Values ([R,] N [, k]) of the pairs (point, output), ([R,] Nk), in float64."""
        values = values.to(torch.float64)
        return values.flatten(-2, -1) if self.has_output_dim else values

    def _matrix(self, kernel: Tensor) -> Tensor:
        """A full kernel over pairs (point, output), in float64."""
        matrix = kernel.flatten(-4, -3).flatten(-2, -1) if self.has_output_dim else kernel
        return matrix.to(torch.float64)

    @cached_property
    def test(self) -> Forward:
        """The forward pass on the test points."""
        return self.network.forward(self.problem.test)

    @cached_property
    def kernel_full(self) -> Tensor:
        """Θ on the training points, shape ([R,] N, N), or ([R,] N, k, N, k)."""
        return self.network.kernel(*self.train)

    @cached_property
    def kernel(self) -> Tensor:
        """Θ on the training points, for k ≥ 2 the mean over equal outputs; shape ([R,] N, N)."""
        return self.network.kernel(*self.train, layout="traced") if self.has_output_dim else self.kernel_full

    @cached_property
    def _test_passes(self) -> Passes:
        return Passes(self.problem.test, self.test, self.network.backward(self.test))

    @cached_property
    def kernel_test_train_full(self) -> Tensor:
        """Θ between test and training points, shape ([R,] N_test, N), or ([R,] N_test, k, N, k)."""
        return self.network.kernel(*self._test_passes, against=self.train)

    @cached_property
    def kernel_test_train(self) -> Tensor:
        """Θ between test and training points, for k ≥ 2 the mean over equal outputs; shape ([R,] N_test, N)."""
        if not self.has_output_dim:
            return self.kernel_test_train_full
        return self.network.kernel(*self._test_passes, against=self.train, layout="traced")

    @cached_property
    def matrix(self) -> Tensor:
        """The full Θ on the training points in float64, shape ([R,] Nk, Nk)."""
        return self._matrix(self.kernel_full)

    @cached_property
    def matrix_test_train(self) -> Tensor:
        """The full Θ between test and training points in float64, shape ([R,] N_test k, Nk)."""
        return self._matrix(self.kernel_test_train_full)

    @cached_property
    def spectrum(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues, ascending, and eigenvectors of the full Θ in float64, shapes ([R,] Nk) and ([R,] Nk, Nk).

        NaN for a kernel that is not finite.
        """
        safe, finite = finite_or_zero(self.matrix)
        values, vectors = torch.linalg.eigh(safe)
        return torch.where(finite[..., None], values, torch.nan), vectors

    @cached_property
    def eigenvalues(self) -> Tensor:
        """Eigenvalues of the full Θ, ascending, in float64, shape ([R,] Nk); NaN for a kernel that is not finite."""
        return eigenvalues(self.matrix)

    @cached_property
    def residual(self) -> Tensor:
        """∂ℓ/∂f on the training points, f − y for the squared error; shape ([R,] N [, k])."""
        return self.problem.cost.gradient(self.train.forward.outputs, self.problem.y_train)

    @cached_property
    def kept(self) -> Forward:
        """A forward pass on the training points that keeps its pre-activations."""
        return self.layers.forward(self.problem.train, keep_preactivations=True)

    @cached_property
    def preactivations(self) -> list[Tensor]:
        """h^l on the training points, l = 1 … L; shapes ([R,] N, n_l)."""
        return self.kept.preactivations

    @cached_property
    def signals(self) -> list[Tensor]:
        """g^l on the training points, l = 1 … L, whatever is trained; shapes ([R,] N [, k], n_l)."""
        return self.train.signals or self.layers.signals(self.train.forward)

    @cached_property
    def grams(self) -> Grams:
        """Φ_l and G_l on the training points; G_l is the mean over equal outputs."""
        return self.layers.grams(Passes(self.problem.train, self.train.forward, self.signals), layout="traced")

    @property
    def in_float64(self) -> Moment:
        """The same instant in float64, for differences of nearly equal numbers; itself if it is in float64 already."""
        return self if self.layers.parameters.readout.dtype == torch.float64 else self._wider

    @cached_property
    def _wider(self) -> Moment:
        network = self.layers.in_float64()
        return Moment(network, self.problem.in_float64(network.architecture), self.step)

    def everywhere(self, value: float) -> Tensor:
        """The same number for every network, shape ([R,])."""
        return torch.full_like(self.network.scaling.output, value)

    @cached_property
    def next_step(self) -> Parameters:
        """δ, which one step of gradient descent would add to the parameters now; 0 for frozen parameters."""
        added = self.layers.parameters.map(torch.zeros_like)
        passes, step_size = self.train, self.problem.step_size
        self.network.descend(*passes, self.residual, step_size, into=added)
        return added
