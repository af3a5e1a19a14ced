"""The neuron by two fused Triton kernels: particles stay in registers, activations never reach the device's memory.

This module is imported only on demand, because Triton is no requirement. Each program takes a block of particles
through all inputs. The forward kernel stores N sums over the particles of a block, and torch adds the blocks in float64
and in order, so that the bits do not depend on the schedule. The backward kernel stores the gradients. With
TRITON_INTERPRET=1 in the environment before this import, the kernels run slowly on a CPU, in Triton's interpreter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from sweepengine.activations import ACTIVATIONS
from sweepengine.networks.triton_activations import kernel_of, tanh_value
from sweepengine.particles._errors import ParameterError, ShapeError
from sweepengine.particles._fusible import refusal
from sweepengine.particles._unit import Neuron

WARPS = 8
"""Warps that share one tile of particles and inputs."""
TILES = {
    "ieee": {64: (128, 32, 16), 128: (64, 32, 32), 256: (32, 32, 16)},
    "tf32": {64: (128, 64, 64), 128: (128, 32, 32), 256: (64, 32, 32)},
}
"""Precision → largest number of inner coordinates → (particles of a tile, inputs of a forward and a backward tile).

The tiles are the largest that ptxas places without spilling registers for compute capability 9.0, except that backward
in TF32 some words are spilled beyond 64 coordinates. They are fixed and not tuned on the device that runs them, because
the bits of a sum depend on its tile."""


@triton.jit
def _nearest(x):
    """Round to TF32's 10 bits, ties away from zero; tensor cores cut the other bits off, which biases factors to 0."""
    bits = (x.to(tl.int32, bitcast=True) + 0x1000) & -0x2000
    return tl.where(x == x, bits.to(tl.float32, bitcast=True), x)  # a NaN's bits may overflow to a zero's


@triton.jit
def _signal(slope, r, UNIT_SLOPES: tl.constexpr, PRECISION: tl.constexpr):
    """φ'(h) times the weights of the inputs, as a factor of a product in this precision."""
    if PRECISION != "tf32":
        return slope * r
    elif UNIT_SLOPES:
        return slope * _nearest(r)  # slopes of −1, 0 and 1 keep r rounded: no rounding for every particle
    else:
        return _nearest(slope * r)


