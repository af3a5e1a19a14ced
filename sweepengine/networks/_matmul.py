"""How exactly float32 matrices are multiplied: in full, or faster from rounded factors where a spec asks for that.

PyTorch keeps this in global settings, one for each kind of device. Here they hold within a scope, and what a device then
does is looked at: not every device has every one of them, and PyTorch multiplies in full, silently, where one is missing.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from sweepengine.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

MATMULS = {"full": "ieee", "tf32": "tf32", "bf16": "bf16"}
"""Names that a spec uses → those of PyTorch. TF32 rounds factors to 10 binary digits after the point, bf16 to 7; both add
the products up in float32."""
_CPU: Any = torch.backends.mkldnn
_CUDNN: Any = torch.backends.cudnn
_BACKENDS: dict[str, tuple[Any, ...]] = {
    "cpu": (_CPU.matmul, _CPU.conv, _CPU.rnn),
    "cuda": (torch.backends.cuda.matmul, _CUDNN.conv, _CUDNN.rnn),
}
"""Convolutions and recurrent layers of users' models are products too, and PyTorch makes those of a GPU in TF32 unless told."""
_PROBE = 512
"""Side of the product that is looked at: libraries may multiply small matrices in full in any case."""


@contextmanager
def matmul_precision(name: str, device: torch.device) -> Iterator[None]:
    """Multiply float32 matrices on a device as ``name`` says, those elsewhere in full; restored afterwards.

    Parameters
    ----------
    name : {"full", "tf32", "bf16"}
        ``full`` holds whatever the process had chosen before.
    device : torch.device

    Raises
    ------
    RunError
        The device does not multiply so.
    """
    before = [(backend, backend.fp32_precision) for backends in _BACKENDS.values() for backend in backends]
    try:
        for kind, backends in _BACKENDS.items():
            for backend in backends:
                _choose(backend, MATMULS[name if kind == device.type else "full"])
        found = _measured(name, device)
        if found != name:
            raise RunError(_refusal(name, found, device))
        yield
    finally:
        for backend, precision in before:
            backend.fp32_precision = "none"
            if backend.fp32_precision != precision:  # else it follows PyTorch's general setting, as before
                backend.fp32_precision = precision


def _choose(backend: Any, precision: str) -> None:
    try:
        backend.fp32_precision = precision
    except RuntimeError:  # a kind of device that PyTorch knows to be without it
        backend.fp32_precision = MATMULS["full"]


@cache
def _measured(_name: str, device: torch.device) -> str:
    """What products do on a device, as it is set now for a name."""
    return rounding(torch.mm, device)


def rounding(product: Callable[[Tensor, Tensor], Tensor], device: torch.device) -> str:
    """Which of :data:`MATMULS` a product is, by what it leaves of 1 + 2⁻⁹ and 1 + 2⁻¹²."""
    factors = torch.ones(_PROBE, _PROBE, dtype=torch.float32, device=device)
    factors[0] += 2.0**-9
    factors[1] += 2.0**-12
    left = product(factors, torch.eye(_PROBE, dtype=torch.float32, device=device))
    of_tf32, of_full = (left[:2] > 1).all(1).tolist()
    return "full" if of_full else "tf32" if of_tf32 else "bf16"


def _refusal(name: str, found: str, device: torch.device) -> str:
    if name == "full":
        return (
            f"matmul: found full, but something outside of PyTorch makes {device.type} multiply in {found}; undo it "
            "(NVIDIA_TF32_OVERRIDE in the environment, for one)"
        )
    return (
        f"matmul: found {name}, but {device.type} multiplies in {found} here; set matmul: full, or take a device that has "
        f"{name} (tf32: GPUs from compute capability 8.0 on; bf16: CPUs with AMX)"
    )
