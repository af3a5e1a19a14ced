"""The fused kernels in Triton's interpreter against the torch path in float64; run by test_triton.py as a process."""

from __future__ import annotations

import pytest
import torch

from sweepengine import particles as pt
from sweepengine.networks import ACTIVATIONS
from sweepengine.particles._triton import FUSED, ROWS, FusedNeuron

COUNT, N, D = 2 * ROWS + 7, 71, 5  # ends of blocks and of tiles in both directions
INPUTS = pt.gaussian_cloud(1, N, D, torch.float32)
WEIGHTS = pt.gaussian_cloud(3, N, 1, torch.float32)[:, 0] / N
VARIANTS: list[dict[str, object]] = [
    {},
    {"output": "tanh", "bias": True, "bias_scale": 0.4},
    {"output": "none", "scale": 0.7},
    {"frozen": "input", "input_scale": 0.9},
    {"frozen": "output", "bias": True, "output": "tanh"},
]


def error(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found - exact).abs().max() / exact.abs().max().clamp_min(1e-3))


def test_every_activation_is_that_of_the_torch_path() -> None:
    assert set(ACTIVATIONS) == FUSED
    for place, activation in enumerate(sorted(FUSED)):
        for variant in VARIANTS if activation in {"relu", "tanh"} else [VARIANTS[place % len(VARIANTS)]]:
            unit = pt.Neuron(D, activation, **variant)  # type: ignore[arg-type]
            fused = FusedNeuron(D, activation, **variant)  # type: ignore[arg-type]
            cloud = pt.gaussian_cloud(2, COUNT, unit.coordinates, torch.float32)
            prepared, exact = unit.prepare(INPUTS), unit.prepare(INPUTS).double()
            total, pull = unit.total(cloud.double(), exact), unit.pull(cloud.double(), exact, WEIGHTS.double())
            assert error(fused.total(cloud, prepared), total) < 3e-6, (activation, variant)
            assert error(fused.pull(cloud, prepared, WEIGHTS), pull) < 3e-6, (activation, variant)
            # Twin: an error of a thousandth in the slopes' weights would be seen.
            assert error(fused.pull(cloud, prepared, WEIGHTS * 1.001), pull) > 3e-6 or not pull.any()


def test_a_flow_by_the_kernels_is_that_of_the_torch_path() -> None:
    cloud = pt.gaussian_cloud(2, COUNT, D + 1, torch.float32)
    ends = []
    for kind in (pt.Neuron, pt.FusedNeuron):
        functional = pt.Functional([pt.Risk(kind(D, "relu"), INPUTS, INPUTS[:, 0].sin()), pt.ridge(0.1)])
        ends.append(pt.flow(functional, cloud, step_size=0.1, steps=5, passes=pt.Passes(100)).final())
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-5, atol=1e-5)


def test_nan_stays_nan() -> None:
    cloud = pt.gaussian_cloud(2, 3, D + 1, torch.float32)
    cloud[1, 0] = torch.nan
    for activation in sorted(FUSED):
        fused = FusedNeuron(D, activation)
        assert fused.total(cloud, fused.prepare(INPUTS)).isnan().any(), activation


def test_what_the_kernels_cannot_do_is_said() -> None:
    with pytest.raises(pt.ParameterError, match=r"found activation .*use Neuron for others"):
        FusedNeuron(D, lambda h: (h, torch.ones_like(h)))
    with pytest.raises(pt.ParameterError, match="use Neuron for more"):
        FusedNeuron(257)
    fused = FusedNeuron(D)
    with pytest.raises(pt.ParameterError, match=r"torch.float64; the fused kernels take float32"):
        fused.total(torch.ones(3, D + 1, dtype=torch.float64), INPUTS.double())
    with pytest.raises(pt.ShapeError, match="this unit has 6"):
        fused.total(torch.ones(3, D), INPUTS)
