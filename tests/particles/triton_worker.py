"""The fused kernels in Triton's interpreter against the torch path in float64; run by test_triton.py as a process."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
import torch

from sweepengine import particles as pt
from sweepengine.activations import ACTIVATIONS
from sweepengine.errors import RunError
from sweepengine.networks import activation as phi_of
from sweepengine.particles import FusedNeuron, _fused
from tests.support import added

if TYPE_CHECKING:
    from collections.abc import Iterator

FUSED = [name for name, entry in ACTIVATIONS.items() if entry.kernel is not None]
COUNT, N, D = 2 * 128 + 7, 71, 5  # ends of blocks and of tiles in both directions
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
    for place, activation in enumerate(sorted(FUSED)):
        for variant in VARIANTS if activation in {"relu", "tanh"} else [VARIANTS[place % len(VARIANTS)]]:
            unit = pt.Neuron(D, activation, **variant)  # type: ignore[arg-type]
            fused = FusedNeuron(D, activation, **variant)  # type: ignore[arg-type]
            cloud = pt.gaussian_cloud(2, COUNT, unit.coordinates, torch.float32)
            prepared, exact = unit.prepare(INPUTS), unit.prepare(INPUTS).double()
            total, pull = unit.total(cloud.double(), exact), unit.pull(exact, WEIGHTS.double())(cloud.double())
            assert error(fused.total(cloud, prepared), total) < 3e-6, (activation, variant)
            assert error(fused.pull(prepared, WEIGHTS)(cloud), pull) < 3e-6, (activation, variant)
            # Twin: an error of a thousandth in the slopes' weights would be seen.
            assert error(fused.pull(prepared, WEIGHTS * 1.001)(cloud), pull) > 3e-6 or not pull.any()


@pytest.mark.parametrize("d", [65, 129])
def test_wide_particles_have_tiles_of_their_own(d: int) -> None:
    x, cloud = pt.gaussian_cloud(1, 9, d, torch.float32), pt.gaussian_cloud(2, 70, d + 1, torch.float32)
    unit, fused = pt.Neuron(d, "relu", input_scale=d**-0.5), FusedNeuron(d, "relu", input_scale=d**-0.5)
    prepared, weights = unit.prepare(x), WEIGHTS[:9]
    assert error(fused.total(cloud, prepared), unit.total(cloud.double(), prepared.double())) < 3e-6
    assert error(fused.pull(prepared, weights)(cloud), unit.pull(prepared, weights)(cloud)) < 3e-6


def test_a_flow_by_the_kernels_is_that_of_the_torch_path() -> None:
    cloud = pt.gaussian_cloud(2, COUNT, D + 1, torch.float32)
    ends = []
    for kind in (pt.Neuron, pt.FusedNeuron):
        functional = pt.Functional([pt.Risk(kind(D, "relu"), INPUTS, INPUTS[:, 0].sin()), pt.ridge(0.1)])
        ends.append(pt.flow(functional, cloud, step_size=0.1, steps=5, partition=pt.Partition(100)).final())
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "abs", "sin"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_look_before_use_sees_a_wrong_kernel(
    activation: str, variant: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = torch.device("cpu")
    unit = FusedNeuron(40, activation, **variant)  # type: ignore[arg-type]
    assert _fused.checked.__wrapped__(unit, here, "none") is unit
    monkeypatch.setattr(_fused, "Neuron", lambda **given: pt.Neuron(**given | {"scale": 1.001 * given["scale"]}))
    monkeypatch.setattr(_fused, "fields", lambda _: fields(pt.Neuron))
    with pytest.raises(
        RunError, match=f"the fused kernels of {activation} are 0.00.* away from the plain passes on cpu"
    ):
        _fused.checked.__wrapped__(unit, here, "none")


@pytest.mark.usefixtures("_in_tf32")
def test_the_look_allows_tf32_what_it_rounds() -> None:
    unit, here = FusedNeuron(40, "relu"), torch.device("cpu")
    assert _fused.checked.__wrapped__(unit, here, "tf32") is unit
    with pytest.raises(RunError, match="away from the plain passes"):
        _fused.checked.__wrapped__(unit, here, "ieee")


def test_nan_stays_nan() -> None:
    cloud = pt.gaussian_cloud(2, 3, D + 1, torch.float32)
    cloud[1, 0] = torch.nan
    for activation in sorted(FUSED):
        fused = FusedNeuron(D, activation)
        assert fused.total(cloud, fused.prepare(INPUTS)).isnan().any(), activation


def test_what_the_kernels_cannot_do_is_said() -> None:
    with pytest.raises(pt.ParameterError, match=r"found activation .*use Neuron for others"):
        FusedNeuron(D, lambda h: (h, torch.ones_like(h)))
    with pytest.raises(
        pt.ParameterError, match=r"found activation 'staircase'; fused are abs, cos, .*use Neuron for others"
    ):
        FusedNeuron(D, "staircase")
    with pytest.raises(pt.ParameterError, match="use Neuron for more"):
        FusedNeuron(257)
    fused = FusedNeuron(D)
    with pytest.raises(pt.ParameterError, match=r"torch.float64; the fused kernels take float32"):
        fused.total(torch.ones(3, D + 1, dtype=torch.float64), INPUTS.double())
    with pytest.raises(pt.ShapeError, match="this unit has 6"):
        fused.total(torch.ones(3, D), INPUTS)


def nearest(x: torch.Tensor) -> torch.Tensor:
    """To 10 bits, in float64 from end to end."""
    mantissa, exponent = torch.frexp(x.double())
    return torch.ldexp(torch.floor(mantissa.abs() * 2048 + 0.5) / 2048 * mantissa.sign(), exponent)


def cut(x: torch.Tensor) -> torch.Tensor:
    mantissa, exponent = torch.frexp(x.double())
    return torch.ldexp(torch.trunc(mantissa * 2048) / 2048, exponent)


@pytest.fixture
def _in_tf32() -> Iterator[None]:
    """As within matmul_precision, on a device that has it."""
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    yield
    torch.backends.cuda.matmul.fp32_precision = "none"


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.usefixtures("_in_tf32")
def test_tf32_rounds_every_factor_to_the_nearest(activation: str) -> None:
    """The interpreter's products keep all bits, so what is seen here is the rounding before them."""
    fused = FusedNeuron(D, activation)
    cloud = pt.gaussian_cloud(2, COUNT, D + 1, torch.float32)
    found, pull = fused.total(cloud, INPUTS), fused.pull(INPUTS, WEIGHTS)(cloud)
    for factor in (nearest, cut):  # twin: factors that are cut, as tensor cores do by themselves
        w, x, a = factor(cloud[:, :D]), factor(INPUTS), cloud[:, D:].double()
        phi, slope = phi_of(activation)(w @ x.T)
        signal = factor((slope * WEIGHTS.double()).float())
        exact = (a * phi).sum(0), a * (signal @ x), phi @ WEIGHTS.double()
        fits = [error(*pair) for pair in zip((found, pull[:, :D], pull[:, D]), exact, strict=True)]
        assert max(fits) < 2e-5 if factor is nearest else min(fits) > 1e-4, (factor, fits)
    cloud[0, 0], cloud[1, 0] = torch.nan, torch.tensor(-1, dtype=torch.int32).view(torch.float32)  # all bits are set
    assert fused.pull(INPUTS, WEIGHTS)(cloud)[:2, 1:].isnan().any(1).all()
    assert fused.pull(INPUTS, WEIGHTS * torch.nan)(cloud[2:]).isnan().all()


