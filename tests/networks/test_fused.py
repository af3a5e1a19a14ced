"""The fused pass over a layer: where it is taken, how many passes it saves, and its kernels, in their own processes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sweepengine.activations import ACTIVATIONS, layer_activations
from sweepengine.networks import _fused, activation
from tests.support.texts import says
from tests.support.triton import pretend_triton

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed here")
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Operations that go over an array."""

    def __init__(self, size: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.passes, self._size = 0, size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.passes += any(each.numel() == self._size for each in tree_leaves(result))
        return result


def test_the_passes_are_those_that_are_stated() -> None:
    for name, entry in ACTIVATIONS.items():
        phi = activation(name)
        h = torch.linspace(-2, 2, 21).reshape(3, 7)
        with Counted(h.numel()) as forward:
            _, saved = phi.evaluate(h)
        signal = torch.ones(3, 7)
        with Counted(h.numel()) as backward:
            phi.multiply(signal, saved, signal)
        assert forward.passes == entry.passes, name
        assert backward.passes == (name != "identity"), name
        value, slope = phi(torch.linspace(-2, 2, 21).reshape(3, 7))
        assert torch.equal(saved, slope if phi.saves_slope else value), name


def test_it_is_taken_where_it_saves_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_triton(monkeypatch, installed=True)
    assert {name for name in layer_activations() if not _fused.is_fused(name, CUDA, torch.float32, biased=False)} == {
        "identity", "leaky_relu", "relu", "tanh"
    }  # fmt: skip
    for name in layer_activations():
        assert _fused.is_fused(name, CUDA, torch.float32, biased=True)
        for biased in (False, True):
            assert not _fused.is_fused(name, CUDA, torch.float64, biased=biased)
            assert not _fused.is_fused(name, CPU, torch.float32, biased=biased)
    assert _fused.fused_layer("gelu", torch.ones(2), biased=True) is None
    pretend_triton(monkeypatch, installed=False)
    assert not _fused.is_fused("gelu", CUDA, torch.float32, biased=True)


def test_on_a_gpu_it_is_taken_once_it_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = SimpleNamespace(checked_layer=lambda *given: given)
    monkeypatch.setitem(sys.modules, "sweepengine.networks.triton_activations", asked)
    pretend_triton(monkeypatch, installed=True)
    like: Any = SimpleNamespace(device=CUDA, dtype=torch.float32)
    taken: Any = _fused.fused_layer("gelu", like, biased=False)
    assert taken == ("gelu", CUDA)
    assert _fused.fused_layer("relu", like, biased=False) is None


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(_fused.__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment},
    )


@needs_triton
def test_the_kernel_in_the_interpreter() -> None:
    worker = Path(__file__).with_name("triton_worker.py")
    found = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", str(worker)], TRITON_INTERPRET="1")
    assert found.returncode == 0, found.stdout + found.stderr
    assert says(found.stdout, "5 passed in")


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from sweepengine.activations import layer_activations
from sweepengine.networks.triton_activations import FusedLayer, _layer

names = [each.name for each in _layer.params]
pointers = {"h", "saved", "bias"}
for activation in layer_activations():
    options = FusedLayer(activation).options(biased=True)
    fusion = {"enable_fp_fusion": options.pop("enable_fp_fusion")}
    types = {
        n: "constexpr" if n in options else "*fp32" if n in pointers else "fp32" if n == "factor" else "i32"
        for n in names
    }
    source = ASTSource(_layer, types, constexprs={(names.index(name),): value for name, value in options.items()})
    print(len(triton.compile(source, target=GPUTarget("cuda", 90, 32), options=fusion).asm["cubin"]) > 0)
"""


@needs_triton
def test_the_kernel_compiles_for_a_device_that_is_not_here(tmp_path: Path) -> None:
    found = run(["-W", "error", "-c", COMPILE], TRITON_INTERPRET="0", TRITON_CACHE_DIR=str(tmp_path))
    assert found.stdout.split() == ["True"] * len(layer_activations()), found.stderr
