"""An activation and a data set that tests add to the tables: each is what docs/extending.md has one write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from sweepengine.activations import ActivationEntry
from sweepengine.data import Dataset
from sweepengine.networks import Activation
from sweepengine.spec import DataSection

if TYPE_CHECKING:
    from torch import Tensor


def _swish(h: Tensor) -> tuple[Tensor, Tensor]:
    gate = torch.sigmoid(h)
    return h * gate, gate * (1 + h * (1 - gate))


SWISH = Activation(_swish)
PLAIN = ActivationEntry(torch=f"{__name__}:SWISH", passes=6, kernel=None, parity="none", kinks=(), degree=None)
"""φ(h) = h/(1 + exp(−h)), without a fused kernel."""
FUSED = ActivationEntry(
    torch=f"{__name__}:SWISH",
    passes=6,
    kernel="tests.support.added_kernel:swish",
    parity="none",
    kinks=(),
    degree=None,
)
"""The same with one."""


class LineData(DataSection):
    """Points on a line with y = x."""

    loader = f"{__name__}:load_line"
    fresh_points = f"{__name__}:fresh_line"
    name: Literal["line"]
    n_train: Annotated[int, Field(ge=2)]


def load_line(spec: LineData) -> Dataset:
    """Evenly spaced points of [−1, 1]; the test points are the training points."""
    x = np.linspace(-1, 1, spec.n_train)
    return Dataset(f"line{spec.n_train:012d}", x[:, None], x, x[:, None], x, f"{spec.n_train} points on a line")


def fresh_line(spec: LineData, seed: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """New points, moved along the line."""
    x = np.linspace(-1, 1, spec.n_train) + 0.01 * (seed + step)
    return x[:, None], x
