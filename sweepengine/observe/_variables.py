"""The registry of variables, and what a spec may choose of it. Imports no torch."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from sweepengine.errors import SpecError
from sweepengine.observe._catalogue import DEFAULT, ON_REQUEST
from sweepengine.observe._variable import OUTPUT_DIMS, Variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.spec import Method

VARIABLES: dict[str, Variable] = {variable.name: variable for variable in (*DEFAULT, *ON_REQUEST)}
"""Every variable that a spec may name, in the order in which they are listed."""

DEFAULT_VARIABLES: tuple[str, ...] = tuple(variable.name for variable in DEFAULT)
"""What is recorded where a spec does not say."""


def chosen_names(names: Sequence[str], known: Mapping[str, Variable]) -> tuple[str, ...]:
    """The names in the order of a registry. Raises :class:`SpecError` for one that it lacks, with the known ones."""
    unknown = [name for name in names if name not in known]
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise SpecError(f"observables: found {unknown[0]!r}.{hint} Allowed: {', '.join(known)}")
    return tuple(name for name in known if name in names)


def canonical_variables(names: Sequence[str] | None, loss: str, method: Method) -> tuple[str, ...]:
    """The named variables in the registry's order; empty for the default set.

    Parameters
    ----------
    names : sequence of str, or None
        None for the default set.
    loss : str
        The spec's loss.
    method : Method

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
    chosen = chosen_names(names, VARIABLES)
    undefined = [name for name in chosen if VARIABLES[name].needs_mse and loss != "mse"]
    if undefined:
        raise SpecError(f"observables: {undefined[0]} is defined for training.loss mse, found {loss!r}; leave it out")
    undefined = [name for name in chosen if VARIABLES[name].needs_closed_form and method.dynamics is None]
    if undefined:
        raise SpecError(
            f"observables: {undefined[0]} compares with gradient descent or flow on a linear model; found "
            f"training.method {method.name}; leave it out, or train by gd, heun, rk4 or rk45"
        )
    return () if chosen == DEFAULT_VARIABLES else chosen


def variables_of(names: Sequence[str], outputs: int = 1) -> tuple[Variable, ...]:
    """The variables of a canonical choice, as :func:`canonical_variables` gives it, with the dims that they have.

    Parameters
    ----------
    names : sequence of str
        Empty for the default set.
    outputs : int
        k; for a single output the dims over outputs vanish.
    """
    chosen = [VARIABLES[name] for name in names or DEFAULT_VARIABLES]
    if outputs > 1:
        return tuple(chosen)
    return tuple(replace(each, dims=tuple(dim for dim in each.dims if dim not in OUTPUT_DIMS)) for each in chosen)
