"""Forward and backward signals of fully connected networks (theory.md §1.1, §2.2).

Shapes: [R,] networks of a group (absent for one network), N points, m width, n_l width of layer l (n_0 = d), [k]
outputs (absent for one output). Nothing here uses autograd; the tests compare with it.

Speed: all work beside matrix products is passes over N × m arrays, so the code makes as few passes as possible. Scalars
enter the matrix products, and φ overwrites h. At small widths microseconds count, so views, shapes and scalars are made
once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from sweepengine.networks._activations import activation
from sweepengine.networks._fused import fused_layer
from sweepengine.networks._passes import Forward, FreshMemory, Inputs, Passes, Workspace
from sweepengine.networks._products import product, times_vector
from sweepengine.networks._scaling import scaling_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from sweepengine.networks._parameters import Parameters
    from sweepengine.networks._passes import Shapes
    from sweepengine.spec import Architecture

FRESH = FreshMemory()


class PassShapes(NamedTuple):
    """Shapes and views that all passes over N points share.

    Attributes
    ----------
    features, signals, pulled : Shapes
        Shapes of φ^l (l ≥ 1), of g^l, and of φ^l times residuals (l < L).
    top : Tensor, shape ([R,] N [, k], m)
        The scaled read-out repeated for every point; a view.
    """

    features: Shapes
    signals: Shapes
    pulled: Shapes
    top: Tensor


class Propagation:
    """Forward and backward passes of R networks that differ in seed, γ and α; the base of :class:`Network`."""

    def __init__(
        self,
        architecture: Architecture,
        parameters: Parameters,
        gamma: Tensor,
        alpha: Tensor,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.architecture = architecture
        self.scaling = scaling_table(architecture, parameters.sizes, gamma, alpha, rates)
        self._phi = activation(architecture.activation)
        self._fused = fused_layer(architecture.activation, parameters.readout, biased=bool(parameters.biases))
        rows, depth, dtype = self.scaling.rows, architecture.depth, parameters.readout.dtype
        self._weights = [rows[f"W{layer}"] for layer in range(depth)]
        self._biases = [rows[f"b{layer}"] for layer in range(depth)]
        self._last, self._last_bias = rows[f"W{depth}"], rows[f"b{depth}"]
        self._output_dim = parameters.has_output_dim
        # Formed in float64 and rounded once, so that a group and a single network use the same numbers.
        shape = (*self.scaling.output.shape, *(1,) * (2 if self._output_dim else 1))
        self._output_scale = (self.scaling.output * self._last.forward).to(dtype).reshape(shape)
        self._bias_scale = (self.scaling.output * self._last_bias.forward).to(dtype).reshape(shape)
        self.trains_hidden = any(row.rate for row in (*self._weights, *(self._biases if parameters.biases else ())))
        """Whether a step or a kernel needs backward signals."""
        self.hold(parameters)

    def hold(self, parameters: Parameters) -> None:
        """Take parameters, and make the views of them that all passes share."""
        self.parameters = parameters
        self._transposed = [weight.mT for weight in parameters.hidden]
        # σ_a W^L; with σ_a = 1 the read-out itself, which then needs no copy.
        self._top = parameters.readout if self._last.forward == 1.0 else torch.empty_like(parameters.readout)
        self._shapes: dict[int, PassShapes] = {}

    def _shapes_of(self, n: int) -> PassShapes:
        known = self._shapes.get(n)
        if known is None:
            p = self.parameters
            group = (p.readout.shape[0],) if p.is_group else ()
            outputs = (p.outputs,) if self._output_dim else ()
            features = tuple((*group, n, size) for size in p.sizes)
            signals = tuple((*group, n, *outputs, size) for size in p.sizes[1:])
            rows = self._top.mT if self._output_dim else self._top
            top = rows.unsqueeze(-3 if self._output_dim else -2).expand(signals[-1])
            known = self._shapes[n] = PassShapes(features[1:], signals, features[:-1], top)
        return known

    def forward(
        self, inputs: Inputs, workspace: Workspace | None = None, *, keep_preactivations: bool = False
    ) -> Forward:
        """Features and outputs on a set of points.

        Parameters
        ----------
        inputs : Inputs
        workspace : Workspace, optional
            Memory for the arrays; an earlier pass in the same workspace is overwritten.
        keep_preactivations : bool
            Whether to keep h^l as well, which costs a copy of each.
        """
        p, space = self.parameters, workspace or FRESH
        features, saved, kept = [], [], []
        current = inputs.scaled
        arrays = space.arrays("h", self._shapes_of(current.shape[0]).features, current)
        for layer, (h, transposed) in enumerate(zip(arrays, self._transposed, strict=True)):
            scale, shift = self._weights[layer].forward if layer else 1.0, self._biases[layer].forward
            if self._fused is None or keep_preactivations:
                bias = (p.biases[layer].unsqueeze(-2), shift) if p.biases else None
                product(h, current, transposed, scale, bias)
                if keep_preactivations:
                    kept.append(h.clone())
                current, slope = self._phi.evaluate(h)
            else:
                product(h, current, transposed, scale)
                current, slope = self._fused(h, p.biases[layer] if p.biases else None, shift)
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
            outputs = times_vector(features, p.readout)
        outputs *= self._output_scale
        if p.output_bias is not None:
            outputs += self._bias_scale * p.output_bias.unsqueeze(-2 if self._output_dim else -1)
        return outputs if inputs.start is None else outputs.sub_(inputs.start)

    def centre(self, inputs: Inputs) -> Inputs:
        """The same points, set up so that later passes subtract the present outputs; call it at t = 0."""
        outputs = self.forward(Inputs(inputs.points, inputs.scaled)).outputs
        return Inputs(inputs.points, inputs.scaled, outputs, -2 if self._output_dim else -1)

    def slopes(self, forward: Forward) -> list[Tensor]:
        """φ'(h^l), l = 1 … L; shapes ([R,] N, n_l)."""
        slopes = [torch.ones_like(saved) for saved in forward.saved]
        for slope, saved in zip(slopes, forward.saved, strict=True):
            self._phi.multiply(slope, saved, slope)
        return slopes

    def curvatures(self, forward: Forward) -> list[Tensor]:
        """φ''(h^l), l = 1 … L, of a pass that kept its pre-activations; shapes ([R,] N, n_l).

        Where φ' has jumps (relu, leaky_relu, abs), φ'' is taken as 0, its value away from the jumps.
        """
        second = self._phi.second or torch.zeros_like
        return [second(h) for h in forward.preactivations]

    def backward(self, forward: Forward, workspace: Workspace | None = None) -> list[Tensor]:
        """Signals for a step or a kernel: those of :meth:`signals`, or none if only the read-out is trained.

        Returns
        -------
        list of Tensor, length L, shapes ([R,] N [, k], n_l)
            Empty if nothing below the read-out is trained.
        """
        return self.signals(forward, workspace) if self.trains_hidden else []

    def signals(self, forward: Forward, workspace: Workspace | None = None) -> list[Tensor]:
        """Signals g^l = (m^γ/α) ∂f/∂h^l, l = 1 … L, entries O(1), whatever is trained.

        Returns
        -------
        list of Tensor, length L, shapes ([R,] N [, k], n_l)
        """
        plan = self._shapes_of(forward.saved[-1].shape[-2])
        self._scale_readout()
        arrays = (workspace or FRESH).arrays("g", plan.signals, forward.outputs)
        return self._lower(plan.top, forward, arrays)

    def _scale_readout(self) -> Tensor:
        """σ_a W^L as it is now, shape ([R,] m [, k])."""
        if self._top is not self.parameters.readout:
            torch.mul(self.parameters.readout, self._last.forward, out=self._top)
        return self._top

    def _lower(self, top: Tensor, forward: Forward, arrays: list[Tensor]) -> list[Tensor]:
        """Fill ``arrays`` with g^L = φ'(h^L) ⊙ ``top`` and the signals below it; ``top`` may have a dim k."""
        with_outputs = top.dim() > forward.saved[-1].dim()
        signal = top
        for layer in range(len(arrays) - 1, -1, -1):
            saved, below = forward.saved[layer], arrays[layer]
            if signal is not top:
                flat = [each.flatten(-3, -2) if with_outputs else each for each in (below, signal)]
                product(flat[0], flat[1], self.parameters.hidden[layer + 1], self._weights[layer + 1].forward)
                signal = below
            self._phi.multiply(signal, saved.unsqueeze(-2).expand(below.shape) if with_outputs else saved, below)
            signal = below
        return arrays

    def passes(self, inputs: Inputs, workspace: Workspace | None = None) -> Passes:
        """The points with their forward pass and the signals of :meth:`backward`."""
        forward = self.forward(inputs, workspace)
        return Passes(inputs, forward, self.backward(forward, workspace))
