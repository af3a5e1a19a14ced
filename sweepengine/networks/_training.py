"""The interface between training and time methods: points, velocity, the start of a step, and the stepper.

All methods follow θ̇ of theory.md §1.4, in its time t. The position of a run is t/η. A step advances the position by
one, except for the adaptive method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.networks._any import AnyNetwork, AnyParameters
    from sweepengine.networks._costs import Cost
    from sweepengine.networks._passes import Forward, Inputs, Workspace


class Points(NamedTuple):
    """Points to descend on: inputs, and targets of shape (N [, k])."""

    inputs: Inputs
    targets: Tensor


class Now(NamedTuple):
    """The state at which a step begins.

    Attributes
    ----------
    position : float
        t/η.
    points : Points
        The points of :meth:`Stepper.points` at this position.
    forward : Forward
        The forward pass on these points; the step uses it up.
    signals : list of Tensor or None
        The signals on these points, if a record has made them.
    """

    position: float
    points: Points
    forward: Forward
    signals: list[Tensor] | None = None


@dataclass(frozen=True)
class Training:
    """The settings that all steps of a run or a group share.

    Attributes
    ----------
    network : AnyNetwork
        Its parameters are changed in place.
    points : Points
        All training points.
    cost : Cost
    step_size : float
        η.
    workspace : Workspace
        Memory for the passes of a step.
    """

    network: AnyNetwork
    points: Points
    cost: Cost
    step_size: float
    workspace: Workspace

    def descend(self, now: Now, into: AnyParameters | None = None, share: float = 1.0) -> None:
        """Add ``share`` η θ̇ to the parameters, or to ``into``."""
        residual = self.cost.gradient(now.forward.outputs, now.points.targets)
        self.network.descend(
            now.points.inputs,
            now.forward,
            now.signals,
            residual,
            share * self.step_size,
            into=into,
            workspace=self.workspace,
        )


class SolverReport(NamedTuple):
    """Counts and smallest step of an adaptive method since t = 0.

    Attributes
    ----------
    steps, rejected, forced : int
        Number of accepted steps, of rejected tries, and of steps accepted only because they had the smallest size
        allowed.
    step_smallest : float
        Smallest accepted step in units of training time; 0 before the first step.
    """

    steps: int = 0
    rejected: int = 0
    forced: int = 0
    step_smallest: float = 0.0


class Stepper(ABC):
    """The steps of a time method for one run, or for a group of runs that share their steps.

    The defaults of this base fit most methods: every step descends on all points, there is nothing to report, and a
    resume needs nothing beside the parameters and the position.
    """

    def __init__(self, training: Training) -> None:
        self.training = training

    def points(self, position: float) -> Points:  # noqa: ARG002
        """The points on which the step that begins here descends."""
        return self.training.points

    @abstractmethod
    def step(self, now: Now, until: int) -> float:
        """Make one step, at most to the position ``until``.

        Returns
        -------
        float
            The new position; exactly ``until`` if the step reaches it.
        """

    def report(self) -> SolverReport:
        """Counts of an adaptive method; zeros for the other methods."""
        return SolverReport()

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Arrays that a resume needs beside the parameters and the position."""
        return {}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:  # noqa: B027
        """Set the state that :meth:`state` gave."""
