"""Training as the time methods see it: the points, the velocity, where a step begins, and what a method is.

All methods follow θ̇ of theory.md §1 in units of its time. The position of a run is t/η; a step of every method but
the adaptive one advances it by one.
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
    """Where a step begins.

    Attributes
    ----------
    position : float
        t/η.
    points : Points
        Those of :meth:`Stepper.points` at this position.
    forward : Forward
        On these points; used up by the step.
    signals : list of Tensor or None
        If they are known.
    """

    position: float
    points: Points
    forward: Forward
    signals: list[Tensor] | None = None


@dataclass(frozen=True)
class Training:
    """What the steps of a run or a group have in common.

    Attributes
    ----------
    network : AnyNetwork
        Its parameters are changed in place.
    points : Points
        All of them.
    cost : Cost
    step_size : float
        η.
    workspace : Workspace
        Where the passes of a step are made.
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
    """What an adaptive method has done since t = 0.

    Attributes
    ----------
    steps, rejected, forced : int
        Steps that stood, tries that did not, steps that stood only because they were as small as allowed.
    step_smallest : float
        In units of time; 0 before the first step.
    """

    steps: int = 0
    rejected: int = 0
    forced: int = 0
    step_smallest: float = 0.0


class Stepper(ABC):
    """A time method at work on one run, or on a group where runs share their steps.

    This base has what most methods share: every step descends on all points, nothing is chosen, and a resume needs
    nothing beside the parameters and the position.
    """

    def __init__(self, training: Training) -> None:
        self.training = training

    def points(self, position: float) -> Points:  # noqa: ARG002
        """The points on which the step that begins here descends."""
        return self.training.points

    @abstractmethod
    def step(self, now: Now, until: int) -> float:
        """Make one step, at most to ``until``.

        Returns
        -------
        float
            The new position; exactly ``until`` when that is reached.
        """

    def report(self) -> SolverReport:
        """What the method has done."""
        return SolverReport()

    def state(self) -> dict[str, NDArray[np.generic]]:
        """What a resume needs beside the parameters and the position."""
        return {}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:  # noqa: B027
        """Go on from what :meth:`state` gave."""
