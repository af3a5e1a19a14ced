"""The table of time methods of networks and particles: the properties of every method, and a reference to its steps.

Networks and particles share one table, so that a method has one name. This module imports nothing of the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["networks", "particles"]


@dataclass(frozen=True)
class Use:
    """How networks or particles use a method.

    Attributes
    ----------
    steps : str
        ``module:name`` of the code that makes the steps. For networks it is a function
        ``(method, training, seed) -> Stepper``. For particles it is a function
        ``(functional, particles, instant, partition) -> None`` that makes one step in place; for an adaptive method it
        is the class of its steps, such as :class:`sweepengine.particles.AdaptiveSteps`.
    held : int
        Number of arrays of the size of the parameters, or of the particles, that a step holds beside them
        (docs/scaling.md).
    """

    steps: str
    held: int


@dataclass(frozen=True, kw_only=True)
class TimeMethod:
    """One time method.

    Attributes
    ----------
    name : str
    summary : str
        One sentence, for people.
    order : int
        Global order in the step size; for a method with noise, the weak order at finite times.
    velocities : int
        Number of velocities that one step computes, or one try of an adaptive method.
    follows : {"descent", "flow"} or None
        What the method follows: gradient descent itself, the gradient flow (with noise, the Langevin flow), or neither.
    networks, particles : Use or None
        How networks and particles use the method; None where they cannot.
    tableau : str or None
        ``module:name`` of the Runge–Kutta tableau, where a step is a Runge–Kutta step with all points.
    noise : int
        Number of draws of noise that one step makes; 0: the method does not carry the noise of a temperature.
    adaptive : bool
        Whether the method chooses its own step sizes.
    formerly : str or None
        Former name of the method in specs of particles. The name can still be read, and it enters the ids of runs.

    Raises
    ------
    ValueError
        Neither networks nor particles use the method, or one of its numbers is too small.
    """

    name: str
    summary: str
    order: int
    velocities: int
    follows: Literal["descent", "flow"] | None
    networks: Use | None = None
    particles: Use | None = None
    tableau: str | None = None
    noise: int = 0
    adaptive: bool = False
    formerly: str | None = None

    def __post_init__(self) -> None:
        uses = [use for use in (self.networks, self.particles) if use is not None]
        if not uses:
            raise ValueError(f"time method {self.name!r}: found no kind that uses it; give networks or particles")
        if min(self.order, self.velocities) < 1 or min(use.held for use in uses) < 0:
            raise ValueError(
                f"time method {self.name!r}: found order {self.order}, {self.velocities} velocities a step and "
                f"{[use.held for use in uses]} arrays held; the first two are at least 1, the last at least 0"
            )

    def use(self, kind: Kind) -> Use:
        """How networks or particles use the method. Raises ValueError where they cannot."""
        use = self.networks if kind == "networks" else self.particles
        if use is None:
            raise ValueError(f"found method {self.name!r}; known are {', '.join(names(kind))}")
        return use


METHODS: dict[str, TimeMethod] = {}
"""Name → method; :func:`register` adds entries."""


def register(method: TimeMethod) -> TimeMethod:
    """Add a method to the table. Raises ValueError where its name or its former name is taken."""
    taken = {*METHODS, *(known.formerly for known in METHODS.values())}
    for name in {method.name, method.formerly} - {None}:
        if name in taken:
            raise ValueError(f"time method {name!r}: found a second one of this name; choose another")
    METHODS[method.name] = method
    return method


def names(kind: Kind) -> tuple[str, ...]:
    """Names of the methods that networks or particles can use, in the order of the table."""
    return tuple(name for name, method in METHODS.items() if getattr(method, kind) is not None)


def find(name: str, kind: Kind) -> TimeMethod:
    """The method of networks or particles with this present or former name.

    Raises
    ------
    ValueError
        The kind has no such method.
    """
    for method in METHODS.values():
        if method.name == name or (kind == "particles" and name == method.formerly):
            method.use(kind)
            return method
    raise ValueError(f"found method {name!r}; known are {', '.join(names(kind))}")


def follows_the_flow(label: str) -> bool:
    """Whether runs whose method has this label, such as ``momentum(beta=0.7)``, follow gradient descent or flow."""
    name = label.split("(", 1)[0]
    return any(method.follows is not None and name in (method.name, method.formerly) for method in METHODS.values())


_STEPPERS = "sweepengine.networks._steppers"
_STEPS = "sweepengine.particles._steps"
_TABLEAUS = "sweepengine.runge_kutta"

# fmt: off
for _method in (
    TimeMethod(
        name="gd", summary="θ ← θ + η θ̇ with all points (theory.md §1.4).", order=1, velocities=1, follows="descent",
        networks=Use(f"{_STEPPERS}:descent", held=0), particles=Use(f"{_STEPS}:euler", held=0),
        tableau=f"{_TABLEAUS}:EULER", formerly="euler",
    ),
    TimeMethod(
        name="sgd", summary="θ ← θ + η θ̇ of the mean over a minibatch.", order=1, velocities=1, follows=None,
        networks=Use(f"{_STEPPERS}:descent", held=0),
    ),
    TimeMethod(
        name="momentum", summary="v ← βv + (1 − β) η θ̇, θ ← θ + v (Polyak 1964).", order=1, velocities=1, follows=None,
        networks=Use(f"{_STEPPERS}:momentum", held=1),
    ),
    TimeMethod(
        name="heun", summary="Gradient flow by Heun's method of order 2 with step η.",
        order=2, velocities=2, follows="flow",
        networks=Use(f"{_STEPPERS}:fixed_flow", held=5), particles=Use(f"{_STEPS}:heun", held=3),
        tableau=f"{_TABLEAUS}:HEUN",
    ),
    TimeMethod(
        name="rk4", summary="Gradient flow by the classical Runge–Kutta method of order 4 with step η.",
        order=4, velocities=4, follows="flow",
        networks=Use(f"{_STEPPERS}:fixed_flow", held=7), particles=Use(f"{_STEPS}:rk4", held=5),
        tableau=f"{_TABLEAUS}:RK4",
    ),
    TimeMethod(
        name="dormand_prince", summary="Gradient flow by equal steps of Dormand and Prince's method of order 5.",
        order=5, velocities=7, follows="flow", particles=Use(f"{_STEPS}:dormand_prince", held=8),
        tableau=f"{_TABLEAUS}:DORMAND_PRINCE",
    ),
    TimeMethod(
        name="rk45",
        summary="Gradient flow by Dormand and Prince's pair 5(4), which chooses its steps between records.",
        order=5, velocities=7, follows="flow", adaptive=True,
        networks=Use(f"{_STEPPERS}:adaptive_flow", held=10),
        particles=Use("sweepengine.particles._adaptive:AdaptiveSteps", held=10),
        tableau=f"{_TABLEAUS}:DORMAND_PRINCE", formerly="adaptive",
    ),
    TimeMethod(
        name="euler_maruyama", summary="θ ← θ + dt v + √(2τ dt) ξ_n: weak order 1.",
        order=1, velocities=1, follows="flow", noise=1, particles=Use(f"{_STEPS}:euler_maruyama", held=0),
    ),
    TimeMethod(
        name="leimkuhler_matthews",
        summary="θ ← θ + dt v + √(2τ dt) (ξ_n + ξ_{n+1})/2: weak order 2 for the stationary law.",
        order=1, velocities=1, follows="flow", noise=2, particles=Use(f"{_STEPS}:leimkuhler_matthews", held=0),
    ),
    TimeMethod(
        name="stochastic_heun", summary="Heun's step with one noise in both stages: weak order 2 for additive noise.",
        order=2, velocities=2, follows="flow", noise=1, particles=Use(f"{_STEPS}:stochastic_heun", held=3),
    ),
):
    register(_method)
# fmt: on
