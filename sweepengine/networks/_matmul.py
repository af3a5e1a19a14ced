"""Precision of float32 matrix products: full, or faster with rounded factors if a spec asks for it.

PyTorch has global settings of the precision, one for each kind of device. Here a setting holds within a scope, and the
products of the device are tested: a device that lacks a precision silently multiplies in full.
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
"""Name in a spec → name in PyTorch. TF32 rounds factors to 10 binary digits after the point, bf16 to 7; both sum the
products in float32."""
_CPU: Any = torch.backends.mkldnn
_CUDNN: Any = torch.backends.cudnn
_BACKENDS: dict[str, tuple[Any, ...]] = {
    "cpu": (_CPU.matmul, _CPU.conv, _CPU.rnn),
    "cuda": (torch.backends.cuda.matmul, _CUDNN.conv, _CUDNN.rnn),
}
"""Settings of each kind of device. Convolutions and recurrent layers of users' models multiply too, by default in TF32
on a GPU."""
_PROBE = 512
"""Side of the matrices of the test: libraries may multiply small matrices in full in any case."""


@contextmanager
def matmul_precision(name: str, device: torch.device) -> Iterator[None]:
    """Within a scope, multiply float32 matrices on one device with a precision, and on other kinds of device in full.

    The settings from before are restored afterwards.

    Parameters
    ----------
    name : {"full", "tf32", "bf16"}
        The precision. It overrides the process's own settings, ``full`` included.
    device : torch.device

    Raises
    ------
    RunError
        The device does not multiply with this precision.
    """
    before = [(backend, backend.fp32_precision) for backends in _BACKENDS.values() for backend in backends]
    try:
        for kind, backends in _BACKENDS.items():
            for backend in backends:
                _choose(backend, MATMULS[name if kind == device.type else "full"])
        measured = _measured(name, device)
        if measured != name:
            raise RunError(_refusal(name, measured, device))
        yield
    finally:
        for backend, precision in before:
            backend.fp32_precision = "none"
            if backend.fp32_precision != precision:  # otherwise the backend follows PyTorch's general setting
                backend.fp32_precision = precision


def _choose(backend: Any, precision: str) -> None:
    try:
        backend.fp32_precision = precision
    except RuntimeError:  # PyTorch knows that this kind of device lacks the precision
        backend.fp32_precision = MATMULS["full"]


@cache
def _measured(_name: str, device: torch.device) -> str:
    """Precision of products on a device under the present settings, which are those for a name."""
    return rounding(torch.mm, device)


def rounding(product: Callable[[Tensor, Tensor], Tensor], device: torch.device) -> str:
    """Name in :data:`MATMULS` of a product's precision, by whether factors 1 + 2⁻⁹ and 1 + 2⁻¹² keep their digits."""
    factors = torch.ones(_PROBE, _PROBE, dtype=torch.float32, device=device)
    factors[0] += 2.0**-9
    factors[1] += 2.0**-12
    left = product(factors, torch.eye(_PROBE, dtype=torch.float32, device=device))
    of_tf32, of_full = (left[:2] > 1).all(1).tolist()
    return "full" if of_full else "tf32" if of_tf32 else "bf16"


def _refusal(name: str, measured: str, device: torch.device) -> str:
    if name == "full":
        return (
            f"matmul: found full, but something outside of PyTorch makes {device.type} multiply in {measured}; undo it "
            "(NVIDIA_TF32_OVERRIDE in the environment, for one)"
        )
    return (
        f"matmul: found {name}, but {device.type} multiplies in {measured} here; set matmul: full, or take a device "
        f"that has {name} (tf32: GPUs from compute capability 8.0 on; bf16: CPUs with AMX)"
    )
