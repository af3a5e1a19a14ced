"""The benchmark of a GPU runs on a CPU as far as a CPU goes, and says so where there is none."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parent.parent


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("networks_gpu", ROOT / "benchmarks" / "networks_gpu.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "networks_gpu", module)
    spec.loader.exec_module(module)
    return module


def test_the_tables_have_what_a_cpu_can_do(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["networks_gpu.py", "--device", "cpu", "--runs", "2", "--width", "16", "--repeats", "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert benchmark.main() == 0
    said = capsys.readouterr().out
    assert said.count("float32") == 6  # four rates, two agreements
    assert said.count("float64") == 3
    assert "-: not measured" in said
    benchmark.ALLOWED["float32"] = 1e-9
    assert benchmark.main() == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_a_gpu_nothing_is_measured(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["networks_gpu.py"])
    assert benchmark.main() == 0
    assert capsys.readouterr().out == "not measured: no CUDA device\n"
