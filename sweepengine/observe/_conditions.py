"""What a sweep must have for an observable to be defined. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Condition:
    """Something that an observable needs of a spec.

    Attributes
    ----------
    holds : callable
        Spec → whether it is there.
    refusal : callable
        Spec → what is said, after the observable's name, to who asks for it nevertheless.
    alternatives : str
        Words before a list of the observables without this condition, for the end of that message; empty for no list.
    field : str
        The spec's field that only observables with this condition use; empty if there is none.
    """

    holds: Callable[[Any], bool]
    refusal: Callable[[Any], str]
    alternatives: str = ""
    field: str = ""


LAYERS = Condition(
    lambda spec: spec.network.model is None,
    lambda _: (
        "looks into the layers of the fully connected network, which a model of your own does not show; leave it out"
    ),
    alternatives="A model has",
)
SQUARED_ERROR = Condition(
    lambda spec: spec.training.loss == "mse",
    lambda spec: f"is defined for training.loss mse, found {spec.training.loss!r}; leave it out",
)
LINEAR_MODEL = Condition(
    lambda spec: spec.training.method.method().dynamics is not None,
    lambda spec: (
        f"compares with gradient descent or flow on a linear model; found training.method {spec.training.method.name}; "
        "leave it out, or train by gd, heun, rk4 or rk45"
    ),
)
RISK = Condition(
    lambda spec: spec.unit is not None, lambda _: "needs outputs, and no term is a risk; leave it out"
)  # fmt: skip
NEURONS = Condition(
    lambda spec: spec.neuron is not None,
    lambda _: "is that of neurons, and unit.name is a unit of your own; leave it out",
)
SNAPSHOTS = Condition(
    lambda spec: spec.dynamics.snapshots > 0,
    lambda _: "is kept at snapshots, and there are none; set dynamics.snapshots",
)
REFERENCE = Condition(
    lambda spec: spec.reference is not None,
    lambda _: "needs a cloud to measure to; set reference to its file",
    field="reference",
)
GRID = Condition(lambda _: True, lambda _: "", field="grid")
"""It uses the points of a grid, which are drawn where a spec gives none."""
NO_NOISE = Condition(
    lambda spec: not any(spec.temperatures),
    lambda _: "is not known at a temperature, whose τ(log μ + 1) no cloud has; leave it out",
)