def test_softplus_keeps_its_digits_far_below_zero() -> None:
    unit = FusedNeuron(1, "softplus", output="none")
    for h in (-80.0, -20.0, -9.0, -1.0, -1e-3, 0.0, 2.0, 30.0):
        at = torch.tensor([[h]])
        exact = torch.nn.functional.softplus(at.double(), threshold=1e3)
        torch.testing.assert_close(unit.total(at, torch.ones(1, 1)), exact[0], rtol=3e-7, atol=0)


def test_kernels_run_on_the_device_of_their_particles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of :class:`Partition` starts on the first device, wherever the particles lie."""
    seen: list[torch.Tensor] = []

    def device_of(tensor: torch.Tensor) -> AbstractContextManager[None]:
        seen.append(tensor)
        return nullcontext()

    monkeypatch.setattr(torch.cuda, "device_of", device_of)
    cloud, fused = pt.gaussian_cloud(2, COUNT, D + 1, torch.float32), FusedNeuron(D)
    fused.total(cloud, INPUTS)
    fused.pull(INPUTS, WEIGHTS)(cloud)
    assert len(seen) == 2
    assert all(each is cloud for each in seen)


def test_an_added_activation_is_fused_where_its_entry_names_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "swish", added.PLAIN)
    with pytest.raises(pt.ParameterError, match=r"found activation 'swish'; fused are abs, .*use Neuron for others"):
        FusedNeuron(D, "swish")
    monkeypatch.setitem(ACTIVATIONS, "swish", added.FUSED)
    unit = FusedNeuron(D, "swish")
    assert _fused.checked.__wrapped__(unit, torch.device("cpu"), "none") is unit
