"""Compile the kernels for a device that is not here and look at what came out; run by test_triton.py as a process."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
import triton
from triton.backends import nvidia
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from sweepengine import particles as pt
from sweepengine.particles import _triton, _triton_noise

TYPES = {
    **dict.fromkeys(("points", "inputs", "sums", "weights", "gradient", "out"), "*fp32"),
    **dict.fromkeys(("row", "end", "left", "seed", "place"), "i64"),
}


def compiled(kernel: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Everything that Triton makes for compute capability 9.0."""
    names = [each.name for each in kernel.params]
    constants = {name: options[name] for name in names if name.isupper()}
    types = {name: "constexpr" if name in constants else TYPES.get(name, "i32") for name in names}
    source = ASTSource(kernel, types, constexprs={(names.index(name),): value for name, value in constants.items()})
    how = {name: value for name, value in options.items() if name.islower()}
    asm: dict[str, Any] = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=how).asm
    return asm


def stack(cubin: bytes) -> int:
    """Bytes of a thread that lie outside the registers."""
    path = Path("kernel.cubin")  # in the directory of this process
    path.write_bytes(cubin)
    tool = Path(next(iter(nvidia.__path__))) / "bin" / "cuobjdump"
    told = subprocess.run([tool, "--dump-resource-usage", path], capture_output=True, text=True, check=True).stdout
    found = re.search(r"STACK:(\d+)", told)
    assert found is not None, told
    return int(found[1])


def check_neurons() -> None:
    """At the benchmark's sizes nothing is spilled, and each precision has the instructions that it says."""
    for precision, wgmma in (("ieee", False), ("tf32", True)):
        torch.backends.cuda.matmul.fp32_precision = precision
        fused = _triton.FusedNeuron(64)
        for backward, kernel in enumerate((_triton._forward, _triton._backward)):
            asm = compiled(kernel, {**fused._options(backward=bool(backward)), "FROZEN": "nothing"})
            assert stack(asm["cubin"]) == 0
            assert ("wgmma" in asm["ptx"]) == wgmma == ("tf32" in asm["ptx"])
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    spilling = {**_triton.FusedNeuron(64)._options(backward=True), "FROZEN": "nothing", "num_warps": 4}
    assert stack(compiled(_triton._backward, spilling)["cubin"]) > 0  # twin


def check_noise() -> None:
    """Wide products of integers, and constants, logarithm and root of float64."""
    ptx = compiled(_triton_noise._gaussians, _triton_noise.OPTIONS)["ptx"]
    for mark in ("mul.hi.u64", "sqrt.rn.f64", "0d401921FB54442D18", "0d3CA0000000000000"):  # 2π and 2⁻⁵³
        assert mark in ptx, mark
    assert not re.search(r"lg2|sqrt\.approx|cos\.approx|sin\.approx", ptx)


def check_that_nothing_runs_without_a_device() -> None:
    with pytest.raises(pt.ParameterError, match="found particles on cpu; the fused kernels run on cuda: use Neuron"):
        _triton.FusedNeuron(2).total(torch.ones(3, 3), torch.ones(4, 2))


if __name__ == "__main__":
    check_neurons()
    check_noise()
    check_that_nothing_runs_without_a_device()
    print("compiled")
