"""The time methods at work, as :data:`sweepengine.time_methods.METHODS` refers to them."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from sweepengine.networks._descent import Descent, MomentumDescent
from sweepengine.networks._gradient_flow import AdaptiveFlow, FixedFlow
from sweepengine.networks._minibatches import Minibatches

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.networks._training import Stepper, Training
    from sweepengine.runge_kutta import Tableau
    from sweepengine.spec import Method


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
    made: Stepper = resolve_name(method.entry.use("networks").steps)(method, training, seed)
    return made


def descent(method: Method, training: Training, seed: int) -> Stepper:
    """Gradient descent, with all points or minibatches."""
    return Descent(training, _batches(method, training, seed))


def momentum(method: Method, training: Training, seed: int) -> Stepper:
    """Descent with momentum ``method.beta``, with all points or minibatches."""
    return MomentumDescent(training, _batches(method, training, seed), _given(method.beta))


def fixed_flow(method: Method, training: Training, _seed: int) -> Stepper:
    """Gradient flow by equal steps of the method's tableau."""
    return FixedFlow(training, _tableau(method))


def adaptive_flow(method: Method, training: Training, _seed: int) -> Stepper:
    """Gradient flow by steps of the method's tolerance."""
    return AdaptiveFlow(training, _given(method.tolerance))


def _batches(method: Method, training: Training, seed: int) -> Minibatches | None:
    if method.batch_size is None:
        return None
    return Minibatches(seed, training.points.targets.shape[0], method.batch_size, bool(method.replacement))


def _tableau(method: Method) -> Tableau:
    reference = method.entry.tableau
    if reference is None:
        raise AssertionError(f"time method {method.name!r} has no tableau")
    tableau: Tableau = resolve_name(reference)
    return tableau


def _given(parameter: float | None) -> float:
    if parameter is None:
        raise AssertionError("the spec gives every parameter of its method")
    return parameter


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
    return z.exp() if method.entry.adaptive else _tableau(method).stability(z)
