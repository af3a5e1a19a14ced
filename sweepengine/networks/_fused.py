"""Where the elementwise stage of a layer is one kernel.

On a GPU a pass over N × m numbers costs what reading and writing them costs. The forward stage of a layer makes

    a bias             1 pass (the product begins from rows that were written first) and one more reading by the product
    relu, leaky_relu, tanh                                  1
    identity                                                0
    abs, sin, softplus, quadratic                           2
    cos                                                     3
    erf                                                     5
    gelu                                                   11

passes, and one where it is fused: so it is where there is a bias or an activation of two or more. The backward stage, a
signal times φ', is one pass for every activation, and so is φ times the residuals: neither is fused.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks.triton_activations import FusedLayer

ONE_PASS = frozenset({"identity", "leaky_relu", "relu", "tanh"})
"""Activations of one pass or none."""


def is_fused(activation: str, device: torch.device, dtype: torch.dtype, *, biased: bool) -> bool:
    """Whether a fused pass saves something, and is there: on CUDA, in float32."""
    on_gpu = device.type == "cuda" and dtype == torch.float32
    return on_gpu and (biased or activation not in ONE_PASS) and find_spec("triton") is not None


def fused_layer(activation: str, like: Tensor, *, biased: bool) -> FusedLayer | None:
    """The fused pass for arrays like one; None where the plain passes are as good, or all there are.

    Raises
    ------
    RunError
        The fused pass does not do on this device what the plain one does.
    """
    if not is_fused(activation, like.device, like.dtype, biased=biased):
        return None
    from sweepengine.networks.triton_activations import checked_layer

    return checked_layer(activation, like.device)
