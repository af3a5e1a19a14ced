"""What one particle does to the output: a neuron, or a unit of the user's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from sweepengine.spec._fields import Positive, Section
from sweepengine.spec._model import UnitActivationName


class UnitSpec(Section):
    """ψ(θ; x) = scale · s(a) φ(input_scale w·x + bias_scale b): what one particle does to the output."""

    activation: UnitActivationName = Field(description="φ; staircase is that of Mei, Montanari & Nguyen (PNAS 2018)")
    output: Literal["free", "tanh", "none"] = Field(
        default="free", description="s(a) = a; tanh a (bounded); or 1, with no coordinate a"
    )
    bias: bool = Field(default=False, description="whether a particle has a coordinate b")
    scale: Positive = 1.0
    input_scale: Positive = 1.0
    bias_scale: Positive = 1.0
    frozen: Literal["output", "input"] | None = Field(
        default=None, description="coordinates that do not move: neither a term nor the noise changes them"
    )


class UserUnitSpec(Section):
    """A registered unit (--plugin FILE): any ψ(θ; x) of a particle θ with as many coordinates as are given."""

    name: str
    coordinates: Annotated[int, Field(ge=1, le=100_000)]


def _unit_kind(unit: object) -> str:
    named = isinstance(unit, UserUnitSpec) or (isinstance(unit, dict) and "name" in unit)
    return UserUnitSpec.__name__ if named else UnitSpec.__name__


AnyUnit = Annotated[
    Annotated[UnitSpec, Tag(UnitSpec.__name__)] | Annotated[UserUnitSpec, Tag(UserUnitSpec.__name__)],
    Discriminator(_unit_kind),
]
"""A neuron, or what users call a unit."""
