"""How particles move: the time method and its steps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field

from sweepengine.spec._choice import NameOf
from sweepengine.spec._fields import Positive, Section
from sweepengine.spec._shared import EveryRecords, LogRecords
from sweepengine.time_methods import METHODS, TimeMethod, find, names


def _readable() -> list[str]:
    """The names of methods that a spec may use: the present names, then the former ones."""
    former = [method.formerly for name in names("particles") if (method := METHODS[name]).formerly is not None]
    return [*names("particles"), *former]


MethodName = Annotated[str, NameOf(_readable)]
RunMethodName = Annotated[MethodName, AfterValidator(lambda name: find(name, "particles").name)]
"""A name of a method, read as the present name of that method."""


class ProjectionSpec(Section):
    """The set onto which particles are projected, at the start and after every step."""

    to: Literal["sphere", "ball"]
    radius: Positive = 1.0


class ToleranceSpec(Section):
    """The error that the adaptive integrator allows in one step."""

    relative: Positive = 1e-6
    absolute: Positive = 1e-8


class DynamicsSpec(Section):
    """dθ_k = −∇(δF/δμ)(θ_k) dt + √(2τ) dB_k from 0 to time."""

    method: MethodName
    step_size: Positive = Field(
        description="dt; with the adaptive method, the spacing of the grid on which records lie"
    )
    time: Positive
    tolerance: ToleranceSpec | None = Field(
        default=None, description="tolerance of the adaptive method; no other has one"
    )
    projection: ProjectionSpec | None = None
    records: Annotated[LogRecords | EveryRecords, Discriminator("spacing")]
    samples: Literal["fixed", "fresh"] = Field(
        default="fixed",
        description="fixed: the same n_train points at every step; fresh: n_train new points at every step, drawn from "
        "the run's seed, so that steps follow the population risk; observables are measured on the stored points",
    )
    snapshots: Annotated[int, Field(ge=0)] = Field(
        default=2,
        description="number of records that keep all particles, spread evenly: 2 keeps the start and the end, 0 none",
    )

    @property
    def time_method(self) -> TimeMethod:
        """The method's entry in :data:`sweepengine.time_methods.METHODS`."""
        return find(self.method, "particles")
