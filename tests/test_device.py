"""Where tasks compute. No GPU is needed: every tensor must name its device, and a missing GPU must be said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.errors import SpecError
from sweepengine.execute import _pack
from sweepengine.observe import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")


@NO_GPU
@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_gpu_that_is_not_there_is_said_before_anything_is_written(
    executor: str, tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(json.dumps(tiny()))
    command = [sys.executable, "-m", "sweepengine", "run", "tiny.yaml", "--executor", executor, "--device", "cuda"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)
    assert found.returncode == 1, found.stderr
    assert re.fullmatch(r"error: device: found cuda, but .*; use cpu or auto\n", found.stderr)
    assert not (tmp_path / "results").exists()


def test_devices_have_names(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="device: found 'tpu'; allowed: 'auto', 'cpu', 'cuda'"):
        sweepengine.run(tiny(), tmp_path / "x.zarr", executor="inline", device="tpu")  # type: ignore[arg-type]


@pytest.fixture
def _strangers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While a task runs, a tensor that names no device lands on one that holds no numbers."""
    advance = _pack._ChunkJob.events

    def with_strangers(job: Any) -> Iterator[Any]:
        torch.set_default_device("meta")
        try:
            yield from advance(job)
        finally:
            torch.set_default_device("cpu")

    monkeypatch.setattr(_pack._ChunkJob, "events", with_strangers)
    yield
    torch.set_default_device("cpu")


@pytest.mark.parametrize(
    ("method", "turn"),
    [("gd", 1), ("gd", 4), ({"name": "momentum", "beta": 0.5, "batch_size": 5}, 1), ("heun", 2), ("rk45", 1)],
)
@pytest.mark.usefixtures("_strangers")
def test_every_tensor_of_a_network_names_its_device(
    method: Any, turn: int, tiny: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    observed = [name for name, each in VARIABLES.items() if method != "momentum" and not each.needs_closed_form]
    content = tiny(
        network={"depth": 2, "sigma_b": 0.3, "output_bias": True, "centred": True},
        training={"method": method},
        axes={"width": [8], "seed": 2},
        observables=observed,
    )
    outcome = sweepengine.run(content, tmp_path / "a.zarr", executor="inline", runs_per_turn=turn, device="cpu")
    assert outcome.done == outcome.runs
    assert np.isfinite(sweepengine.open_sweep(tmp_path / "a.zarr").kernel).all()


@pytest.mark.usefixtures("_strangers")
def test_the_test_of_devices_can_fail(
    tiny: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweepengine.execute._turn.loss", lambda *_, **__: torch.zeros(1))
    outcome = sweepengine.run(tiny(), tmp_path / "a.zarr", executor="inline")
    assert outcome.failed == outcome.runs
