"""The time methods by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.networks._descent import Descent, MomentumDescent
from sweepengine.networks._gradient_flow import AdaptiveFlow, FixedFlow
from sweepengine.networks._minibatches import Minibatches
from sweepengine.runge_kutta import EULER, HEUN, RK4

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks._training import Stepper, Training
    from sweepengine.spec import Method

TABLEAUS = {"gd": EULER, "heun": HEUN, "rk4": RK4}
"""The methods whose every step is one step of a Runge–Kutta method with all points."""


def stepper(method: Method, training: Training, seed: int) -> Stepper:
    """The method at work.

    Parameters
    ----------
    method : Method
    training : Training
        Of one network unless ``method.shares_steps``.
    seed : int
        Of the run; minibatches depend on it.

    Raises
    ------
    ValueError
        For a group whose networks cannot share their steps.
    """
    if training.network.parameters.is_group and not method.shares_steps:
        raise ValueError(f"found a group of networks for {method.label}; each must be trained alone")
    if method.tolerance is not None:
        return AdaptiveFlow(training, method.tolerance)
    if method.dynamics == "flow":
        return FixedFlow(training, TABLEAUS[method.name])
    batches = None
    if method.batch_size is not None:
        n = training.points.targets.shape[0]
        batches = Minibatches(seed, n, method.batch_size, bool(method.replacement))
    return Descent(training, batches) if method.beta is None else MomentumDescent(training, batches, method.beta)


def linear_factor(method: Method, z: Tensor) -> Tensor:
    """By what a mode of a linear model is multiplied when t advances by η, z = −ηλ/N.

    1 + z for gradient descent and the Runge–Kutta method's own polynomial for Heun and RK4, so that a distance to the
    linear model is not that of the step; e^z for an adaptive method.

    Parameters
    ----------
    method : Method
        With ``dynamics``.
    z : Tensor, any shape
    """
    return TABLEAUS[method.name].stability(z) if method.name in TABLEAUS else z.exp()
