"""Precision of float32 matrix products: full, or faster with rounded factors if a spec asks for it.

PyTorch has global settings of the precision, one for each kind of device. Here a setting holds within a scope, and the
products of the device are tested: a device that lacks a precision silently multiplies in full.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
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


LARGE_PRODUCT = 1_000_000
"""Multiplications of a product from which oneDNN pays: a call of it takes ten microseconds more than one of MKL."""
_ROWS_AT_A_TIME = 512
"""Rows that count at most in whether a product is large: particles are advanced in chunks, not all at once."""
_SHAPES = ((128, 64, 512), (128, 512, 128), (512, 128, 64), (64, 1024, 1024), (1, 4096, 512), (300, 300, 37))
_DIGITS = 1e-6
"""Largest error of a product in full, as a share of the largest sum of sizes; rounded factors give 100 times
as much."""


@dataclass
class _Scope:
    """The present scope of :func:`matmul_precision`, for the whole process, as PyTorch's settings are.

    Attributes
    ----------
    asks_onednn : bool
        Whether PyTorch asks oneDNN for float32 products on a CPU. Its own setting says so too, in half a microsecond.
    in_full : str
        Kind of the device that is known to multiply in full; empty if none is.
    """

    asks_onednn: bool = False
    in_full: str = ""


_SCOPE = _Scope()


def first_product(x: Tensor, width: int) -> int:
    """Multiplications in the product of a network's first layer, or of some particles of a cloud, with points x."""
    return x.numel() * min(width, _ROWS_AT_A_TIME)


@contextmanager
def matmul_precision(name: str, device: torch.device, *, large: bool = False) -> Iterator[None]:
    """Within a scope, multiply float32 matrices on one device with a precision, and on other kinds of device in full.

    The settings from before are restored afterwards.

    Parameters
    ----------
    name : {"full", "tf32", "bf16"}
        The precision. It overrides the process's own settings, ``full`` included.
    device : torch.device
    large : bool
        Whether most products have :data:`LARGE_PRODUCT` multiplications or more: then the library that makes these the
        fastest is asked, which may be another one.

    Raises
    ------
    RunError
        The device does not multiply with this precision.
    """
    of_large = _setting_of_large_products() if large and name == "full" and device.type == "cpu" else "ieee"
    before = [(backend, backend.fp32_precision) for backends in _BACKENDS.values() for backend in backends]
    outer = _SCOPE.asks_onednn, _SCOPE.in_full
    try:
        for kind, backends in _BACKENDS.items():
            for backend in backends:
                _choose(backend, MATMULS[name if kind == device.type else "full"])
        if of_large != "ieee":
            _choose(_CPU.matmul, of_large)
        measured = _measured(name, device)
        if measured != name:
            raise RunError(_refusal(name, measured, device))
        _SCOPE.asks_onednn = _CPU.matmul.fp32_precision == MATMULS["bf16"]
        _SCOPE.in_full = device.type if name == "full" else ""
        yield
    finally:
        _SCOPE.asks_onednn, _SCOPE.in_full = outer
        for backend, precision in before:
            _restore(backend, precision)


def multiplies_in_full(device: torch.device) -> bool:
    """Whether float32 products on a device are known to be in full precision: a scope says so."""
    return device.type == _SCOPE.in_full


def asks_onednn(matrix: Tensor) -> bool:
    """Whether PyTorch asks oneDNN for products of a matrix: a call takes long, and what is large goes fast."""
    return _SCOPE.asks_onednn and matrix.is_cpu and matrix.dtype == torch.float32


def without_onednn(product: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> Tensor:
    """A product on a CPU for which PyTorch asks oneDNN, by the library that it asks for other dtypes."""
    _CPU.matmul.fp32_precision = MATMULS["full"]
    try:
        return product(a, b)
    finally:
        _CPU.matmul.fp32_precision = MATMULS["bf16"]


def _choose(backend: Any, precision: str) -> None:
    try:
        backend.fp32_precision = precision
    except RuntimeError:  # PyTorch knows that this kind of device lacks the precision
        backend.fp32_precision = MATMULS["full"]


def _restore(backend: Any, precision: str) -> None:
    backend.fp32_precision = "none"
    # Of its own a backend follows PyTorch's general setting.
    if precision != "none" and backend.fp32_precision != precision:
        backend.fp32_precision = precision


@cache
def _setting_of_large_products() -> str:
    """Setting of PyTorch under which this CPU makes large float32 products the fastest, in full precision.

    MKL leaves the AVX-512 of AMD's CPUs unused, which halves its rate; oneDNN uses it. PyTorch asks oneDNN only where
    it may round to bf16, and oneDNN rounds only on CPUs with AMX. So bf16 is allowed on an AMD CPU that has AVX-512 and
    no AMX, if products of many shapes keep their digits there.
    """
    if not has_unused_avx512(_cpu_description()):
        return MATMULS["full"]
    before = _CPU.matmul.fp32_precision
    try:
        _CPU.matmul.fp32_precision = "bf16"
        return "bf16" if all(keeps_digits(torch.mm, *shape) for shape in _SHAPES) else MATMULS["full"]
    except RuntimeError:  # PyTorch knows that this CPU lacks it
        return MATMULS["full"]
    finally:
        _restore(_CPU.matmul, before)


def _cpu_description() -> str:
    """What Linux says of this machine's first CPU; empty elsewhere."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return ""


def has_unused_avx512(description: str) -> bool:
    """Whether a CPU has AVX-512 that MKL does not use, and no AMX, by its description in ``/proc/cpuinfo``."""
    words = description.split()
    return "AuthenticAMD" in words and "avx512f" in words and not any(word.startswith("amx") for word in words)


def keeps_digits(product: Callable[[Tensor, Tensor], Tensor], rows: int, inner: int, columns: int) -> bool:
    """Whether a float32 product on a CPU has the error of sums in float32, and not that of rounded factors."""
    generator = torch.Generator().manual_seed(rows + inner + columns)
    a, b = (torch.randn(shape, generator=generator) for shape in ((rows, inner), (columns, inner)))
    expected, sizes = a.double() @ b.double().mT, a.double().abs() @ b.double().abs().mT
    found = (product(a, b.mT), product(b, a.mT).mT, product(a.mT.contiguous().mT, b.mT.contiguous()))
    return all(float((each - expected).abs().max() / sizes.max()) < _DIGITS for each in found)


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
