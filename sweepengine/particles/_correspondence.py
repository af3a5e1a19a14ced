"""The cloud of particles that a two-layer network at γ = 1 is (theory.md §5.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from sweepengine.particles._errors import ParameterError
from sweepengine.particles._unit import Neuron

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks import Parameters


class Scales(Protocol):
    """The fields of an architecture that determine its particles."""

    @property
    def depth(self) -> int: ...
    @property
    def activation(self) -> str: ...
    @property
    def sigma_w(self) -> float: ...
    @property
    def sigma_b(self) -> float: ...
    @property
    def sigma_a(self) -> float: ...
    @property
    def output_bias(self) -> bool: ...


@dataclass(frozen=True)
class Correspondence:
    """A network as particles.

    Attributes
    ----------
    unit : Neuron
        ψ = α σ_a a φ((σ_w/√d) w·x + σ_b b).
    particles : Tensor, shape (m, d + 1) or (m, d + 2)
        Rows (w, a), or (w, b, a) where the network has biases.
    speed : float
        1/α²: a step of size η of the network is a step of size η · speed of the particles.
    """

    unit: Neuron
    particles: Tensor
    speed: float


def from_network(architecture: Scales, parameters: Parameters, alpha: float = 1.0) -> Correspondence:
    """The particles of one network of one hidden layer at γ = 1.

    Parameters
    ----------
    architecture : Architecture
        Architecture of depth 1 without output bias.
    parameters : Parameters
        Parameters of one network, without the leading dimension R.
    alpha : float
        The output scale α.

    Returns
    -------
    Correspondence

    Raises
    ------
    ParameterError
        The network is no cloud of particles.
    """
    if architecture.depth != 1 or architecture.output_bias or parameters.readout.dim() != 1:
        raise ParameterError(
            f"found depth {architecture.depth}, output_bias {architecture.output_bias} and read-out of shape "
            f"{tuple(parameters.readout.shape)}; only one network of one hidden layer without output bias is a cloud"
        )
    inner = parameters.layer_matrices()[0]
    d, bias = parameters.hidden[0].shape[1], bool(parameters.biases)
    unit = Neuron(
        d,
        architecture.activation,
        bias=bias,
        scale=alpha * architecture.sigma_a,
        input_scale=architecture.sigma_w / math.sqrt(d),
        bias_scale=architecture.sigma_b,
    )
    return Correspondence(unit, torch.cat([inner, parameters.readout.unsqueeze(1)], dim=1), 1 / alpha**2)
