"""The fused kernels, in a process of their own: whether Triton interprets is decided when it is first imported."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sweepengine import particles as pt
from tests.support.texts import says

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed here")


def run(arguments: list[str], where: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(pt.__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=where,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment},
    )


@needs_triton
def test_the_kernels_in_the_interpreter() -> None:
    workers = [str(Path(__file__).with_name(name)) for name in ("triton_worker.py", "triton_noise_worker.py")]
    found = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", *workers], TRITON_INTERPRET="1")
    assert found.returncode == 0, found.stdout + found.stderr
    assert says(found.stdout, "51 passed in")


@needs_triton
def test_the_kernels_compile_for_a_device_that_is_not_here(tmp_path: Path) -> None:
    """The interpreter takes more than the compiler does."""
    script = str(Path(__file__).with_name("triton_compile.py"))
    found = run(["-W", "error", script], tmp_path, TRITON_INTERPRET="0", TRITON_CACHE_DIR=str(tmp_path))
    assert found.returncode == 0, found.stderr
    assert found.stdout == "compiled\n"


class OnCuda(torch.Tensor):
    is_cuda = True


def test_noise_on_a_device_without_triton_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "sweepengine.particles._triton_noise", raising=False)
    with pytest.raises(pt.ParameterError, match=r"on cuda and .*triton.*: install triton"):
        pt.Noise(0).draw(0, slice(0, 2), torch.empty(2, 3).as_subclass(OnCuda))
