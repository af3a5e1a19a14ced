"""Sizes of changes in float32 are those of float64 to rounding, and no less exact where products are rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sweepengine.networks import COSTS, Inputs, _matmul, initialise, matmul_precision, network
from sweepengine.observe.measure import Moment, Problem, Recorder
from sweepengine.spec import Architecture

if TYPE_CHECKING:
    import pytest

NAMES = ("movement_relative", "movement_row_max", "movement_op", "movement_total", "movement_rms_entry")
A = Architecture(2, "relu", 1.4, 0.3, 1.4, output_bias=True)
CPU = torch.device("cpu")


def measured(precision: torch.dtype) -> dict[str, torch.Tensor]:
    """The sizes of one change, whose ends are the same float32 numbers in every precision."""
    drawn = initialise(A, 40, 12, 3, torch.float32)
    generator = torch.Generator().manual_seed(1)
    moved = drawn.map(lambda each: each + 1e-3 * torch.randn(each.shape, generator=generator))
    x = torch.randn(9, 12, generator=generator).to(precision)
    ends = [network(A, end.map(lambda each: each.to(precision)), [0.5], [1.0]) for end in (drawn, moved)]
    inputs = Inputs.prepare(x, A)
    problem = Problem(inputs, inputs, x[:, 0].sign(), x[:, 0].sign(), COSTS["mse"](), 0.1)
    first, now = (Moment(end, problem, step) for step, end in enumerate(ends))
    return Recorder("networks", NAMES, first).measure(now)


def test_changes_in_float32_have_the_sizes_of_float64() -> None:
    with matmul_precision("full", CPU):
        exact, found = measured(torch.float64), measured(torch.float32)
    for name in NAMES:
        assert found[name].dtype == torch.float64
        torch.testing.assert_close(found[name], exact[name], rtol=1e-6, atol=0)
    assert not all(torch.equal(found[name], exact[name]) for name in NAMES)  # they were taken in float32


def test_changes_are_in_float64_where_products_are_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_matmul, "_measured", lambda name, _device: name)
    exact = measured(torch.float64)
    with matmul_precision("tf32", CPU):
        found = measured(torch.float32)
    for name in NAMES:
        torch.testing.assert_close(found[name], exact[name], rtol=1e-12, atol=0)
