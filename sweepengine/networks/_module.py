"""Networks that are a module of the user's own: outputs, steps and tangent kernel by autograd.

f(x) = α m^{-γ} module(x) (theory.md §1.7) with m the swept width, and θ̇ = −(m^{2γ−1}/α²) ∇R(θ), so

    Θ(x, x') = (m^{2γ−1}/α²) ⟨∂f(x), ∂f(x')⟩ = ⟨∂module(x), ∂module(x')⟩ / m,

summed over the parameters that require a gradient. This is slower than :class:`sweepengine.networks.Network`, and holds
for any module whose output at a point depends on that point alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch.func import functional_call, jacrev, vmap

from sweepengine.errors import users_code
from sweepengine.networks._passes import Forward, Inputs, Passes
from sweepengine.networks._scaling import Scaling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from torch import Tensor, nn

    from sweepengine.networks._kernel import Layout
    from sweepengine.networks._parameters import Parameters
    from sweepengine.networks._passes import Workspace

JACOBIAN_BYTES = 32 * 2**20
"""Bytes of the Jacobian of one block of points; a kernel holds two Jacobians at a time."""


@dataclass(frozen=True)
class ModuleParameters:
    """Parameters of one module, by the module's own names.

    Attributes
    ----------
    values : mapping
        Name → tensor, in the module's order.
    width : int
        m.
    outputs : int
        k.
    is_group, output_bias
        Constants, for code that also takes :class:`Parameters`: a module has no group and no output bias of its own.
    """

    values: Mapping[str, Tensor]
    width: int
    outputs: int = 1
    is_group: ClassVar[bool] = False
    output_bias: ClassVar[None] = None

    @property
    def has_output_dim(self) -> bool:
        """Whether k ≥ 2."""
        return self.outputs > 1

    def tensors(self) -> dict[str, Tensor]:
        """All parameters, keyed ``module.<name>``."""
        return {f"module.{name}": value for name, value in self.values.items()}

    def with_tensors(self, named: Mapping[str, Tensor]) -> ModuleParameters:
        """The same with other tensors, by the names of :meth:`tensors`."""
        return replace(self, values={name: named[f"module.{name}"] for name in self.values})

    def map(self, function: Callable[[Tensor], Tensor]) -> ModuleParameters:
        """The same with ``function`` applied to every tensor."""
        return replace(self, values={name: function(value) for name, value in self.values.items()})

    def layer_matrices(self) -> list[Tensor]:
        """Every parameter as a matrix with one row for each index of its first dim, shape (n_0, n_1 ⋯)."""
        return [value.reshape(value.shape[0] if value.dim() else 1, -1) for value in self.values.values()]


@dataclass(slots=True)
class ModuleForward(Forward):
    """Result of a forward pass of a module.

    Attributes
    ----------
    raw : Tensor or None, shape (N [, k])
        The module's own output, with autograd's graph for a step.
    leaves : tuple of Tensor
        The trained parameters, as leaves of the graph.
    """

    raw: Tensor | None = None
    leaves: tuple[Tensor, ...] = ()


class ModuleNetwork:
    """One network f = α m^{-γ} module(x).

    Parameters
    ----------
    module : torch.nn.Module
        The values of its own parameters are not used; its buffers are constants.
    parameters : ModuleParameters
        Changed in place by :meth:`descend`.
    gamma, alpha : float
    """

    def __init__(self, module: nn.Module, parameters: ModuleParameters, gamma: float, alpha: float) -> None:
        self.module, self.parameters, self.outputs = module, parameters, parameters.outputs
        self._gamma, self._alpha = gamma, alpha
        m, device = float(parameters.width), next(iter(parameters.values.values())).device
        output, speed = (
            torch.tensor(each, dtype=torch.float64, device=device)
            for each in (alpha * m**-gamma, m ** (gamma - 1) / alpha)
        )
        self.scaling = Scaling({}, output, speed)
        """α m^{-γ} and m^{γ-1}/α alone: multipliers of single parameters are part of the module."""
        self._constants = dict(module.named_buffers())
        self._trained = [name for name, each in module.named_parameters() if each.requires_grad]

    def copy(self) -> ModuleNetwork:
        """A network with parameters of its own, which have the same values."""
        return ModuleNetwork(self.module, self.parameters.map(torch.clone), self._gamma, self._alpha)

    def _split(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The trained parameters, and the constants: all other parameters and the buffers."""
        values = self.parameters.values
        trained = {name: values[name].detach() for name in self._trained}
        return trained, self._constants | {name: each for name, each in values.items() if name not in trained}

    def forward(
        self,
        inputs: Inputs,
        workspace: Workspace | None = None,  # noqa: ARG002 -- autograd makes its own arrays
    ) -> ModuleForward:
        """Outputs on a set of points, with autograd's graph for a step."""
        trained, constants = self._split()
        leaves = {name: value.requires_grad_() for name, value in trained.items()}
        with torch.enable_grad(), self._guarded():
            raw = functional_call(self.module, leaves | constants, (inputs.points,))
            raw = raw.reshape(-1, self.outputs) if self.outputs > 1 else raw.reshape(-1)
        outputs = raw.detach() * self.scaling.output.to(raw.dtype)
        if inputs.start is not None:
            outputs -= inputs.start
        return ModuleForward([], [], outputs, [], raw, tuple(leaves.values()))

    def backward(self, forward: Forward, workspace: Workspace | None = None) -> list[Tensor]:  # noqa: ARG002
        """An empty list: a module has no signals that a step and a kernel could share."""
        return []

    def passes(self, inputs: Inputs, workspace: Workspace | None = None) -> Passes:
        """The points with their forward pass."""
        return Passes(inputs, self.forward(inputs, workspace), [])

    def centre(self, inputs: Inputs) -> Inputs:
        """The same points, set up so that later passes subtract the present outputs; call it at t = 0."""
        outputs = self.forward(replace(inputs, start=None)).outputs
        return replace(inputs, start=outputs, point_dim=-2 if self.outputs > 1 else -1)

    def kernel(
        self,
        inputs: Inputs,
        forward: Forward,  # noqa: ARG002 -- the kernel is made from the points, in blocks
        signals: list[Tensor],  # noqa: ARG002
        *,
        against: Passes | None = None,
        layout: Layout = "full",
    ) -> Tensor:
        """The tangent kernel of the trained parameters, as :meth:`Network.kernel` gives it.

        Jacobians are made for blocks of points that take :data:`JACOBIAN_BYTES`, each block by one vectorised
        vector–Jacobian product.

        Returns
        -------
        Tensor, shape (N, N'), or (N, k, N', k) for k ≥ 2 outputs in full
        """
        rows, k = inputs.points, self.outputs
        columns = rows if against is None else against.inputs.points
        symmetric = columns is rows
        theta = rows.new_zeros((len(rows), k, len(columns), k))
        size = self._block_size()
        for start in range(0, len(rows), size):
            left = self._jacobian(rows[start : start + size])
            for first in range(0, start + 1 if symmetric else len(columns), size):
                same = symmetric and first == start
                right = left if same else self._jacobian(columns[first : first + size])
                block = sum(
                    (a.flatten(0, 1) @ b.flatten(0, 1).T for a, b in zip(left, right, strict=True)), rows.new_zeros(())
                ).reshape(len(left[0]), k, len(right[0]), k)
                theta[start : start + size, :, first : first + size] = block
                if symmetric and not same:
                    theta[first : first + size, :, start : start + size] = block.permute(2, 3, 0, 1)
        theta /= self.parameters.width
        if k == 1:
            return theta[:, 0, :, 0]
        return theta if layout == "full" else theta.diagonal(dim1=1, dim2=3).mean(-1)

    def kernel_diagonal(self, inputs: Inputs, forward: Forward, signals: list[Tensor]) -> Tensor:  # noqa: ARG002
        """Θ_{io,io} alone, shape (N [, k])."""
        blocks = [
            sum((jacobian.square().sum(-1) for jacobian in self._jacobian(points)), points.new_zeros(()))
            for points in torch.split(inputs.points, self._block_size())
        ]
        diagonal = torch.cat(blocks) / self.parameters.width
        return diagonal if self.outputs > 1 else diagonal[:, 0]

    def _block_size(self) -> int:
        trained, _ = self._split()
        numbers = sum(value.numel() for value in trained.values()) * self.outputs
        return max(1, JACOBIAN_BYTES // (numbers * next(iter(trained.values())).element_size()))

    def _jacobian(self, points: Tensor) -> list[Tensor]:
        """∂module/∂θ of every trained parameter, shapes (B, k, numbers of the parameter)."""
        trained, constants = self._split()

        def output_at(values: dict[str, Tensor], x: Tensor) -> Tensor:
            raw: Tensor = functional_call(self.module, values | constants, (x.unsqueeze(0),))
            return raw.reshape(self.outputs)

        with self._guarded():
            jacobians = vmap(jacrev(output_at), in_dims=(None, 0))(trained, points)
        parts = [jacobians[name] for name in trained]
        return [part.flatten(2) if part.dim() > 2 else part.unsqueeze(-1) for part in parts]

    def _guarded(self) -> AbstractContextManager[None]:
        """The context of a call of the user's module: an error in the module is the failure of its run."""
        return users_code(f"module {type(self.module).__name__}: it")

    def descend(
        self,
        inputs: Inputs,
        forward: Forward,
        signals: list[Tensor] | None,  # noqa: ARG002
        residual: Tensor,
        step_size: float,
        *,
        into: Parameters | ModuleParameters | None = None,
        workspace: Workspace | None = None,  # noqa: ARG002
    ) -> None:
        """One step of gradient descent in place, as :meth:`Network.descend` does it."""
        if not isinstance(forward, ModuleForward) or forward.raw is None:
            raise TypeError("a module steps from its own forward pass")
        pull = residual * (self.scaling.speed * (-step_size / inputs.points.shape[0])).to(residual.dtype)
        with self._guarded():
            moved = torch.autograd.grad(forward.raw, forward.leaves, pull, retain_graph=True, materialize_grads=True)
        target = into or self.parameters
        if not isinstance(target, ModuleParameters):
            raise TypeError("into: found the parameters of a fully connected network; give those of a module")
        for name, change in zip(self._trained, moved, strict=True):
            target.values[name].add_(change)
