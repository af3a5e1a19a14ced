"""The Triton function of the activation that tests add."""

from typing import Any

import triton
import triton.language as tl


@triton.jit
def swish(h: Any) -> Any:
    gate = 1.0 / (1.0 + tl.exp(-h))
    return h * gate, gate * (1.0 + h * (1.0 - gate))
