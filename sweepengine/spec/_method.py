"""Time methods of networks with their parameters: how a run follows the gradient flow of theory.md §1.4.

A spec names a method under ``training.method``; a run holds it as a :class:`Method`. The table
:mod:`sweepengine.time_methods` says what is true of a method whatever its parameters; this module adds the parameters.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from sweepengine.spec._choice import OneOf
from sweepengine.spec._fields import Count, Section
from sweepengine.time_methods import METHODS, find, names

if TYPE_CHECKING:
    from sweepengine.time_methods import TimeMethod


@dataclass(frozen=True)
class Method:
    """How the parameters of a run's network move in time; settings that a method lacks are None.

    Attributes
    ----------
    name : str
        A name of :data:`sweepengine.time_methods.METHODS`.
    batch_size : int or None
        Number of points in a minibatch; None: every step takes all points.
    replacement : bool or None
        Whether a batch is drawn with replacement; None without minibatches.
    beta : float or None
        Momentum β.
    tolerance : float or None
        Error allowed in one adaptive step.
    """

    name: str = "gd"
    batch_size: int | None = None
    replacement: bool | None = None
    beta: float | None = None
    tolerance: float | None = None

    @property
    def entry(self) -> TimeMethod:
        """The method's entry in :data:`sweepengine.time_methods.METHODS`."""
        return find(self.name, "networks")

    @property
    def dynamics(self) -> Literal["descent", "flow"] | None:
        """Whether the method follows gradient descent itself, gradient flow, or neither (minibatches, momentum)."""
        return self.entry.follows

    @property
    def shares_steps(self) -> bool:
        """Whether several runs can make their steps together: not where a run has its own batches or step sizes."""
        return self.batch_size is None and self.tolerance is None

    @property
    def velocities(self) -> int:
        """Number of velocities that one step computes; for the adaptive ``rk45``, that one try computes."""
        return self.entry.velocities

    @property
    def copies(self) -> int:
        """Number of arrays of the parameters' size that a step holds beside them, such as slopes or the momentum v."""
        return self.entry.use("networks").held

    @property
    def label(self) -> str:
        """Name and parameters in one word, such as ``sgd(batch_size=8, replacement=False)``."""
        parameters = ", ".join(f"{key}={value!r}" for key, value in self.content.items() if key != "name")
        return f"{self.name}({parameters})" if parameters else self.name

    @cached_property
    def content(self) -> dict[str, Any]:
        """The settings that the method has, by name; those that are None are left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class MethodSpec(Section):
    """A method with its parameters; a subclass allows one value of the field ``name``."""

    name: str

    def method(self) -> Method:
        """The method as runs hold it."""
        return Method(**self.model_dump())


class StochasticDescent(MethodSpec):
    """θ ← θ + η θ̇, with the mean over a minibatch in θ̇; one step advances the time by η, whatever the batch size."""

    name: Literal["sgd"]
    batch_size: Count
    replacement: bool = Field(
        default=False,
        description="true: every batch is drawn with replacement; false: each epoch cuts a fresh order of the points "
        "into whole batches, and the points left over wait for a later epoch",
    )


class Momentum(MethodSpec):
    """v ← βv + (1 − β) η θ̇, θ ← θ + v (Polyak 1964, with learning rate (1 − β)η): follows the flow in t as η → 0."""

    name: Literal["momentum"]
    beta: Annotated[float, Field(ge=0, lt=1)] = Field(description="β; 0 is plain descent")
    batch_size: Count | None = Field(default=None, description="points of a minibatch; all points where not given")
    replacement: bool = Field(default=False, description="as for sgd")

    @model_validator(mode="after")
    def _replacement_of_something(self) -> Momentum:
        if self.replacement and self.batch_size is None:
            raise ValueError("replacement is of minibatches; give a batch_size, or leave replacement out")
        return self

    def method(self) -> Method:
        """The method as runs hold it."""
        return Method("momentum", self.batch_size, None if self.batch_size is None else self.replacement, self.beta)


class Adaptive(MethodSpec):
    """Gradient flow by Dormand and Prince's pair 5(4), which chooses its steps from one record to the next.

    η is the spacing of the grid on which the records lie; the smallest step is η/32.
    """

    name: Literal["rk45"]
    tolerance: Annotated[float, Field(ge=1e-12, le=0.1)] = Field(
        default=1e-4,
        description="error of the outputs that is allowed in one step, divided by rms targets + rms outputs",
    )


WITH_PARAMETERS: dict[str, type[MethodSpec]] = {"sgd": StochasticDescent, "momentum": Momentum, "rk45": Adaptive}
"""Name → class, of the methods that have parameters."""


@cache
def _without_parameters(name: str, summary: str) -> type[MethodSpec]:
    literal: Any = Literal[name]
    return create_model(name, __base__=MethodSpec, __doc__=summary, name=(literal, ...))


def method_specs() -> dict[str, type[MethodSpec]]:
    """Name → class, of every method of networks."""
    return {
        name: WITH_PARAMETERS.get(name) or _without_parameters(name, METHODS[name].summary)
        for name in names("networks")
    }


def methods_alone() -> list[str]:
    """Names of the methods that need no other setting, so that a spec may give the name alone."""
    specs = method_specs().items()
    return [name for name, spec in specs if sum(field.is_required() for field in spec.model_fields.values()) == 1]


def gradient_descent() -> MethodSpec:
    """The method of a spec that names none."""
    return method_specs()["gd"](name="gd")


AnyMethod = Annotated[MethodSpec, OneOf(method_specs, "name")]
