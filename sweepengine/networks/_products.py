"""Matrix products of one network (plain, two dims) or of a group (batched, three dims), written into given arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.networks._matmul import asks_onednn, without_onednn

if TYPE_CHECKING:
    from torch import Tensor

_FEW = 2**14
"""Entries of a matrix below which a product with a vector takes so short that it does not matter which library makes
it. For more entries oneDNN takes five times as long as MKL (:func:`sweepengine.networks.matmul_precision`)."""


def product(out: Tensor, a: Tensor, b: Tensor, scale: float = 1.0, bias: tuple[Tensor, float] | None = None) -> None:
    """``out = scale · a b [+ factor · row]`` in one call, so that neither scalar costs a pass of its own.

    Parameters
    ----------
    out : Tensor, shape ([R,] n, m)
        Overwritten, whatever it holds.
    a, b : Tensor, shapes ([R,] n, p) and ([R,] p, m)
        A matrix without R is used for every network of a group.
    scale : float
    bias : (Tensor, float), optional
        A row, shape ([R,] 1, m), and its factor.
    """
    if out.dim() == 2:
        if bias is not None:
            torch.addmm(bias[0], a, b, beta=bias[1], alpha=scale, out=out)
        elif scale == 1.0:
            torch.mm(a, b, out=out)
        else:
            out.addmm_(a, b, beta=0, alpha=scale)
        return
    a, b = (each.expand(out.shape[0], *each.shape[-2:]) for each in (a, b))
    if bias is not None:
        torch.baddbmm(bias[0].expand(out.shape), a, b, beta=bias[1], alpha=scale, out=out)
    else:
        out.baddbmm_(a, b, beta=0, alpha=scale)


def add_product(target: Tensor, a: Tensor, b: Tensor, scale: float = 1.0) -> None:
    """``target += scale · a b`` in one call; shapes as in :func:`product`."""
    if target.dim() == 2:
        target.addmm_(a, b, alpha=scale)
    else:
        target.baddbmm_(*(each.expand(target.shape[0], *each.shape[-2:]) for each in (a, b)), alpha=scale)


def add_vector_product(target: Tensor, a: Tensor, v: Tensor, scale: float = 1.0) -> None:
    """``target += scale · a v`` for a matrix ([R,] n, p) and a vector ([R,] p)."""
    if target.dim() == 1:
        target.add_(times_vector(a, v), alpha=scale)
    else:
        target.add_((a @ v.unsqueeze(-1)).squeeze(-1), alpha=scale)


def matrix_or_vector_product(a: Tensor, b: Tensor, is_matrix: bool) -> Tensor:
    """``a b`` for a matrix ([R,] n, p) and a matrix ([R,] p, k) or a vector ([R,] p)."""
    if is_matrix:
        return a @ b
    return times_vector(a, b) if a.dim() == 2 else (a @ b.unsqueeze(-1)).squeeze(-1)


def times_vector(a: Tensor, v: Tensor) -> Tensor:
    """``a v`` for a matrix (n, p) and a vector (p,)."""
    if a.numel() < _FEW or not asks_onednn(a):
        return torch.mv(a, v)
    return without_onednn(torch.mv, a, v)
