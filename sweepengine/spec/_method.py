"""Time methods: how a network's parameters are taken along the gradient flow of theory.md §1.

A spec names one under ``training.method``; a run holds it as a :class:`Method`. What is true of a method whatever its
parameters is an entry of :mod:`sweepengine.time_methods`; here are the parameters of those that have some.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from sweepengine.spec._choice import OneOf
from sweepengine.spec._fields import Count, Section
from sweepengine.time_methods import METHODS, find, names

if TYPE_CHECKING:
    from sweepengine.time_methods import TimeMethod


@dataclass(frozen=True)
class Method:
    """How a run's parameters move in time; what a method does not have is None.

    Attributes
    ----------
    name : str
        Of :data:`sweepengine.time_methods.METHODS`.
    batch_size : int or None
        Points of a minibatch; None for all of them.
    replacement : bool or None
        Whether a batch is drawn with replacement; None without minibatches.
    beta : float or None
        Momentum β.
    tolerance : float or None
        Of one adaptive step.
    """

    name: str = "gd"
    batch_size: int | None = None
    replacement: bool | None = None
    beta: float | None = None
    tolerance: float | None = None

    @property
    def entry(self) -> TimeMethod:
        """What is true of it whatever its parameters."""
        return find(self.name, "networks")

    @property
    def dynamics(self) -> Literal["descent", "flow"] | None:
        """What it follows: gradient descent itself, gradient flow, or (minibatches, momentum) neither."""
        return self.entry.follows

    @property
    def shares_steps(self) -> bool:
        """Whether the steps of several runs can be made together: not where each has its own batch or step size."""
        return self.batch_size is None and self.tolerance is None

    @property
    def velocities(self) -> int:
        """Velocities that one step needs; for ``rk45``, whose steps are its own, those of one try."""
        return self.entry.velocities

    @property
    def copies(self) -> int:
        """Arrays of the parameters' size that it holds beside them: slopes with a start, a stage and an end, or v."""
        return self.entry.use("networks").held

    @property
    def label(self) -> str:
        """Name and parameters in one word, such as ``sgd(batch_size=8, replacement=False)``."""
        parameters = ", ".join(f"{key}={value!r}" for key, value in self.content().items() if key != "name")
        return f"{self.name}({parameters})" if parameters else self.name

    def content(self) -> dict[str, Any]:
        """What the method has, by name."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class MethodSpec(Section):
    """A method with its parameters; a class of it has a field ``name``."""

    name: str

    def method(self) -> Method:
        """The method as runs hold it."""
        return Method(**self.model_dump())


class StochasticDescent(MethodSpec):
    """θ ← θ + η θ̇ of the mean over a minibatch; one step of η advances the time by η, whatever the batch."""

    name: Literal["sgd"]
    batch_size: Count
    replacement: bool = Field(
        default=False,
        description="false: the whole batches of a fresh order of the points in each epoch; what is left over waits",
    )


class Momentum(MethodSpec):
    """v ← βv + (1 − β) η θ̇, θ ← θ + v (Polyak 1964, with learning rate (1 − β)η): follows the flow in t as η → 0."""

    name: Literal["momentum"]
    beta: Annotated[float, Field(ge=0, lt=1)] = Field(description="β; 0 is plain descent")
    batch_size: Count | None = Field(default=None, description="points of a minibatch; all where not given")
    replacement: bool = Field(default=False, description="as for sgd")

    @model_validator(mode="after")
    def _replacement_of_something(self) -> Momentum:
        if self.replacement and self.batch_size is None:
            raise ValueError("replacement is of minibatches; give a batch_size, or leave it out")
        return self

    def method(self) -> Method:
        """The method as runs hold it."""
        return Method("momentum", self.batch_size, None if self.batch_size is None else self.replacement, self.beta)


class Adaptive(MethodSpec):
    """Gradient flow by Dormand and Prince's pair 5(4) with steps of its own, from record to record.

    η is the grid of the records, and a 32nd of it the smallest step.
    """

    name: Literal["rk45"]
    tolerance: Annotated[float, Field(ge=1e-12, le=0.1)] = Field(
        default=1e-4,
        description="error allowed in one step, in units of the outputs and relative to rms targets + rms outputs",
    )


WITH_PARAMETERS: dict[str, type[MethodSpec]] = {"sgd": StochasticDescent, "momentum": Momentum, "rk45": Adaptive}
"""Name → class of the methods that have parameters."""


@cache
def _without_parameters(name: str, summary: str) -> type[MethodSpec]:
    literal: Any = Literal[name]
    return create_model(name, __base__=MethodSpec, __doc__=summary, name=(literal, ...))


def method_specs() -> dict[str, type[MethodSpec]]:
    """Name → class of every method of networks."""
    return {
        name: WITH_PARAMETERS.get(name) or _without_parameters(name, METHODS[name].summary)
        for name in names("networks")
    }


def methods_alone() -> list[str]:
    """The methods that a name alone gives."""
    specs = method_specs().items()
    return [name for name, spec in specs if sum(field.is_required() for field in spec.model_fields.values()) == 1]


def gradient_descent() -> MethodSpec:
    """The method of a spec that names none."""
    return method_specs()["gd"](name="gd")


AnyMethod = Annotated[MethodSpec, OneOf(method_specs, "name")]
