"""Time methods of networks and of particles, by name: what is true of each, and where its steps are made.

One table for both kinds, so that one method has one name. Imports nothing: what makes the steps is a reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["networks", "particles"]


@dataclass(frozen=True)
class Use:
    """How one kind uses a method.

    Attributes
    ----------
    steps : str
        ``module:name`` of what makes the steps. Of networks ``(method, training, seed) -> Stepper``; of particles
        ``(functional, particles, instant, partition) -> None``, one step in place, or of an adaptive method the class of its
        steps, such as :class:`sweepengine.particles.AdaptiveSteps`.
    held : int
        Arrays of the size of the parameters, or of the particles, that a step holds beside them (docs/scaling.md).
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
        Global order in the step; of a method with noise the weak order at finite times.
    velocities : int
        Velocities of one step, or of one try where the method is adaptive.
    follows : {"descent", "flow"} or None
        Gradient descent itself, the gradient flow (with noise, the Langevin flow), or neither.
    networks, particles : Use or None
        None: not for this kind.
    tableau : str or None
        ``module:name`` of the Runge–Kutta method, where a step is one of it with all points.
    noise : bool
        Whether it carries the noise of a temperature.
    adaptive : bool
        Whether its steps are its own.
    formerly : str or None
        What specs of particles have called it. The name is still read, and it is what enters the ids of their runs.

    Raises
    ------
    ValueError
        An entry that says less than a plan needs.
    """

    name: str
    summary: str
    order: int
    velocities: int
    follows: Literal["descent", "flow"] | None
    networks: Use | None = None
    particles: Use | None = None
    tableau: str | None = None
    noise: bool = False
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
        """How a kind uses it. Raises ValueError where it does not."""
        found = self.networks if kind == "networks" else self.particles
        if found is None:
            raise ValueError(f"found method {self.name!r}; known are {', '.join(names(kind))}")
        return found


METHODS: dict[str, TimeMethod] = {}
"""Name → method; :func:`register` adds to it."""


def register(method: TimeMethod) -> TimeMethod:
    """Add a method to the table. Raises ValueError where one of its names is taken."""
    taken = {*METHODS, *(each.formerly for each in METHODS.values())}
    for name in {method.name, method.formerly} - {None}:
        if name in taken:
            raise ValueError(f"time method {name!r}: found a second one of this name; choose another")
    METHODS[method.name] = method
    return method


def names(kind: Kind) -> tuple[str, ...]:
    """Methods of a kind, in the order of the table."""
    return tuple(name for name, method in METHODS.items() if getattr(method, kind) is not None)


def find(name: str, kind: Kind) -> TimeMethod:
    """The method that a kind calls by a name, of today or a former one.

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
    """Whether runs of a method's label, such as ``momentum(beta=0.7)``, follow gradient descent or the gradient flow."""
    name = label.split("(", 1)[0]
    return any(method.follows is not None and name in (method.name, method.formerly) for method in METHODS.values())


_STEPPERS = "sweepengine.networks._steppers"
_STEPS = "sweepengine.particles._steps"
_TABLEAUS = "sweepengine.runge_kutta"

# fmt: off
for _method in (
    TimeMethod(
        name="gd", summary="θ ← θ + η θ̇ with all points (theory.md §1).", order=1, velocities=1, follows="descent",
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
        name="heun", summary="Gradient flow by Heun's method of order 2 with step η.", order=2, velocities=2, follows="flow",
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
        name="rk45", summary="Gradient flow by Dormand and Prince's pair 5(4) with steps of its own, from record to record.",
        order=5, velocities=7, follows="flow", adaptive=True,
        networks=Use(f"{_STEPPERS}:adaptive_flow", held=10),
        particles=Use("sweepengine.particles._adaptive:AdaptiveSteps", held=10),
        tableau=f"{_TABLEAUS}:DORMAND_PRINCE", formerly="adaptive",
    ),
    TimeMethod(
        name="euler_maruyama", summary="θ ← θ + dt v + √(2τ dt) ξ_n: weak order 1.",
        order=1, velocities=1, follows="flow", noise=True, particles=Use(f"{_STEPS}:euler_maruyama", held=0),
    ),
    TimeMethod(
        name="leimkuhler_matthews", summary="θ ← θ + dt v + √(2τ dt) (ξ_n + ξ_{n+1})/2: weak order 2 for the stationary law.",
        order=1, velocities=1, follows="flow", noise=True, particles=Use(f"{_STEPS}:leimkuhler_matthews", held=0),
    ),
    TimeMethod(
        name="stochastic_heun", summary="Heun's step with one noise in both stages: weak order 2 for additive noise.",
        order=2, velocities=2, follows="flow", noise=True, particles=Use(f"{_STEPS}:stochastic_heun", held=3),
    ),
):
    register(_method)
# fmt: on
