"""Gradient flow by Runge–Kutta methods with fixed and with adaptive steps."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import numpy as np
import torch

from sweepengine.networks._parameters import flat, parts_of
from sweepengine.networks._training import Now, SolverReport, Stepper
from sweepengine.runge_kutta import DORMAND_PRINCE, Control, combined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from sweepengine.networks._training import Training
    from sweepengine.runge_kutta import Tableau

SMALLEST_STEP = 2.0**-5
"""Smallest step of the adaptive method, in units of η. A step of this size is accepted whatever its error.

A wide relu network crosses kinks in every step, and there the error falls only in proportion to the step. Halving this
number doubles the work of a run that cannot meet its tolerance, and halves the error of that run (1e-4 of the outputs
in a measurement). With η ≤ N/(4λ_max), the choice of ``auto``, the steps of smooth networks are far larger.
"""


class FixedFlow(Stepper):
    """Gradient flow by the steps of one Runge–Kutta method, each of size η.

    The network's own parameters are set to the point of every stage. The first slope comes from the forward pass with
    which the step begins. Memory: a copy of the parameters for each slope, and three more copies.
    """

    def __init__(self, training: Training, tableau: Tableau) -> None:
        super().__init__(training)
        self._tableau = tableau
        like = training.network.parameters
        self._slopes = [torch.zeros_like(flat(like)) for _ in range(len(tableau.stages) + 1)]
        self._parts = [parts_of(slope, like) for slope in self._slopes]

    def step(self, now: Now, until: int) -> float:  # noqa: ARG002
        """See :class:`Stepper`."""
        start = flat(self.training.network.parameters)
        slopes = self._all_slopes(start, 1.0, self._slope(0, now))
        self._take(combined(start, 1.0, self._tableau.weights, slopes))
        return now.position + 1

    def _all_slopes(self, start: Tensor, size: float, first: Tensor) -> list[Tensor]:
        """η θ̇ at every stage of a step; the network is left at the last stage."""
        places, points = iter(range(1, len(self._slopes))), self.training.points

        def velocity(stage: Tensor) -> Tensor:
            self._take(stage)
            forward = self.training.network.forward(points.inputs, self.training.workspace)
            return self._slope(next(places), Now(math.nan, points, forward))

        return self._tableau.slopes(velocity, start, size, first)

    def _slope(self, place: int, now: Now) -> Tensor:
        self._slopes[place].zero_()
        self.training.descend(now, into=self._parts[place])
        return self._slopes[place]

    def _take(self, point: Tensor) -> None:
        """Put the network at a point of its parameter space."""
        parameters = self.training.network.parameters
        for parameter, part in zip(
            parameters.tensors().values(), parts_of(point, parameters).tensors().values(), strict=True
        ):
            parameter.copy_(part)


class AdaptiveFlow(FixedFlow):
    """Gradient flow by Dormand and Prince's pair 5(4), with steps chosen for a tolerance.

    The error ε of a step in the parameters is judged by its effect on the outputs. To first order a change δθ of the
    parameters changes the outputs on the training points by at most √(λ_max/N) · α m^{1/2−γ} ‖δθ‖ in rms, because the
    Jacobian's norm is √λ_max · α m^{1/2−γ} (theory.md §2.1). A step is accepted if

        α m^{1/2−γ} ‖ε‖ ≤ tolerance · (rms y + rms f),

    so that a tolerance means the same at every width, γ and α. An error relative to the weights would not, because
    their relative change is of order m^{γ−1}. Steps of size η :data:`SMALLEST_STEP` are accepted in any case, and
    counted.
    """

    def __init__(self, training: Training, tolerance: float) -> None:
        super().__init__(training, DORMAND_PRINCE)
        network = training.network
        self._unit = 1 / (math.sqrt(network.parameters.width) * float(network.scaling.speed))
        self._tolerance = tolerance
        self._control = Control(size=1.0, floor=SMALLEST_STEP)

    def step(self, now: Now, until: int) -> float:
        """See :class:`Stepper`: tries until a step is accepted."""
        allowed = self._tolerance * (_rms(now.points.targets) + _rms(now.forward.outputs))
        start, first = flat(self.training.network.parameters), self._slope(0, now)
        remaining = until - now.position
        while True:
            size = self._control.next_size(remaining)
            slopes = self._all_slopes(start, size, first)
            error = combined(torch.zeros_like(start), size, self._tableau.error, slopes)
            norm = self._unit * float(torch.linalg.vector_norm(error, dtype=torch.float64))
            if self._control.accepts(norm / allowed if norm else 0.0, size):
                self._take(combined(start, size, self._tableau.weights, slopes))
                return float(until) if size == remaining else now.position + size

    def report(self) -> SolverReport:
        """See :class:`Stepper`."""
        control = self._control
        smallest = control.smallest * self.training.step_size if control.accepted else 0.0
        return SolverReport(control.accepted, control.rejected, control.forced, smallest)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """See :class:`Stepper`."""
        return {f"control_{name}": np.array(value) for name, value in asdict(self._control).items()}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """See :class:`Stepper`."""
        self._control = Control(**{field.name: state[f"control_{field.name}"].item() for field in fields(Control)})


def _rms(values: Tensor) -> float:
    """Root mean square over points of the norm over outputs; values have shape (N [, k])."""
    return float(torch.linalg.vector_norm(values, dtype=torch.float64)) / math.sqrt(values.shape[0])
