"""Benchmarks run as far as a CPU goes; the fuzzer of inputs makes the same cases every time and sees a defect."""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]


def loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    return loaded("networks_gpu", monkeypatch)


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


def test_reading_gives_the_numbers_of_a_plain_loop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    reading = loaded("reading", monkeypatch)
    arguments = ["--gigabytes", "0.01", "--repeats", "1", "--blocks", "3", "--folder", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["reading.py", *arguments])
    assert reading.main() == 0
    said = capsys.readouterr().out
    assert said.count("loop / it") == 6
    assert "3 blocks of 20 variables open in" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_the_fuzzer_replays_its_cases_and_tells_what_goes_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fuzz = loaded("_fuzz_inputs", monkeypatch)
    assert [fuzz.spec_case(number) for number in range(20)] == [fuzz.spec_case(number) for number in range(20)]
    for number in (6, 7):
        contents = []
        for folder in (tmp_path / f"{number}a", tmp_path / f"{number}b"):
            folder.mkdir()
            contents.append(fuzz.npz_case(number, folder).read_bytes())
        assert contents[0] == contents[1]
    assert fuzz.try_npz(6, tmp_path) is None

    def wrong(_: Path) -> None:
        raise KeyError("depth")

    def refused(_: Path) -> None:
        raise fuzz.SweepError("two\x1b lines")

    assert fuzz._defect(wrong).startswith("KeyError: 'depth' (")
    assert "control characters" in fuzz._defect(refused)
    assert fuzz._defect(lambda folder: bytearray(folder.exists() * 2**31)).startswith(("it took 2", "it took 3"))
    monkeypatch.setattr(fuzz, "CPU_SECONDS", 1)
    assert "more than its CPU time" in fuzz._defect(lambda _: [None for _ in iter(int, 1)])
    monkeypatch.setattr(fuzz, "IDLE_SECONDS", 2)
    assert fuzz._defect(lambda _: signal.pause()) == "it has waited for 2 s"
