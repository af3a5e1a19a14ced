"""What a sweep must have for an observable to be defined. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Condition:
    """A property that a spec must have for an observable to be defined.

    Attributes
    ----------
    holds : callable
        Spec → whether the spec has the property.
    refusal : callable
        Spec → the error message, without the observable's name at its beginning, if the property is missing.
    alternatives : str
        Words that introduce a list of the observables without this condition at the end of the message; empty for no
        list.
    field : str
        Field of the spec that only observables with this condition use; empty if there is no such field.
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
SOLVED = Condition(
    lambda spec: spec.training.loss == "mse" or spec.training.method.name == "gd",
    lambda spec: (
        f"follows the linear model of training.loss {spec.training.loss} step by step, which it does for gd; found "
        f"training.method {spec.training.method.name}; leave it out, or train by gd or with the loss mse"
    ),
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
"""Holds for every spec, as a grid is drawn if the spec gives none. It marks the observables that use the grid."""
NO_NOISE = Condition(
    lambda spec: not any(spec.temperatures),
    lambda _: "is not defined with noise: τ(log μ + 1) of the first variation is not known of a cloud; leave it out",
)
