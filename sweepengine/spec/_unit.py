"""Units ψ(θ; x), the contribution of one particle to the output: a neuron, or a unit of the user's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from sweepengine.plugins import canonical_unit
from sweepengine.spec._fields import Positive, Section
from sweepengine.spec._shared import UnitActivationName


class UnitSpec(Section):
    """A neuron: ψ(θ; x) = scale · s(a) φ(input_scale w·x + bias_scale b) is what one particle adds to the output."""

    activation: UnitActivationName = Field(description="name of φ; staircase is the activation of Mei et al. 2018")
    output: Literal["free", "tanh", "none"] = Field(
        default="free", description="free: s(a) = a; tanh: s(a) = tanh a, bounded; none: s = 1, with no coordinate a"
    )
    bias: bool = Field(default=False, description="whether a particle has a coordinate b")
    scale: Positive = 1.0
    input_scale: Positive = 1.0
    bias_scale: Positive = 1.0
    frozen: Literal["output", "input"] | None = Field(
        default=None,
        description="output freezes a, input freezes w and b: neither a term nor the noise changes frozen coordinates",
    )

    def canonical(self) -> UnitSpec:
        """The unit itself: it is of this package."""
        return self


class UserUnitSpec(Section):
    """A registered unit (--plugin FILE): any ψ(θ; x) of a particle θ with the given number of coordinates."""

    name: str
    coordinates: Annotated[int, Field(ge=1, le=100_000)]

    def canonical(self) -> UserUnitSpec:
        """The unit with ``name@version`` as its name. Raises SpecError if nobody has registered the name."""
        return self.model_copy(update={"name": canonical_unit(self.name)})


def _unit_kind(unit: object) -> str:
    named = isinstance(unit, UserUnitSpec) or (isinstance(unit, dict) and "name" in unit)
    return UserUnitSpec.__name__ if named else UnitSpec.__name__


AnyUnit = Annotated[
    Annotated[UnitSpec, Tag(UnitSpec.__name__)] | Annotated[UserUnitSpec, Tag(UserUnitSpec.__name__)],
    Discriminator(_unit_kind),
]
"""A neuron, or a unit that users have registered."""
