"""The plugin of cnn.yaml: a small convolutional network on 8 × 8 pictures, and what its filters do.

sweepengine run jobs/cnn.yaml --plugin jobs/cnn.py
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

import sweepengine

if TYPE_CHECKING:
    from sweepengine.observe.measure import Moment


@sweepengine.register_model(name="cnn", version="1")
class ConvolutionalNetwork(nn.Module):
    """Two layers of 3 × 3 filters with m channels, tanh, average over places, read-out.

    All parameters are N(0, 1), so every sum is divided by the root of its number of terms, but for the last: the engine
    multiplies the output by α m^-γ, with γ = 1/2 in the NTK scaling. The infinite-width limit is then the NTK of this
    architecture, and √places keeps the average of m × places features at O(√m).
    """

    def __init__(self, width: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.side = math.isqrt(inputs)
        self.first = nn.Conv2d(1, width, kernel_size=3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.readout = nn.Linear(width, outputs, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Points (N, 64) to outputs (N, 1)."""
        pictures = x.reshape(-1, 1, self.side, self.side)
        h = torch.tanh(1.5 * self.first(pictures) / 3)
        h = torch.tanh(1.5 * self.second(h) / (3 * math.sqrt(h.shape[1])))
        averages = h.mean((2, 3)) * self.side
        out: torch.Tensor = self.readout(averages)
        return out


@sweepengine.register_observable(
    name="filter_movement",
    dims=("place",),
    sizes={"place": 9},
    long_name="root mean square change of the first layer's filters at each of their 3 x 3 places",
    version="1",
)
def filter_movement(now: Moment, start: Moment) -> torch.Tensor:
    """An observable of one's own, from the parameters that only this model has."""
    after, before = (end.network.parameters.tensors()["module.first.weight"] for end in (now, start))
    return (after - before).square().mean((0, 1)).sqrt().reshape(9)
