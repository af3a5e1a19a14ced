"""Networks: the tangent kernel and gradient descent from one forward and one backward pass (theory.md §2.2).

Shapes are as in :mod:`sweepengine.networks._propagation`. Step sizes and learning rates multiply the N residuals or
enter the matrix products, which add their result to the weights, so they cost no pass over an m × m array.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import torch

from sweepengine.networks._derivatives import directional_derivatives
from sweepengine.networks._kernel import Terms, gram_matrices, kernel_diagonal, kernel_matrix
from sweepengine.networks._module import ModuleParameters
from sweepengine.networks._passes import Passes
from sweepengine.networks._products import add_product, add_vector_product, matrix_or_vector_product
from sweepengine.networks._propagation import FRESH, Propagation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from sweepengine.networks._kernel import Grams, Layout
    from sweepengine.networks._parameters import Parameters
    from sweepengine.networks._passes import Forward, Inputs, Workspace
    from sweepengine.networks._propagation import PassShapes
    from sweepengine.spec import Architecture


class Network(Propagation):
    """R networks of one architecture and width that differ in seed, γ and α.

    Parameters
    ----------
    architecture : Architecture
    parameters : Parameters
        Changed in place by :meth:`descend`.
    gamma, alpha : Tensor, shape ([R,]), float64
        The output is multiplied by α m^{-γ}; nothing else depends on them (theory.md §1.5).
    rates : mapping, optional
        Name of a parameter → learning-rate multiplier ρ: 0 for a frozen parameter, 1 for parameters that are not named.
        See :func:`learning_rates`.
    """

    def __init__(
        self,
        architecture: Architecture,
        parameters: Parameters,
        gamma: Tensor,
        alpha: Tensor,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(architecture, parameters, gamma, alpha, rates)
        self._gamma, self._alpha, self._rates = gamma, alpha, rates
        has_output_bias = parameters.output_bias is not None
        self._terms = Terms.from_table(self.scaling, parameters.width, architecture.depth, has_output_bias)
        self._speed = self.scaling.speed.reshape(self._output_scale.shape)
        self._pull_scale: tuple[float, int, Tensor] | None = None

    def copy(self) -> Network:
        """A network with parameters of its own, which have the same values."""
        copied = copy(self)
        copied.hold(self.parameters.map(torch.clone))
        return copied

    def in_float64(self) -> Network:
        """A copy in float64."""
        return self._with(self.parameters.map(lambda tensor: tensor.to(torch.float64)))

    def moved(self, by: Parameters) -> Network:
        """A copy with ``by`` added to its parameters."""
        return self._with(self.parameters.map(torch.add, by))

    def _with(self, parameters: Parameters) -> Network:
        return Network(self.architecture, parameters, self._gamma, self._alpha, self._rates)

    def kernel(
        self,
        inputs: Inputs,
        forward: Forward,
        signals: list[Tensor],
        *,
        against: Passes | None = None,
        layout: Layout = "full",
    ) -> Tensor:
        """The tangent kernel Θ of the trained parameters (theory.md §2.2).

        Parameters
        ----------
        inputs, forward, signals
            The points of the rows and their passes.
        against : Passes, optional
            The points of the columns and their passes; without it those of the rows.
        layout : str
            For k ≥ 2 outputs ``full``, or ``traced`` for the mean over equal outputs.

        Returns
        -------
        Tensor, shape ([R,] N, N'), or ([R,] N, k, N', k) for k ≥ 2 outputs in full
            Θ_{io,jp} at [i, o, j, p].
        """
        passes = Passes(inputs, forward, signals)
        return kernel_matrix(self._terms, passes, against or passes, self._output_dim, layout)

    def kernel_diagonal(self, inputs: Inputs, forward: Forward, signals: list[Tensor]) -> Tensor:
        """Θ_{io,io} alone, shape ([R,] N [, k])."""
        return kernel_diagonal(self._terms, Passes(inputs, forward, signals), self._output_dim)

    def grams(self, passes: Passes, against: Passes | None = None, *, layout: Layout = "full") -> Grams:
        """Φ_l and G_l layer by layer, between two sets of points or within one."""
        return gram_matrices(passes, against or passes, self.parameters.width, self._output_dim, layout)

    def along(self, inputs: Inputs, forward: Forward, direction: Parameters) -> tuple[Tensor, Tensor]:
        """⟨∇f, δ⟩ and δᵀ∇²f δ, see :func:`directional_derivatives`; ``forward`` must keep its pre-activations."""
        return directional_derivatives(self, inputs, forward, direction)

    def descend(
        self,
        inputs: Inputs,
        forward: Forward,
        signals: list[Tensor] | None,
        residual: Tensor,
        step_size: float,
        *,
        into: Parameters | ModuleParameters | None = None,
        workspace: Workspace | None = None,
    ) -> None:
        """One step of gradient descent, θ ← θ + η θ̇ with θ̇ of theory.md §2.3, in place.

        Parameters
        ----------
        inputs, forward
            The training points and their forward pass at the present parameters.
        signals : list of Tensor or None
            Signals of the same points if a record has made them, else None. For k ≥ 2 outputs they are not used: a step
            sums over the outputs before it goes down the layers, for a k-th of the work, so that a run's bits do not
            depend on whether a kernel is recorded.
        residual : Tensor, shape ([R,] N [, k])
            ∂ℓ/∂f; f − y for the squared error.
        step_size : float
            η in units of training time, for a cost that is a mean over points; N η for a sum.
        into : Parameters, optional
            Tensors to which η θ̇ is added instead of the parameters: a momentum, a Runge–Kutta stage.
        workspace : Workspace, optional
            Memory for the arrays of the step. With a workspace ``forward`` is used up: the last layer's signals
            overwrite its features or slopes, except for one output with given signals.
        """
        target, space = into or self.parameters, workspace or FRESH
        if isinstance(target, ModuleParameters):
            raise TypeError("into: found the parameters of a module; give those of a fully connected network")
        n = inputs.scaled.shape[0]
        shapes = self._shapes_of(n)
        pull = residual * self._scaled_speed(step_size, n)
        # Before the signals of the last layer may take the place of its features.
        moved = matrix_or_vector_product(forward.features[-1].mT, pull, self._output_dim)
        if self.trains_hidden and self._output_dim:
            top = pull @ self._scale_readout().mT
            arrays = _signal_arrays("s", shapes, forward, workspace)
            self._move_summed(target, inputs, forward, self._lower(top, forward, arrays))
        elif self.trains_hidden:
            if not signals:
                self._scale_readout()
                signals = self._lower(shapes.top, forward, _signal_arrays("g", shapes, forward, workspace))
            arrays = space.arrays("p", shapes.pulled, pull)
            self._move_hidden(target, inputs, forward, signals, pull, arrays)
        self._move_last(target, moved, pull)

    def _scaled_speed(self, step_size: float, n: int) -> Tensor:
        """−η c/N, shape ([R,] 1 [, 1]): the factors that the steps of all parameters share, for the N residuals."""
        known = self._pull_scale
        if known is None or known[0] != step_size or known[1] != n:
            value = (self._speed * (-step_size / n)).to(self.parameters.readout.dtype)
            known = self._pull_scale = (step_size, n, value)
        return known[2]

    def _move_last(self, target: Parameters, moved: Tensor, pull: Tensor) -> None:
        """Add the step of W^L and b^L; ``moved`` ([R,] m [, k]) is φ^Lᵀ times the residuals."""
        speed = self._last.rate * self._last.forward
        if speed:
            target.readout.add_(moved, alpha=speed)
        constant = self._last_bias.rate * self._last_bias.forward
        if target.output_bias is not None and constant:
            target.output_bias.add_(pull.sum(-2 if self._output_dim else -1), alpha=constant)

    def _move_hidden(
        self,
        target: Parameters,
        inputs: Inputs,
        forward: Forward,
        signals: list[Tensor],
        pull: Tensor,
        arrays: list[Tensor],
    ) -> None:
        """Add the step of W^l and b^l, l < L, for one output: the residuals multiply φ^l, into ``arrays``."""
        column = pull.unsqueeze(-1)
        for layer, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            rows = signals[layer].mT
            if weight.rate:
                phi = torch.mul(forward.features[layer - 1] if layer else inputs.scaled, column, out=arrays[layer])
                add_product(target.hidden[layer], rows, phi, weight.rate * (weight.forward if layer else 1.0))
            if target.biases and bias.rate:
                add_vector_product(target.biases[layer], rows, pull, bias.rate * bias.forward)

    def _move_summed(self, target: Parameters, inputs: Inputs, forward: Forward, signals: list[Tensor]) -> None:
        """Add the step of W^l and b^l, l < L, from signals that hold the residuals and are summed over outputs."""
        for layer, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            if weight.rate:
                phi = forward.features[layer - 1] if layer else inputs.scaled
                scale = weight.rate * (weight.forward if layer else 1.0)
                add_product(target.hidden[layer], signals[layer].mT, phi, scale)
            if target.biases and bias.rate:
                target.biases[layer].add_(signals[layer].sum(-2), alpha=bias.rate * bias.forward)


def _signal_arrays(name: str, shapes: PassShapes, forward: Forward, workspace: Workspace | None) -> list[Tensor]:
    """Arrays for the signals of a step; in a workspace g^L overwrites ``saved`` of layer L, which is in cache."""
    if workspace is None:
        return FRESH.arrays(name, shapes.features, forward.outputs)
    return [*workspace.arrays(name, shapes.features[:-1], forward.outputs), forward.saved[-1]]


def network(
    architecture: Architecture,
    parameters: Parameters,
    gamma: list[float],
    alpha: list[float],
    rates: Mapping[str, float] | None = None,
) -> Network:
    """A :class:`Network` from plain numbers.

    Parameters
    ----------
    architecture : Architecture
    parameters : Parameters
    gamma, alpha : list of float, length R
        A γ and an α for each of the R networks of ``parameters``.
    rates : mapping, optional
        As for :class:`Network`.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        The length of ``gamma`` or ``alpha`` is not R.
    """
    device = parameters.readout.device
    single = not parameters.is_group
    if len(gamma) != len(alpha) or len(gamma) != (1 if single else parameters.readout.shape[0]):
        raise ValueError(
            f"found {len(gamma)} γ and {len(alpha)} α for parameters of shape {tuple(parameters.readout.shape)}"
        )
    values = [torch.tensor(each, dtype=torch.float64, device=device) for each in (gamma, alpha)]
    gammas, alphas = (value[0] if single else value for value in values)
    return Network(architecture, parameters, gammas, alphas, rates)
