"""Parameters of a group of networks of equal shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from torch import Tensor


class _Named(Protocol):
    """Tensors by name: the parameters of a network of either form."""

    def tensors(self) -> dict[str, Tensor]: ...
    def with_tensors(self, named: Mapping[str, Tensor]) -> Self: ...


_P = TypeVar("_P", bound=_Named)


@dataclass(frozen=True)
class Parameters:
    """Weights and biases of R networks with widths n_1 … n_L = m and k outputs.

    Two dims are absent rather than of size one: R for a single network, whose products are then plain matrix products,
    and k for a single output.

    Attributes
    ----------
    hidden : tuple of Tensor
        W^l, l = 0 … L−1; shapes ([R,] n_{l+1}, n_l), n_0 = d.
    biases : tuple of Tensor
        b^l, l = 0 … L−1, shapes ([R,] n_{l+1}); empty without biases.
    readout : Tensor, shape ([R,] m [, k])
    output_bias : Tensor or None, shape ([R] [, k])
    """

    hidden: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    readout: Tensor
    output_bias: Tensor | None

    @property
    def is_group(self) -> bool:
        """Whether there is the dim R."""
        return self.hidden[0].dim() == 3

    @property
    def has_output_dim(self) -> bool:
        """Whether there is the dim k, that is k ≥ 2."""
        return self.readout.dim() == self.hidden[0].dim()

    @property
    def outputs(self) -> int:
        """Number of outputs k."""
        return self.readout.shape[-1] if self.has_output_dim else 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """n_0 = d, n_1, …, n_L."""
        return (self.hidden[0].shape[-1], *(weight.shape[-2] for weight in self.hidden))

    @property
    def width(self) -> int:
        """Width m = n_L of the last hidden layer, which enters the scaling."""
        return self.hidden[-1].shape[-2]

    def tensors(self) -> dict[str, Tensor]:
        """All parameters by name: W0, b0, …, W<L>, b<L>."""
        named = {f"W{layer}": weight for layer, weight in enumerate((*self.hidden, self.readout))}
        named |= {f"b{layer}": bias for layer, bias in enumerate(self.biases)}
        if self.output_bias is not None:
            named[f"b{len(self.hidden)}"] = self.output_bias
        return named

    def with_tensors(self, named: Mapping[str, Tensor]) -> Parameters:
        """Parameters of the same structure with other tensors, by the names of :meth:`tensors`."""
        depth = len(self.hidden)
        return Parameters(
            hidden=tuple(named[f"W{layer}"] for layer in range(depth)),
            biases=tuple(named[f"b{layer}"] for layer in range(len(self.biases))),
            readout=named[f"W{depth}"],
            output_bias=named.get(f"b{depth}"),
        )

    def map(self, function: Callable[..., Tensor], *others: Parameters) -> Parameters:
        """Apply ``function`` to every tensor, with the tensors of the same name of ``others`` as further arguments."""
        columns = zip(*(each.tensors().values() for each in (self, *others)), strict=True)
        return self.with_tensors(dict(zip(self.tensors(), (function(*column) for column in columns), strict=True)))

    def layer_matrices(self) -> list[Tensor]:
        """For each layer the matrix whose rows are one neuron's parameters.

        Returns
        -------
        list of Tensor, length L + 1
            ([R,] n_{l+1}, n_l [+ 1]), the bias as the last column where there is one; for the read-out ([R,] m, k).
        """
        matrices = list(self.hidden)
        if self.biases:
            matrices = [torch.cat([w, b.unsqueeze(-1)], dim=-1) for w, b in zip(matrices, self.biases, strict=True)]
        return [*matrices, self.readout if self.has_output_dim else self.readout.unsqueeze(-1)]


def stack(networks: list[Parameters]) -> Parameters:
    """Put networks of equal shape behind one leading dim R; a single network stays without R."""
    first = networks[0]
    if len(networks) == 1:
        return first
    columns = zip(*(network.tensors().values() for network in networks), strict=True)
    stacked = iter([torch.stack(column) for column in columns])
    hidden = tuple(next(stacked) for _ in first.hidden)
    readout = next(stacked)
    biases = tuple(next(stacked) for _ in first.biases)
    return Parameters(hidden, biases, readout, None if first.output_bias is None else next(stacked))


def flat(parameters: _Named) -> Tensor:
    """A copy of all parameters as one vector, shape (P,), in the order of :meth:`Parameters.tensors`."""
    return torch.cat([tensor.reshape(-1) for tensor in parameters.tensors().values()])


def parts_of(vector: Tensor, like: _P) -> _P:
    """Views of a vector, shape (P,), in the shapes of some parameters: the inverse of :func:`flat`."""
    sizes = [tensor.numel() for tensor in like.tensors().values()]
    parts = iter(torch.split(vector, sizes))
    named = {name: next(parts).view(tensor.shape) for name, tensor in like.tensors().items()}
    return like.with_tensors(named)
