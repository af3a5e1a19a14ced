"""A two-layer network at γ = 1 is a cloud of particles (theory.md §5); here is which."""

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
    """What is read of an architecture of ``sweepengine.networks``."""

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
        Rows (w, b, a), b where there are biases.
    speed : float
        1/α²: a network's step of size η is a particle step of size η · speed.
    """

    unit: Neuron
    particles: Tensor
    speed: float


def from_network(architecture: Scales, parameters: Parameters, alpha: float = 1.0) -> Correspondence:
    """The particles of one network of one hidden layer at γ = 1.

    Parameters
    ----------
    architecture : Architecture
        As for ``sweepengine.networks``; depth 1, no output bias.
    parameters : Parameters
        Of one network, without the leading dimension R.
    alpha : float
        The output scale α.

    Returns
    -------
    Correspondence

    Raises
    ------
    ParameterError
        For a network that is no cloud of particles.
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
