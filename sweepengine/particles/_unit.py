"""Units ψ(θ; x), the contribution of one particle to the outputs (theory.md §5.1).

In shapes, n is the number of particles of a chunk, p that of coordinates of a particle, N that of inputs, d their
dimension.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from sweepengine.activations import ACTIVATIONS, NAMED_BY_SLOPES, canonical_activation
from sweepengine.networks import Activation, activation
from sweepengine.particles._errors import ParameterError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Pair = Callable[[Tensor], tuple[Tensor, Tensor]]


class Unit(Protocol):
    """A function ψ as the risk needs it; its methods work on one chunk and allocate arrays of at most n × N numbers."""

    def prepare(self, inputs: Tensor) -> Tensor:
        """The inputs (N, d) in the form that the other methods take; the risk computes it once."""

    def total(self, chunk: Tensor, prepared: Tensor) -> Tensor:
        """Σ_k ψ(θ_k; x_i) over the particles of the chunk (n, p); shape (N,)."""

    def values(self, points: Tensor, prepared: Tensor) -> Tensor:
        """ψ(θ_k; x_i), shape (n, N)."""

    def pull(self, prepared: Tensor, weights: Tensor) -> Callable[[Tensor], Tensor]:
        """A function from points (n, p) to ∇_θ Σ_i weights_i ψ(θ; x_i), shape (n, p), for weights (N,).

        What does not depend on the points is computed here, once for all chunks of a pass.
        """


class _Scratch(threading.local):
    """One array per thread for the pre-activations of a chunk, kept because fresh memory costs a third of a step."""

    def __init__(self) -> None:
        self._held: Tensor | None = None

    def __reduce__(self) -> tuple[type[_Scratch], tuple[()]]:
        return _Scratch, ()  # a copy allocates its own array

    def rows(self, count: int, like: Tensor) -> Tensor:
        """An uninitialised array (count, N) for ``like`` of N rows; it is valid until the thread asks again."""
        held = self._held
        fits = held is not None and len(held) >= count and held.shape[1] == len(like)
        if held is None or not fits or held.dtype != like.dtype or held.device != like.device:
            with torch.inference_mode(mode=False):  # else passes outside of inference mode could not write to it
                held = self._held = like.new_empty((count, len(like)))
        return held if len(held) == count else held[:count]


@dataclass(frozen=True)
class Neuron:
    """ψ(θ; x) = scale · s(a) φ(input_scale w·x + bias_scale b); a particle is θ = (w, b, a), b and a are optional.

    Attributes
    ----------
    d : int
        Input dimension.
    activation : str or callable
        A name (:mod:`sweepengine.activations`), or a function from h to (φ(h), φ'(h)).
    output : {"free", "tanh", "none"}
        s(a) = a, s(a) = tanh a (bounded), or s = 1 with no coordinate a.
    bias : bool
        Whether there is a coordinate b.
    scale, input_scale, bias_scale : float
        For a network of theory.md §1.1 at γ = 1 they are α σ_a, σ_w/√d and σ_b.
    frozen : {None, "output", "input"}
        Coordinates that do not move: a, or w and b. "output" trains W alone.

    Raises
    ------
    ParameterError
        The activation or the output is unknown, or a missing output weight is frozen.
    """

    d: int
    activation: str | Pair = "relu"
    output: Literal["free", "tanh", "none"] = "free"
    bias: bool = False
    scale: float = 1.0
    input_scale: float = 1.0
    bias_scale: float = 1.0
    frozen: Literal["output", "input"] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.activation, str):
            try:
                canonical_activation(self.activation)
            except ValueError as error:
                known = ", ".join((*ACTIVATIONS, *NAMED_BY_SLOPES))
                raise ParameterError(f"found activation {self.activation!r}; known are {known}") from error
        if self.output not in {"free", "tanh", "none"}:
            raise ParameterError(f"found output {self.output!r}; known are free, tanh, none")
        if self.frozen == "output" and self.output == "none":
            raise ParameterError("found frozen 'output' on a unit without output weight; leave frozen out")

    @property
    def inner(self) -> int:
        """Number of coordinates inside φ: d, and one for the bias."""
        return self.d + self.bias

    @property
    def coordinates(self) -> int:
        """Number p of coordinates of a particle."""
        return self.inner + (self.output != "none")

    def prepare(self, inputs: Tensor) -> Tensor:
        """(input_scale x, bias_scale), shape (N, inner)."""
        if inputs.dim() != 2 or inputs.shape[1] != self.d:
            raise ShapeError(f"found inputs of shape {tuple(inputs.shape)}; this unit takes (N, {self.d})")
        scaled = inputs * self.input_scale
        if not self.bias:
            return scaled
        return torch.cat([scaled, scaled.new_full((len(scaled), 1), self.bias_scale)], dim=1)

    def total(self, chunk: Tensor, prepared: Tensor) -> Tensor:
        """Σ_k ψ(θ_k; x_i); shape (N,)."""
        differentiated = torch.is_grad_enabled() and (chunk.requires_grad or prepared.requires_grad)
        held = (
            None if differentiated else self._scratch.rows(len(chunk), prepared)
        )  # autograd must keep the pre-activations
        phi = self._function.values(self._preactivation(chunk, prepared, held))
        summed = phi.sum(0) if self.output == "none" else self._outer(chunk) @ phi
        return summed * self.scale

    def values(self, points: Tensor, prepared: Tensor) -> Tensor:
        """ψ(θ_k; x_i), shape (n, N)."""
        phi = self._function.values(self._preactivation(points, prepared)) * self.scale
        return phi if self.output == "none" else phi * self._outer(points).unsqueeze(1)

    def pull(self, prepared: Tensor, weights: Tensor) -> Callable[[Tensor], Tensor]:
        """∇_θ Σ_i weights_i ψ(θ; x_i) at points (n, p), shape (n, p), in closed form by two products of n·N·inner."""
        weights = weights * self.scale
        weighted = prepared * weights.unsqueeze(1)
        one = weights.new_ones(())

        def gradient(points: Tensor) -> Tensor:
            out = torch.empty_like(points)
            w, inner = points[:, : self.inner], out[:, : self.inner]
            h = self._preactivation(points, prepared, self._scratch.rows(len(points), prepared))
            if self.activation == "relu":
                # The gradient of relu needs only the sign of h: one pass over h, in place. And relu(h) = h relu'(h), so
                # Σ_i weights_i φ(h_i) = w · Σ_i weights_i φ'(h_i) x_i needs no pass of its own.
                torch.mm(torch.gt(h, 0, out=h), weighted, out=inner)
                total = (inner * w).sum(1)
            else:
                phi, slope = self._function.evaluate(h)
                total = phi @ weights
                if not self._function.saves_slope:
                    self._function.multiply(one.expand_as(h), slope, h)
                    slope = h
                torch.mm(slope, weighted, out=inner)
            return out if self.output == "none" else self._with_output(points, out, inner, total)

        return gradient

    def _with_output(self, points: Tensor, gradient: Tensor, inner: Tensor, total: Tensor) -> Tensor:
        """Apply the output weight to the gradient in (w, b), and set the gradient in a from Σ_i weights_i φ(h_i)."""
        q, a = self.inner, self._outer(points)
        gradient[:, q] = total * (1 - a * a) if self.output == "tanh" else total
        if self.frozen == "output":
            gradient[:, q] = 0
        if self.frozen == "input":
            inner.zero_()
        else:
            inner.mul_(a.unsqueeze(1))
        return gradient

    def kernel_parts(self, chunk: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        """∂ψ/∂h and ∂ψ/∂a, each (n, N): the mean-field kernel is a sum of products of their Gram matrices."""
        phi, slope = self._function(self._preactivation(chunk, prepared))
        if self.output == "none":
            return slope * self.scale, torch.zeros_like(phi)
        a = self._outer(chunk)
        inside = (1 - a * a).unsqueeze(1) if self.output == "tanh" else phi.new_ones(())
        signal, feature = slope * (a * self.scale).unsqueeze(1), phi * inside * self.scale
        if self.frozen == "output":
            feature = torch.zeros_like(feature)
        return (torch.zeros_like(signal) if self.frozen == "input" else signal), feature

    def _preactivation(self, points: Tensor, prepared: Tensor, out: Tensor | None = None) -> Tensor:
        if points.shape[-1] != self.coordinates:
            raise ShapeError(
                f"found particles with {points.shape[-1]} coordinates; this unit has {self.coordinates}: d = {self.d}"
                f"{', b' if self.bias else ''}{', a' if self.output != 'none' else ''}"
            )
        return torch.mm(points[:, : self.inner], prepared.T, out=out)

    def _outer(self, points: Tensor) -> Tensor:
        a = points[:, self.inner]
        # Contiguous, because a product with a column of stride p takes twice the time.
        return a.tanh() if self.output == "tanh" else a.contiguous()

    @cached_property
    def _scratch(self) -> _Scratch:
        return _Scratch()

    @property
    def _function(self) -> Activation:
        return activation(self.activation) if isinstance(self.activation, str) else Activation(self.activation)


@dataclass(frozen=True)
class CallableUnit:
    """Any ψ, differentiated automatically.

    Attributes
    ----------
    psi : callable
        From particles (n, p) and inputs (N, d) to ψ(θ_k; x_i), shape (n, N); row k must depend on particle k alone.
    """

    psi: Callable[[Tensor, Tensor], Tensor]

    def prepare(self, inputs: Tensor) -> Tensor:
        """The inputs unchanged."""
        return inputs

    def total(self, chunk: Tensor, prepared: Tensor) -> Tensor:
        """Σ_k ψ(θ_k; x_i); shape (N,)."""
        return self.values(chunk, prepared).sum(0)

    def values(self, points: Tensor, prepared: Tensor) -> Tensor:
        """ψ(θ_k; x_i), shape (n, N)."""
        values = self.psi(points, prepared)
        expected = (len(points), len(prepared))
        if tuple(values.shape) != expected:
            raise ShapeError(f"psi gave shape {tuple(values.shape)}; expected (particles, inputs) = {expected}")
        return values

    def pull(self, prepared: Tensor, weights: Tensor) -> Callable[[Tensor], Tensor]:
        """∇_θ Σ_i weights_i ψ(θ; x_i) at points (n, p), shape (n, p)."""

        def gradient(points: Tensor) -> Tensor:
            with torch.enable_grad():
                at = points.detach().requires_grad_()
                paired = (self.values(at, prepared) @ weights).sum()
            return torch.autograd.grad(paired, at)[0]

        return gradient
