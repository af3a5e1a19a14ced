"""Functions that make the steppers of the time methods; :data:`sweepengine.time_methods.METHODS` refers to them."""

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
    """The stepper of a time method.

    Parameters
    ----------
    method : Method
    training : Training
        Training of one network, or of a group if ``method.shares_steps``.
    seed : int
        Seed of the run, on which minibatches depend.

    Returns
    -------
    Stepper

    Raises
    ------
    ValueError
        The networks of a group cannot share their steps.
    """
    if training.network.parameters.is_group and not method.shares_steps:
        raise ValueError(f"found a group of networks for {method.label}; each must be trained alone")
    steps: Stepper = resolve_name(method.entry.use("networks").steps)(method, training, seed)
    return steps


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
    """Gradient flow by adaptive steps, with the method's tolerance."""
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
    """Factor by which a mode of a linear model is multiplied when t advances by η.

    The factor is 1 + z for gradient descent, the method's own polynomial for Heun and RK4, and e^z for an adaptive
    method. So a distance between a network and its linear model does not contain the error of the steps.

    Parameters
    ----------
    method : Method
        A method with ``dynamics``.
    z : Tensor, any shape
        −ηλ/N, with the eigenvalue λ of the mode.

    Returns
    -------
    Tensor
        Of the shape of ``z``.
    """
    return z.exp() if method.entry.adaptive else _tableau(method).stability(z)