@triton.jit
def _tile(
    points,
    stride,
    count,
    inner,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    OUTPUT: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Row numbers of this program, whether the rows exist, their (w, b) as a factor, and s(a); 0 in missing rows."""
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    live = rows < count
    columns = tl.arange(0, WIDTH)
    places = points + rows[:, None] * stride + columns[None, :]
    w = tl.load(places, mask=live[:, None] & (columns < inner)[None, :], other=0.0)
    if PRECISION == "tf32":
        w = _nearest(w)
    if OUTPUT == "none":
        a = tl.where(live, 1.0, 0.0)
    else:
        a = tl.load(points + rows * stride + inner, mask=live, other=0.0)
        if OUTPUT == "tanh":
            a = tanh_value(a)
    return rows, live, w, a


@triton.jit
def _inputs(inputs, start, number, inner, WIDTH: tl.constexpr, COLUMNS: tl.constexpr):
    places = start + tl.arange(0, COLUMNS)
    columns = tl.arange(0, WIDTH)
    mask = (places < number)[:, None] & (columns < inner)[None, :]
    rows = inputs + places.to(tl.int64)[:, None] * inner
    return places, tl.load(rows + columns[None, :], mask=mask, other=0.0)


@triton.jit
def _forward(
    points,
    stride,
    count,
    inputs,
    number,
    inner,
    sums,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PAIR: tl.constexpr,
    OUTPUT: tl.constexpr,
    PRECISION: tl.constexpr,
):
    _rows, _live, w, a = _tile(points, stride, count, inner, WIDTH, ROWS, OUTPUT, PRECISION)
    out = sums + tl.program_id(0).to(tl.int64) * number
    for start in range(0, number, COLUMNS):
        places, x = _inputs(inputs, start, number, inner, WIDTH, COLUMNS)
        h = tl.dot(w, tl.trans(x), input_precision=PRECISION)
        phi, _slope = PAIR(h)
        tl.store(out + places, tl.sum(phi * a[:, None], 0), mask=places < number)


@triton.jit
def _backward(
    points,
    stride,
    count,
    inputs,
    number,
    inner,
    weights,
    gradient,
    gradient_stride,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PAIR: tl.constexpr,
    UNIT_SLOPES: tl.constexpr,
    OUTPUT: tl.constexpr,
    FROZEN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    rows, live, w, a = _tile(points, stride, count, inner, WIDTH, ROWS, OUTPUT, PRECISION)
    through = tl.zeros((ROWS, WIDTH), dtype=tl.float32)
    total = tl.zeros((ROWS,), dtype=tl.float32)
    for start in range(0, number, COLUMNS):
        places, x = _inputs(inputs, start, number, inner, WIDTH, COLUMNS)
        r = tl.load(weights + places, mask=places < number, other=0.0)
        phi, slope = PAIR(tl.dot(w, tl.trans(x), input_precision=PRECISION))
        total += tl.sum(phi * r[None, :], 1)
        through += tl.dot(_signal(slope, r[None, :], UNIT_SLOPES, PRECISION), x, input_precision=PRECISION)
    columns = tl.arange(0, WIDTH)
    out = gradient + rows * gradient_stride
    pulled = through * a[:, None]
    if FROZEN == "input":
        pulled = through * 0.0
    tl.store(out[:, None] + columns[None, :], pulled, mask=live[:, None] & (columns < inner)[None, :])
    if OUTPUT != "none":
        if OUTPUT == "tanh":
            total = total * (1.0 - a * a)
        if FROZEN == "output":
            total = total * 0.0
        tl.store(out + inner, total, mask=live)


@dataclass(frozen=True)
class FusedNeuron(Neuron):
    """A :class:`Neuron` whose outputs and gradients come from the fused kernels: float32 particles on a CUDA device.

    Give :class:`Partition` chunks of about a million particles: the memory of a chunk is N numbers for every tile of
    particles, whose size :data:`TILES` lists. Inner coordinates are padded with zeros to a power of two, so that d = 64
    with a bias costs as much as d = 128. Products are computed in full float32, or in TF32 where PyTorch is set to
    TF32, as within :func:`sweepengine.networks.matmul_precision`: both factors are rounded to 10 bits, and sums are
    float32.

    Raises
    ------
    ParameterError
        The activation has no kernel or is a function, or the inner coordinates do not fit the registers; such neurons
        need :class:`Neuron`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        why = refusal(self)
        if why is not None:
            raise ParameterError(why)

    @property
    def input_precision(self) -> str:
        """Triton's name of the precision to which PyTorch's products are set."""
        return "tf32" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "ieee"

    def total(self, chunk: Tensor, prepared: Tensor) -> Tensor:
        """Σ_k ψ(θ_k; x_i); shape (N,), float64."""
        options = self._options(backward=False)
        blocks = triton.cdiv(len(chunk), options["ROWS"])
        sums = chunk.new_empty((blocks, len(prepared)))
        with torch.cuda.device_of(chunk):  # Triton launches on the thread's current device
            _forward[(blocks,)](*self._arguments(chunk, prepared), sums, **options)
        return sums.sum(0, dtype=torch.float64) * self.scale

    def pull(self, prepared: Tensor, weights: Tensor) -> Callable[[Tensor], Tensor]:
        """∇_θ Σ_i weights_i ψ(θ; x_i) at points (n, p), shape (n, p)."""
        scaled = (weights * self.scale).contiguous()
        options = self._options(backward=True)

        def gradient(points: Tensor) -> Tensor:
            out = torch.empty_like(points, memory_format=torch.contiguous_format)
            arguments = self._arguments(points, prepared)
            blocks = triton.cdiv(len(points), options["ROWS"])
            with torch.cuda.device_of(points):
                _backward[(blocks,)](*arguments, scaled, out, out.stride(0), **options)
            return out

        return gradient

    def _arguments(self, points: Tensor, prepared: Tensor) -> tuple[Any, ...]:
        if points.dtype != torch.float32 or prepared.dtype != torch.float32:
            raise ParameterError(f"found particles of {points.dtype}; the fused kernels take float32: use Neuron")
        if points.shape[1] != self.coordinates:
            raise ShapeError(f"found particles with {points.shape[1]} coordinates; this unit has {self.coordinates}")
        if not points.is_cuda and isinstance(_forward, triton.runtime.JITFunction):
            raise ParameterError(f"found particles on {points.device}; the fused kernels run on cuda: use Neuron")
        points = points.contiguous()
        prepared = (_rounded(prepared) if self.input_precision == "tf32" else prepared).contiguous()
        return points, points.stride(0), len(points), prepared, len(prepared), self.inner

    def _options(self, *, backward: bool) -> dict[str, Any]:
        width = max(16, triton.next_power_of_2(self.inner))
        name = str(self.activation)  # always a name: activations given as functions are not fused
        rows, *columns = TILES[self.input_precision][max(64, width)]
        of_slopes = {"UNIT_SLOPES": ACTIVATIONS[name].unit_slopes, "FROZEN": self.frozen or "nothing"}
        return {
            **(of_slopes if backward else {}),
            "WIDTH": width,
            "ROWS": rows,
            "COLUMNS": columns[backward],
            "PAIR": kernel_of(name),
            "OUTPUT": self.output,
            "PRECISION": self.input_precision,
            "num_warps": WARPS,
            "enable_fp_fusion": True,
        }


def _rounded(inputs: Tensor) -> Tensor:
    """The inputs rounded as by :func:`_nearest`, once and not by every program."""
    bits = (inputs.contiguous().view(torch.int32) + 0x1000) & -0x2000
    return torch.where(inputs.isnan(), inputs, bits.view(torch.float32))
