"""The fused kernels, in a process of their own: whether Triton interprets is decided when it is first imported."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweepengine import particles as pt

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed here")


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(pt.__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment},
    )


@needs_triton
def test_the_kernels_in_the_interpreter() -> None:
    worker = Path(__file__).with_name("triton_worker.py")
    found = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", str(worker)], TRITON_INTERPRET="1")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "4 passed" in found.stdout


COMPILE = """
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from sweepengine.particles import _triton

torch.backends.cuda.matmul.fp32_precision = "tf32"
for kernel, more in ((_triton._forward, {}), (_triton._backward, {"FROZEN": "nothing"})):
    options = {**_triton.FusedNeuron(8)._options(), **more}
    names = [each.name for each in kernel.params]
    assert options["PRECISION"] == "tf32"
    compiled = {name: options.pop(name) for name in names if name.isupper()}
    pointers = {"points", "inputs", "sums", "weights", "gradient"}
    types = {n: "constexpr" if n in compiled else "*fp32" if n in pointers else "i32" for n in names}
    source = ASTSource(kernel, types, constexprs={(names.index(name),): value for name, value in compiled.items()})
    print(len(triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["cubin"]) > 0)
_triton.FusedNeuron(2).total(torch.ones(3, 3), torch.ones(4, 2))
"""


@needs_triton
def test_the_kernels_compile_for_a_device_that_is_not_here(tmp_path: Path) -> None:
    """The interpreter takes more than the compiler does. Without a device they do not run, and say so."""
    found = run(["-W", "error", "-c", COMPILE], TRITON_INTERPRET="0", TRITON_CACHE_DIR=str(tmp_path))
    assert found.stdout == "True\nTrue\n", found.stderr
    assert "found particles on cpu; the fused kernels run on cuda: use Neuron" in found.stderr
