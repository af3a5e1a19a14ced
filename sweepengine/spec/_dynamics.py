"""How particles move: the time method and its steps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field

from sweepengine.spec._choice import NameOf
from sweepengine.spec._fields import Positive, Section
from sweepengine.spec._model import EveryRecords, LogRecords
from sweepengine.time_methods import METHODS, TimeMethod, find, names


def _readable() -> list[str]:
    """Names of today, then former ones."""
    former = [method.formerly for name in names("particles") if (method := METHODS[name]).formerly is not None]
    return [*names("particles"), *former]


MethodName = Annotated[str, NameOf(_readable)]
RunMethodName = Annotated[MethodName, AfterValidator(lambda name: find(name, "particles").name)]
"""The name of today."""


class ProjectionSpec(Section):
    """Where particles are brought back to, at the start and after every step."""

    to: Literal["sphere", "ball"]
    radius: Positive = 1.0


class ToleranceSpec(Section):
    """What the adaptive integrator allows a step's error to be."""

    relative: Positive = 1e-6
    absolute: Positive = 1e-8


class DynamicsSpec(Section):
    """dθ_k = −∇(δF/δμ)(θ_k) dt + √(2τ) dB_k from 0 to time."""

    method: MethodName
    step_size: Positive = Field(
        description="dt; of the adaptive method the grid of times on which records lie and which its steps meet"
    )
    time: Positive
    tolerance: ToleranceSpec | None = Field(default=None, description="of the adaptive method only")
    projection: ProjectionSpec | None = None
    records: Annotated[LogRecords | EveryRecords, Discriminator("spacing")]
    samples: Literal["fixed", "fresh"] = Field(
        default="fixed",
        description="fixed: the same n_train points at every step; fresh: n_train new ones at every step, drawn from the "
        "run's seed, so that steps follow the population risk; what is recorded is measured on the stored points",
    )
    snapshots: Annotated[int, Field(ge=0)] = Field(
        default=2,
        description="records that keep all particles, evenly among the records: 2 is the start and the end; 0 keeps none",
    )

    @property
    def time_method(self) -> TimeMethod:
        """All that is known of the method."""
        return find(self.method, "particles")
