"""Functions that measure the parameters and their change since t = 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from sweepengine.networks import multiplies_in_full
from sweepengine.observe._linalg import operator_norm
from sweepengine.observe._shared import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from sweepengine.observe._moment import Moment


def _changes(now: Moment, start: Moment) -> Iterator[Tensor]:
    """Change of each layer's matrix; one layer at a time, to save memory.

    It is in the precision of the parameters, so that each entry is rounded once, or in float64 if products are not in
    full precision.
    """
    after, before = (end.network.parameters.layer_matrices() for end in (now, start))
    wide = not multiplies_in_full(after[0].device)
    for one, other in zip(after, before, strict=True):
        yield (one.to(torch.float64) if wide else one) - other


class _Moved(NamedTuple):
    """Sizes of the change of each layer's parameters, shapes ([R,] L + 1), float64.

    Attributes
    ----------
    squares, first : Tensor
        Squared Frobenius norms of the change and of the initial parameters.
    row_squares : Tensor
        Largest squared norm of a row of the change, that is of one neuron's parameters.
    """

    squares: Tensor
    first: Tensor
    row_squares: Tensor


@shared
def _moved(now: Moment, start: Moment) -> _Moved:
    layers = []
    for change in _changes(now, start):
        rows = torch.linalg.vecdot(change, change).to(torch.float64)
        layers.append((rows.sum(-1), rows.amax(-1)))
    squares, largest = (torch.stack(each, dim=-1) for each in zip(*layers, strict=True))
    return _Moved(squares, _squares(start, start), largest)


@shared
def _squares(now: Moment, _: Moment) -> Tensor:
    """Squared Frobenius norms of each layer's parameters, shape ([R,] L + 1), float64."""
    layers = now.network.parameters.layer_matrices()
    return torch.stack([layer.to(torch.float64).square().sum((-1, -2)) for layer in layers], dim=-1)


def movement_op(now: Moment, start: Moment) -> Tensor:
    norms = torch.stack([operator_norm(change) for change in _changes(now, start)], dim=-1)
    return norms.div_(now.network.parameters.width**0.5)


def squared_distance(now: Moment, start: Moment) -> tuple[Tensor, Tensor]:
    """‖θ_t − θ_0‖² and ‖θ_0‖² over all parameters, in float64, shapes ([R,])."""
    moved, total = _moved(now, start).squares.sum(-1), _moved(now, start).first.sum(-1)
    after, before = (end.network.parameters.output_bias for end in (now, start))
    if after is not None and before is not None:
        first = before.to(torch.float64)
        squares = (after.to(torch.float64) - first).square(), first.square()
        of_bias = [each.sum(-1) if now.has_output_dim else each for each in squares]
        moved, total = moved + of_bias[0], total + of_bias[1]
    return moved, total


def movement_total(now: Moment, start: Moment) -> Tensor:
    moved, total = squared_distance(now, start)
    return (moved / total).sqrt()


def _neuron_sizes(moment: Moment) -> Tensor:
    """‖(a_k, w_k, b_k)‖² of the neurons of the last hidden layer, ([R,] m)."""
    *_, rows, readout = moment.network.parameters.layer_matrices()
    return rows.to(torch.float64).square().sum(-1) + readout.to(torch.float64).square().sum(-1)


def neuron_growth(now: Moment, start: Moment) -> Tensor:
    return (_neuron_sizes(now) / _neuron_sizes(start)).amax(-1).sqrt()


def weights(now: Moment, _: Moment) -> Tensor:
    p, tensors = now.network.parameters, list(now.network.parameters.tensors().values())
    group = tensors[0].shape[:1] if p.is_group else ()
    return torch.cat([tensor.reshape(*group, -1) for tensor in tensors], dim=-1)


def movement_relative(now: Moment, start: Moment) -> Tensor:
    return (_moved(now, start).squares / _moved(now, start).first).sqrt()


def movement_frobenius(now: Moment, start: Moment) -> Tensor:
    return _moved(now, start).squares.sqrt()


def movement_rms_entry(now: Moment, start: Moment) -> Tensor:
    squares = _moved(now, start).squares
    layers = start.network.parameters.layer_matrices()
    return (squares / squares.new_tensor([layer.shape[-1] * layer.shape[-2] for layer in layers])).sqrt()


def movement_row_max(now: Moment, start: Moment) -> Tensor:
    return _moved(now, start).row_squares.sqrt()
