"""The rule for which neurons fused kernels exist. It imports no Triton, so that the choice and the kernels share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.activations import ACTIVATIONS, entry_of

if TYPE_CHECKING:
    from sweepengine.particles._unit import Neuron

INNER_MOST = 256
"""Largest number of inner coordinates of a particle: they must fit the registers."""


def refusal(neuron: Neuron) -> str | None:
    """Why the fused kernels cannot compute a neuron; None where they can."""
    name = neuron.activation
    if not isinstance(name, str) or entry_of(name).kernel is None:
        fused = ", ".join(sorted(known for known, entry in ACTIVATIONS.items() if entry.kernel is not None))
        return f"found activation {name!r}; fused are {fused}: use Neuron for others"
    if neuron.inner > INNER_MOST:
        return f"found {neuron.inner} inner coordinates; the fused kernels hold {INNER_MOST}: use Neuron for more"
    return None
