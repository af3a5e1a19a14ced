"""The tangent kernel of more points than fit in memory at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks._kernel import Layout
    from sweepengine.networks._network import Network
    from sweepengine.networks._passes import Inputs

_ARRAYS_OF_A_BLOCK = 4
"""Kernel-sized arrays alive while one block is made: the block, two Gram matrices, and one temporary."""


def block_bytes(network: Network, points: int, layout: Layout = "full") -> int:
    """Working memory of one block of ``points`` by ``points``: two sets of passes, and the block's Gram matrices.

    Parameters
    ----------
    network : Network
    points : int
    layout : str
        As in :meth:`Network.kernel`.

    Returns
    -------
    int
        Bytes, without the parameters and the finished kernel, which take the same memory for every size of the block.
    """
    p = network.parameters
    k, (d, *widths) = p.outputs, p.sizes
    numbers = p.readout.element_size() * (p.readout.shape[0] if p.is_group else 1)
    # Features, saved slopes, one temporary of an activation; signals; points and scaled points.
    passes = points * (sum(widths) * (3 + k) + 2 * d + 2 * k)
    side = points * (k if layout == "full" else 1)
    return numbers * (2 * passes + _ARRAYS_OF_A_BLOCK * side * side)


def blocked_kernel(
    network: Network,
    inputs: Inputs,
    memory_budget: int,
    *,
    against: Inputs | None = None,
    layout: Layout = "full",
) -> Tensor:
    """The Θ of :meth:`Network.kernel`, up to rounding, in blocks of points whose working memory fits a budget.

    The passes of the columns are made again for every block of rows, so a smaller budget costs time.

    Parameters
    ----------
    network : Network
    inputs : Inputs
    memory_budget : int
        Bytes of working memory, without the parameters and the result; see :func:`block_bytes`.
    against : Inputs, optional
        The points of the columns; without it those of the rows.
    layout : str
        As in :meth:`Network.kernel`.

    Returns
    -------
    Tensor, shape ([R,] N, N'), or ([R,] N, k, N', k)

    Raises
    ------
    RunError
        A block of one point exceeds the budget.
    """
    columns = against or inputs
    n, n_columns = inputs.points.shape[0], columns.points.shape[0]
    size = _block_size(network, max(n, n_columns), memory_budget, layout)
    if size >= max(n, n_columns):
        rows = network.passes(inputs)
        return network.kernel(*rows, against=None if against is None else network.passes(against), layout=layout)
    p = network.parameters
    outputs = (p.outputs,) if p.has_output_dim and layout == "full" else ()
    group = (p.readout.shape[0],) if p.is_group else ()
    theta = p.readout.new_empty((*group, n, *outputs, n_columns, *outputs))
    row_dim, column_dim = (-4, -2) if outputs else (-2, -1)
    for start in range(0, n, size):
        left = network.passes(inputs.rows(_span(start, n, size, p.readout)))
        left_points = left.inputs.points.shape[0]
        strip = theta.narrow(row_dim, start, left_points)
        for first in range(0, n_columns if against is not None else start + 1, size):
            if against is None and first == start:
                block = network.kernel(*left, layout=layout)
            else:
                right = columns.rows(_span(first, n_columns, size, p.readout))
                block = network.kernel(*left, against=network.passes(right), layout=layout)
            strip.narrow(column_dim, first, block.shape[column_dim]).copy_(block)
            if against is None and first < start:
                turned = block.transpose(row_dim, column_dim)
                mirror = theta.narrow(row_dim, first, turned.shape[row_dim]).narrow(column_dim, start, left_points)
                mirror.copy_(turned.transpose(-3, -1) if outputs else turned)
    return theta


def _span(start: int, n: int, size: int, like: Tensor) -> Tensor:
    return torch.arange(start, min(n, start + size), device=like.device)


def _block_size(network: Network, n: int, memory_budget: int, layout: Layout) -> int:
    """The most points of a block that the budget allows, at most n."""
    if block_bytes(network, 1, layout) > memory_budget:
        raise RunError(
            f"memory_budget: {memory_budget} bytes are less than the {block_bytes(network, 1, layout)} that one point "
            "at a time takes; give more"
        )
    low, high = 1, n
    while low < high:
        middle = (low + high + 1) // 2
        if block_bytes(network, middle, layout) <= memory_budget:
            low = middle
        else:
            high = middle - 1
    return low
