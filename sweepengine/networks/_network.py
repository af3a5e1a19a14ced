"""Forward and backward signals of fully connected networks: one pass gives the step and the full kernel.

Shapes: [R,] networks of a group (absent for one network), N points, m width, n_l width of layer l (n_0 = d), [k]
outputs (absent for one). Theory: theory.md §2 (S0 §2). No autograd anywhere; autograd is the oracle in the tests.

Speed: what is not a matrix product is a pass over an N × m array, so there are as few of those as can be. Scalars ride
on the products; residuals and step sizes ride on the smaller factor; φ overwrites h; products add into the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.networks._activations import ACTIVATIONS
from sweepengine.networks._kernel import Passes, Terms, gram_matrices, kernel_diagonal, kernel_matrix
from sweepengine.networks._passes import Forward, FreshMemory, Inputs, Workspace
from sweepengine.networks._products import add_product, add_vector_product, product
from sweepengine.networks._scaling import scaling_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from sweepengine.networks._kernel import Grams, Layout
    from sweepengine.networks._parameters import Parameters
    from sweepengine.networks._passes import Shapes
    from sweepengine.spec import Architecture

_FRESH = FreshMemory()


class Network:
    """R networks of one architecture and width that differ in seed, γ and α.

    Parameters
    ----------
    architecture : Architecture
    parameters : Parameters
        Changed in place by :meth:`descend`.
    gamma, alpha : Tensor, shape ([R,]), float64
        The output is multiplied by α m^{-γ}; nothing else depends on them (theory.md §1).
    rates : mapping, optional
        Learning-rate multiplier of each parameter by name, 0 for a frozen one; :func:`learning_rates` has the usual
        ones. 1 for what is not named.
    """

    def __init__(
        self,
        architecture: Architecture,
        parameters: Parameters,
        gamma: Tensor,
        alpha: Tensor,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.architecture = architecture
        self.parameters = parameters
        self.scaling = scaling_table(architecture, parameters.sizes, gamma, alpha, rates)
        self._phi = ACTIVATIONS[architecture.activation]
        rows, depth, dtype = self.scaling.rows, architecture.depth, parameters.readout.dtype
        self._weights = [rows[f"W{layer}"] for layer in range(depth)]
        self._biases = [rows[f"b{layer}"] for layer in range(depth)]
        self._last, self._last_bias = rows[f"W{depth}"], rows[f"b{depth}"]
        self._terms = Terms.from_table(self.scaling, parameters.width, depth, parameters.output_bias is not None)
        self._output_dim = parameters.has_output_dim
        # Formed in float64 and rounded once, so that a group and a single network use the same numbers.
        shape = (*self.scaling.output.shape, *(1,) * (2 if self._output_dim else 1))
        self._output_scale = (self.scaling.output * self._last.forward).to(dtype).reshape(shape)
        self._bias_scale = (self.scaling.output * self._last_bias.forward).to(dtype).reshape(shape)
        self._speed = self.scaling.speed.reshape(shape)
        self._pull_scale: tuple[float, int, Tensor] | None = None
        self.trains_hidden = any(row.rate for row in (*self._weights, *(self._biases if parameters.biases else ())))
        """Whether a step or a kernel needs backward signals."""
        # Views and shapes are made once: at these sizes a step's time is felt in microseconds.
        self._transposed = [weight.mT for weight in parameters.hidden]
        self._group = (parameters.readout.shape[0],) if parameters.is_group else ()
        self._layer_shapes: dict[tuple[int, ...], Shapes] = {}

    def _shapes(self, *rows: int) -> Shapes:
        """([R,] *rows, n_l) for l = 1 … L."""
        known = self._layer_shapes.get(rows)
        if known is None:
            known = tuple((*self._group, *rows, size) for size in self.parameters.sizes[1:])
            self._layer_shapes[rows] = known
        return known

    def forward(
        self, inputs: Inputs, workspace: Workspace | None = None, *, keep_preactivations: bool = False
    ) -> Forward:
        """Features and outputs on a set of points.

        Parameters
        ----------
        inputs : Inputs
        workspace : Workspace, optional
            Where the arrays are made; what it made before is overwritten.
        keep_preactivations : bool
            Whether to keep h^l as well, which costs a copy of each.
        """
        p, space = self.parameters, workspace or _FRESH
        features, saved, kept = [], [], []
        current = inputs.scaled
        arrays = space.arrays("h", self._shapes(current.shape[0]), current)
        for layer, (h, transposed) in enumerate(zip(arrays, self._transposed, strict=True)):
            bias = (p.biases[layer].unsqueeze(-2), self._biases[layer].forward) if p.biases else None
            product(h, current, transposed, self._weights[layer].forward if layer else 1.0, bias)
            if keep_preactivations:
                kept.append(h.clone())
            current, slope = self._phi.evaluate(h)
            features.append(current)
            saved.append(slope)
        return Forward(features, saved, self._outputs(current, inputs), kept)

    def _outputs(self, features: Tensor, inputs: Inputs) -> Tensor:
        p = self.parameters
        if self._output_dim:
            outputs = features @ p.readout
        elif p.is_group:
            outputs = (features @ p.readout.unsqueeze(-1)).squeeze(-1)
        else:
            outputs = torch.mv(features, p.readout)
        outputs *= self._output_scale
        if p.output_bias is not None:
            outputs += self._bias_scale * p.output_bias.unsqueeze(-2 if self._output_dim else -1)
        return outputs if inputs.start is None else outputs.sub_(inputs.start)

    def centre(self, inputs: Inputs) -> Inputs:
        """The same points, with the present outputs to be subtracted from every later one: call it at t = 0."""
        outputs = self.forward(Inputs(inputs.points, inputs.scaled)).outputs
        return Inputs(inputs.points, inputs.scaled, outputs, -2 if self._output_dim else -1)

    def slopes(self, forward: Forward) -> list[Tensor]:
        """φ'(h^l), l = 1 … L; shapes ([R,] N, n_l)."""
        slopes = [torch.ones_like(saved) for saved in forward.saved]
        for slope, saved in zip(slopes, forward.saved, strict=True):
            self._phi.multiply(slope, saved, slope)
        return slopes

    def backward(self, forward: Forward, workspace: Workspace | None = None) -> list[Tensor]:
        """Signals g^l = (m^γ/α) ∂f/∂h^l, l = 1 … L, entries O(1).

        Returns
        -------
        list of Tensor, length L, shapes ([R,] N [, k], n_l)
            Empty if nothing below the read-out is trained: then neither the step nor the kernel has a use for them.
        """
        if not self.trains_hidden:
            return []
        scaled = self._scaled_readout()
        n = forward.saved[-1].shape[-2]
        if self._output_dim:
            start = scaled.mT.unsqueeze(-3).expand(*self._group, n, -1, -1)
        else:
            start = scaled.unsqueeze(-2).expand(*self._group, n, -1)
        return self._signals(start, forward, "g", workspace or _FRESH)

    def _scaled_readout(self) -> Tensor:
        readout = self.parameters.readout
        return readout if self._last.forward == 1.0 else readout * self._last.forward

    def _signals(self, start: Tensor, forward: Forward, name: str, space: Workspace) -> list[Tensor]:
        """φ'(h^L) ⊙ ``start`` and what it becomes in the layers below; a dim k of ``start`` rides along."""
        p, signal = self.parameters, start
        signals: list[Tensor] = []
        with_outputs = start.dim() > forward.saved[-1].dim()
        arrays = space.arrays(name, self._shapes(*start.shape[len(self._group) : -1]), forward.saved[-1])
        for layer in range(len(p.hidden) - 1, -1, -1):
            saved, below = forward.saved[layer], arrays[layer]
            if signals:
                flat = [each.flatten(-3, -2) if with_outputs else each for each in (below, signal)]
                product(flat[0], flat[1], p.hidden[layer + 1], self._weights[layer + 1].forward)
                signal = below
            self._phi.multiply(signal, saved.unsqueeze(-2).expand(below.shape) if with_outputs else saved, below)
            signal = below
            signals.append(signal)
        return signals[::-1]

    def passes(self, inputs: Inputs, workspace: Workspace | None = None) -> Passes:
        """The points with their forward and backward pass."""
        forward = self.forward(inputs, workspace)
        return Passes(inputs, forward, self.backward(forward, workspace))

    def kernel(
        self,
        inputs: Inputs,
        forward: Forward,
        signals: list[Tensor],
        *,
        against: Passes | None = None,
        layout: Layout = "full",
    ) -> Tensor:
        """The tangent kernel Θ of what is trained (theory.md §2, S0 §2).

        Parameters
        ----------
        inputs, forward, signals
            Of the points of the rows.
        against : Passes, optional
            Of the points of the columns; the same points without it.
        layout : str
            For k ≥ 2 outputs ``full`` or ``traced``, the mean over equal outputs.

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

    def descend(
        self,
        inputs: Inputs,
        forward: Forward,
        signals: list[Tensor] | None,
        residual: Tensor,
        step_size: float,
        *,
        into: Parameters | None = None,
        workspace: Workspace | None = None,
    ) -> None:
        """One step of gradient descent, θ ← θ + η θ̇ with θ̇ of theory.md §2, in place.

        Parameters
        ----------
        inputs, forward
            Of the training points at the present parameters.
        signals : list of Tensor or None
            Of the same points, if they are known. With k ≥ 2 outputs a step sums over them before it goes down, which
            costs a k-th of the signals, and does not look at these: recording a kernel never changes a run's bits.
        residual : Tensor, shape ([R,] N [, k])
            ∂ℓ/∂f; f − y for the squared error.
        step_size : float
            η in units of training time, for a cost that is a mean over points; N η for a sum.
        into : Parameters, optional
            What η θ̇ is added to instead of the parameters: a momentum, a Runge–Kutta stage.
        workspace : Workspace, optional
        """
        target, space = into or self.parameters, workspace or _FRESH
        pull = residual * self._scaled_speed(step_size, inputs.scaled.shape[0])
        if self.trains_hidden:
            if self._output_dim:
                start = pull @ self._scaled_readout().mT
                self._move_hidden(target, inputs, forward, self._signals(start, forward, "s", space), None, space)
            else:
                signals = signals or self.backward(forward, space)
                self._move_hidden(target, inputs, forward, signals, pull, space)
        last, top = self._last.rate * self._last.forward, forward.features[-1].mT
        if last and self._output_dim:
            add_product(target.readout, top, pull, last)
        elif last:
            add_vector_product(target.readout, top, pull, last)
        constant = self._last_bias.rate * self._last_bias.forward
        if target.output_bias is not None and constant:
            target.output_bias.add_(pull.sum(-2 if self._output_dim else -1), alpha=constant)

    def _scaled_speed(self, step_size: float, n: int) -> Tensor:
        """−η c/N, shape ([R,] 1 [, 1]); it carries every scalar that all parameters share, on N numbers."""
        known = self._pull_scale
        if known is None or known[:2] != (step_size, n):
            value = (self._speed * (-step_size / n)).to(self.parameters.readout.dtype)
            known = self._pull_scale = (step_size, n, value)
        return known[2]

    def _move_hidden(
        self,
        target: Parameters,
        inputs: Inputs,
        forward: Forward,
        signals: list[Tensor],
        pull: Tensor | None,
        space: Workspace,
    ) -> None:
        """Add the step of W^l and b^l, l < L; ``pull`` ([R,] N) is None where the signals carry it."""
        lower = [inputs.scaled, *forward.features[:-1]]
        shapes = ((*self._group, *inputs.scaled.shape), *self._shapes(inputs.scaled.shape[0])[:-1])
        arrays = space.arrays("p", shapes, inputs.scaled) if pull is not None else lower
        for layer, (weight, signal, phi) in enumerate(zip(target.hidden, signals, lower, strict=True)):
            row, bias_row = self._weights[layer], self._biases[layer]
            if row.rate:
                right = phi
                if pull is not None:
                    right = torch.mul(phi, pull.unsqueeze(-1), out=arrays[layer])
                add_product(weight, signal.mT, right, row.rate * (row.forward if layer else 1.0))
            if target.biases and bias_row.rate:
                scale = bias_row.rate * bias_row.forward
                if pull is None:
                    target.biases[layer].add_(signal.sum(-2), alpha=scale)
                else:
                    add_vector_product(target.biases[layer], signal.mT, pull, scale)


def network(
    architecture: Architecture,
    parameters: Parameters,
    gamma: list[float],
    alpha: list[float],
    rates: Mapping[str, float] | None = None,
) -> Network:
    """A :class:`Network` from plain numbers, one γ and α for each of the R networks of ``parameters``."""
    device = parameters.readout.device
    single = not parameters.is_group
    if len(gamma) != len(alpha) or len(gamma) != (1 if single else parameters.readout.shape[0]):
        raise ValueError(
            f"found {len(gamma)} γ and {len(alpha)} α for parameters of shape {tuple(parameters.readout.shape)}"
        )
    values = [torch.tensor(each, dtype=torch.float64, device=device) for each in (gamma, alpha)]
    gammas, alphas = (value[0] if single else value for value in values)
    return Network(architecture, parameters, gammas, alphas, rates)
