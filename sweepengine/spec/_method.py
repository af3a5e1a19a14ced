"""Time methods: how a network's parameters are taken along the gradient flow of theory.md §1.

A spec names one under ``training.method``; a run holds it as a :class:`Method`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sweepengine.spec._fields import Count, Section

_CLOSED_FORMS: dict[str, Literal["descent", "flow"]] = {"gd": "descent", "heun": "flow", "rk4": "flow", "rk45": "flow"}
_VELOCITIES = {"heun": 2, "rk4": 4, "rk45": 7}


@dataclass(frozen=True)
class Method:
    """How a run's parameters move in time; what a method does not have is None.

    Attributes
    ----------
    name : str
        ``gd``, ``sgd``, ``momentum``, ``heun``, ``rk4`` or ``rk45``.
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
    def dynamics(self) -> Literal["descent", "flow"] | None:
        """What it follows: gradient descent itself, gradient flow, or (minibatches, momentum) neither."""
        return _CLOSED_FORMS.get(self.name)

    @property
    def shares_steps(self) -> bool:
        """Whether the steps of several runs can be made together: not where each has its own batch or step size."""
        return self.batch_size is None and self.tolerance is None

    @property
    def velocities(self) -> int:
        """Velocities that one step needs; for ``rk45``, whose steps are its own, those of one try."""
        return _VELOCITIES.get(self.name, 1)

    @property
    def copies(self) -> int:
        """Arrays of the parameters' size that it holds beside them: slopes with a start, a stage and an end, or v."""
        return self.velocities + 3 if self.dynamics == "flow" else int(self.beta is not None)

    @property
    def label(self) -> str:
        """Name and parameters in one word, such as ``sgd(batch_size=8, replacement=False)``."""
        parameters = ", ".join(f"{key}={value!r}" for key, value in self.content().items() if key != "name")
        return f"{self.name}({parameters})" if parameters else self.name

    def content(self) -> dict[str, Any]:
        """What the method has, by name."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class _MethodSpec(Section):
    def method(self) -> Method:
        """The method as runs hold it."""
        return Method(**self.model_dump())


class GradientDescent(_MethodSpec):
    """θ ← θ + η θ̇ with all points (theory.md §1)."""

    name: Literal["gd"] = "gd"


class StochasticDescent(_MethodSpec):
    """θ ← θ + η θ̇ of the mean over a minibatch; one step of η advances the time by η, whatever the batch."""

    name: Literal["sgd"]
    batch_size: Count
    replacement: bool = Field(
        default=False,
        description="false: the whole batches of a fresh order of the points in each epoch; what is left over waits",
    )


class Momentum(_MethodSpec):
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


class Heun(_MethodSpec):
    """Gradient flow by Heun's method of order 2 with step η."""

    name: Literal["heun"]


class RungeKutta4(_MethodSpec):
    """Gradient flow by the classical Runge–Kutta method of order 4 with step η."""

    name: Literal["rk4"]


class Adaptive(_MethodSpec):
    """Gradient flow by Dormand and Prince's pair 5(4) with steps of its own, from record to record.

    η is the grid of the records, and a 32nd of it the smallest step.
    """

    name: Literal["rk45"]
    tolerance: Annotated[float, Field(ge=1e-12, le=0.1)] = Field(
        default=1e-4,
        description="error allowed in one step, in units of the outputs and relative to rms targets + rms outputs",
    )


MethodSpec = GradientDescent | StochasticDescent | Momentum | Heun | RungeKutta4 | Adaptive
METHODS_ALONE = ("gd", "heun", "rk4", "rk45")
"""The methods that a name alone gives."""
