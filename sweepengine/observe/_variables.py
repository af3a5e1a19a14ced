"""What is measured at a record: every variable's name, dims, meaning, unit and source. Imports no torch."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepengine.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Variable:
    """One stored observable.

    Attributes
    ----------
    name : str
    dims : tuple of str
        Always beginning with ``run, record``; the values are floats of the run's precision.
    long_name, units, source : str
        ``units`` is "1" for a number without unit; ``source`` cites the definition.
    """

    name: str
    dims: tuple[str, ...]
    long_name: str
    units: str
    source: str


_ALL = (
    Variable(
        "loss_train",
        ("run", "record"),
        "training loss, mean cost of a training point; (1/2N) sum (f - y)^2 for mse",
        "1",
        "theory.md §1",
    ),
    Variable(
        "loss_test",
        ("run", "record"),
        "test loss, mean cost of a test point; (1/2N) sum (f - y)^2 for mse",
        "1",
        "theory.md §1",
    ),
    Variable("outputs_train", ("run", "record", "i"), "network output on the training points", "1", "theory.md §1"),
    Variable("outputs_test", ("run", "record", "test"), "network output on the test points", "1", "theory.md §1"),
    Variable(
        "kernel", ("run", "record", "i", "j"), "tangent kernel on the training points", "1", "theory.md §2, S0 §2"
    ),
    Variable(
        "kernel_drift",
        ("run", "record"),
        "relative change of the tangent kernel, Frobenius norm of Theta_t - Theta_0 over that of Theta_0",
        "1",
        "theory.md §4 ntk-const",
    ),
    Variable(
        "movement_relative",
        ("run", "record", "layer"),
        "Frobenius norm of a layer's parameter change over that of its initial parameters",
        "1",
        "theory.md §4 lazy",
    ),
    Variable(
        "movement_row_max",
        ("run", "record", "layer"),
        "largest Euclidean norm of one neuron's parameter change",
        "1",
        "theory.md §4 lazy, S4 thm 8",
    ),
    Variable(
        "movement_op",
        ("run", "record", "layer"),
        "operator norm of a layer's parameter change over sqrt(width)",
        "1",
        "theory.md §4 lazy",
    ),
    Variable(
        "movement_total",
        ("run", "record"),
        "Euclidean norm of the change of all parameters over that of the initial parameters",
        "1",
        "theory.md §4 lazy",
    ),
)

VARIABLES: dict[str, Variable] = {variable.name: variable for variable in _ALL}
"""Every variable that a spec may name, in the order in which they are listed."""

DEFAULT_VARIABLES: tuple[str, ...] = tuple(VARIABLES)
"""What is recorded where a spec does not say."""


def canonical_variables(names: Sequence[str] | None) -> tuple[str, ...]:
    """The named variables in the registry's order; empty for the default set.

    Parameters
    ----------
    names : sequence of str, or None
        None for the default set.

    Returns
    -------
    tuple of str
        Equal choices give equal tuples, so that a run's id does not know the order of a list.

    Raises
    ------
    SpecError
        A name is unknown; the message lists the known ones.
    """
    if names is None:
        return ()
    unknown = [name for name in names if name not in VARIABLES]
    if unknown:
        close = difflib.get_close_matches(unknown[0], VARIABLES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise SpecError(f"observables: found {unknown[0]!r}.{hint} Allowed: {', '.join(VARIABLES)}")
    chosen = tuple(name for name in VARIABLES if name in names)
    return () if chosen == DEFAULT_VARIABLES else chosen


def variables_of(names: Sequence[str]) -> tuple[Variable, ...]:
    """The variables of a canonical choice, as :func:`canonical_variables` gives it."""
    return tuple(VARIABLES[name] for name in names or DEFAULT_VARIABLES)
