"""The registry of variables, and what a spec may choose of it. Imports no torch."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from sweepengine.errors import SpecError, shown
from sweepengine.observe._catalogue import DEFAULT, ON_REQUEST
from sweepengine.observe._variable import OUTPUT_DIMS, Variable
from sweepengine.plugins import current, find

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sweepengine.spec import Method

VARIABLES: dict[str, Variable] = {variable.name: variable for variable in (*DEFAULT, *ON_REQUEST)}
"""Every variable that a spec may name, in the order in which they are listed."""

DEFAULT_VARIABLES: tuple[str, ...] = tuple(variable.name for variable in DEFAULT)
"""What is recorded where a spec does not say."""


OF_MODULES = frozenset(
    {*DEFAULT_VARIABLES, "accuracy_train", "accuracy_test", "residual_norm", "residual_modes", "weights"}
    | {"kernel_full", "kernel_diagonal", "kernel_test_train", "kernel_eigenvalues", "kernel_lambda_min"}
    | {"kernel_lambda_max", "kernel_effective_rank", "kernel_drift_op", "kernel_alignment", "kernel_cka"}
    | {"movement_frobenius", "movement_rms_entry", "linear_distance_train", "linear_distance_test"}
    | {"random_feature_distance", "linear_params_distance"}
    | {"solver_steps", "solver_rejected", "solver_forced", "solver_step_smallest"}
)
"""What can be said of a model of the user's own, whose layers are not known; its own parameters stand for ``layer``."""


def user_variables() -> dict[str, str]:
    """Name → ``name@version`` of the observables that users have registered in this process."""
    return {name: entry.key for name, entry in current("observable").items()}


def chosen_names(
    names: Sequence[str],
    known: Collection[str],
    own: str = "If it is one of your own: did you forget --plugin FILE, or plugins=[…] in Python?",
) -> tuple[str, ...]:
    """The names in the order of a registry. Raises :class:`SpecError` for one that it lacks, with the known ones.

    ``own`` is what to say to a user who means an observable of their own.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise SpecError(f"observables: found {shown(unknown[0])}.{hint} Allowed: {', '.join(known)}. {own}")
    return tuple(name for name in known if name in names)


def canonical_variables(
    names: Sequence[str] | None, loss: str, method: Method, user: Mapping[str, str], *, of_module: bool = False
) -> tuple[str, ...]:
    """The named variables in the registry's order, then the users' as ``name@version``; empty for the default set.

    Parameters
    ----------
    names : sequence of str, or None
        None for the default set.
    loss : str
        The spec's loss.
    method : Method
    user : mapping
        As :func:`user_variables` gives it.
    of_module : bool
        Whether they are to be recorded of a model of the user's own.

    Returns
    -------
    tuple of str
        Equal choices give equal tuples, so that a run's id does not know the order of a list.

    Raises
    ------
    SpecError
        A name is unknown, or not defined for this loss or method; the message lists the known ones.
    """
    if names is None:
        return ()
    named = chosen_names(names, [*VARIABLES, *sorted(user)])
    chosen = tuple(name for name in named if name in VARIABLES)
    layered = [name for name in chosen if of_module and name not in OF_MODULES]
    if layered:
        raise SpecError(
            f"observables: {layered[0]} looks into the layers of the fully connected network, which a model of your own "
            f"does not show; leave it out. A model has: {', '.join(name for name in VARIABLES if name in OF_MODULES)}"
        )
    undefined = [name for name in chosen if VARIABLES[name].needs_mse and loss != "mse"]
    if undefined:
        raise SpecError(f"observables: {undefined[0]} is defined for training.loss mse, found {loss!r}; leave it out")
    undefined = [name for name in chosen if VARIABLES[name].needs_closed_form and method.dynamics is None]
    if undefined:
        raise SpecError(
            f"observables: {undefined[0]} compares with gradient descent or flow on a linear model; found "
            f"training.method {method.name}; leave it out, or train by gd, heun, rk4 or rk45"
        )
    chosen += tuple(user[name] for name in named if name in user)
    return () if chosen == DEFAULT_VARIABLES else chosen


def variable_of(name: str) -> Variable:
    """The variable of a canonical name. Raises :class:`SpecError` for one of a user that is not registered."""
    if "@" not in name:
        return VARIABLES[name]
    variable: Variable = find("observable", name).content.variable
    return variable


def variables_of(names: Sequence[str], outputs: int = 1) -> tuple[Variable, ...]:
    """The variables of a canonical choice, as :func:`canonical_variables` gives it, with the dims that they have.

    Parameters
    ----------
    names : sequence of str
        Empty for the default set.
    outputs : int
        k; for a single output the dims over outputs vanish.
    """
    chosen = [variable_of(name) for name in names or DEFAULT_VARIABLES]
    if outputs > 1:
        return tuple(chosen)
    return tuple(replace(each, dims=tuple(dim for dim in each.dims if dim not in OUTPUT_DIMS)) for each in chosen)
