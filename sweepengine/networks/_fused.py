"""The fused pass of a layer: bias and activation in one GPU kernel, and the rule when it is used.

On a GPU a pass over N × m numbers takes the time of reading and writing them. Without the fused pass a layer makes

    for a bias         one pass, which writes the bias to the rows of the product, and one more reading by the product
    for an activation  the passes of its entry in sweepengine.activations, from none (identity) to five (erf)

The fused pass is a single one. It is used if there is a bias or the activation takes two passes or more, and if the
activation has a kernel. The backward stage (a signal times φ') and φ times the residuals take one pass each for every
activation, so they are not fused.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from sweepengine.activations import entry_of

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks.triton_activations import FusedLayer


def is_fused(activation: str, device: torch.device, dtype: torch.dtype, *, biased: bool) -> bool:
    """Whether the fused pass saves passes and is available: on CUDA, in float32, for an activation with a kernel."""
    entry = entry_of(activation)
    saves = entry.kernel is not None and (biased or entry.passes > 1)
    return saves and device.type == "cuda" and dtype == torch.float32 and find_spec("triton") is not None


def fused_layer(activation: str, like: Tensor, *, biased: bool) -> FusedLayer | None:
    """The fused pass for arrays with the device and dtype of ``like``; None if the plain passes are to be used.

    Raises
    ------
    RunError
        The fused pass and the plain passes do not agree on this device.
    """
    if not is_fused(activation, like.device, like.dtype, biased=biased):
        return None
    from sweepengine.networks.triton_activations import checked_layer

    return checked_layer(activation, like.device)
