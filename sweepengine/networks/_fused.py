"""Where the elementwise stage of a layer is one kernel.

On a GPU a pass over N × m numbers costs what reading and writing them costs. The forward stage of a layer makes

    a bias             1 pass (the product begins from rows that were written first) and one more reading by the product
    an activation      as many as its entry in sweepengine.activations says, from none (identity) to eleven (gelu)

passes, and one where it is fused: so it is where there is a bias or an activation of two passes or more, if the activation
has a kernel. The backward stage, a signal times φ', is one pass for every activation, and so is φ times the residuals:
neither is fused.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from sweepengine.activations import ACTIVATIONS

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks.triton_activations import FusedLayer


def is_fused(activation: str, device: torch.device, dtype: torch.dtype, *, biased: bool) -> bool:
    """Whether a fused pass saves something, and is there: on CUDA, in float32, for an activation that has a kernel."""
    entry = ACTIVATIONS[activation]
    saves = entry.kernel is not None and (biased or entry.passes > 1)
    return saves and device.type == "cuda" and dtype == torch.float32 and find_spec("triton") is not None


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
