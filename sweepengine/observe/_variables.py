"""What is measured at a record: every variable's name, dims, meaning, unit and source. Imports no torch."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sweepengine.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OUTPUT_DIMS = ("output", "output_other")
"""Dims over the k outputs, which a variable has for k ≥ 2 only."""
SNAPSHOT = "snapshot"
"""The dim, in the place of ``record``, of what is kept at some records only."""


@dataclass(frozen=True)
class Variable:
    """One stored observable.

    Attributes
    ----------
    name : str
    dims : tuple of str
        Always beginning with ``run, record``, or ``run, snapshot`` for what is kept at some records only; the values are floats of the run's precision. The dims
        :data:`OUTPUT_DIMS` are there for k ≥ 2 outputs only; see :func:`variables_of`.
    long_name, units, source : str
        ``units`` is "1" for a number without unit; ``source`` cites the definition.
    needs_mse : bool
        Whether it is defined for the squared error only.
    """

    name: str
    dims: tuple[str, ...]
    long_name: str
    units: str
    source: str
    needs_mse: bool = False

    @property
    def is_snapshot(self) -> bool:
        """Whether it is kept at some records only."""
        return self.dims[1] == SNAPSHOT

    def to_json(self) -> dict[str, Any]:
        """What a store says of it, as plain values."""
        description = {"long_name": self.long_name, "units": self.units, "source": self.source}
        return {"name": self.name, "dims": list(self.dims)} | description

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Variable:
        """A variable from what a store says of it."""
        return cls(**content | {"dims": tuple(content["dims"])})


_DEFAULT = (
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
    Variable(
        "outputs_train", ("run", "record", "i", "output"), "network output on the training points", "1", "theory.md §1"
    ),
    Variable(
        "outputs_test", ("run", "record", "test", "output"), "network output on the test points", "1", "theory.md §1"
    ),
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

_ON_REQUEST = (
    Variable("accuracy_train", ("run", "record"), "share of training points with the target's sign", "1", "S4 §3.2"),
    Variable("accuracy_test", ("run", "record"), "share of test points with the target's sign", "1", "S4 §3.2"),
    Variable(
        "kernel_test_train",
        ("run", "record", "test", "i"),
        "tangent kernel between test and training points",
        "1",
        "theory.md §2, S0 §2",
    ),
    Variable(
        "kernel_eigenvalues", ("run", "record", "mode"), "eigenvalues of the kernel, ascending", "1", "S2 §1.7, S3 §7"
    ),
    Variable(
        "kernel_drift_op",
        ("run", "record"),
        "relative change of the tangent kernel, operator norm of Theta_t - Theta_0 over that of Theta_0",
        "1",
        "theory.md §4 ntk-const",
    ),
    Variable(
        "kernel_alignment",
        ("run", "record"),
        "kernel-target alignment y' Theta y / (|Theta|_F |y|^2)",
        "1",
        "Cristianini et al. 2001",
    ),
    Variable(
        "kernel_cka",
        ("run", "record"),
        "centred alignment of the kernel with that at t = 0",
        "1",
        "Cortes et al. 2012; Kornblith et al. 2019",
    ),
    Variable(
        "preactivation_movement",
        ("run", "record", "hidden"),
        "root mean square over points and neurons of the change of pre-activations",
        "1",
        "theory.md §4 preact, S3 §5.3",
    ),
    Variable(
        "activation_flips",
        ("run", "record", "hidden"),
        "share of (point, neuron) pairs whose pre-activation has changed its sign",
        "1",
        "S4 lemma 7",
    ),
    Variable(
        "linear_distance_train",
        ("run", "record"),
        "root mean square over training points of f_t - f_t^lin, with the same steps of gradient descent",
        "1",
        "theory.md §4 linear, S1 eqs 64-74",
        needs_mse=True,
    ),
    Variable(
        "linear_distance_test",
        ("run", "record"),
        "root mean square over test points of f_t - f_t^lin, with the same steps of gradient descent",
        "1",
        "theory.md §4 linear, S1 eqs 64-74",
        needs_mse=True,
    ),
)

VARIABLES: dict[str, Variable] = {variable.name: variable for variable in (*_DEFAULT, *_ON_REQUEST)}
"""Every variable that a spec may name, in the order in which they are listed."""

DEFAULT_VARIABLES: tuple[str, ...] = tuple(variable.name for variable in _DEFAULT)
"""What is recorded where a spec does not say."""


def chosen_names(names: Sequence[str], known: Mapping[str, Variable]) -> tuple[str, ...]:
    """The names in the order of a registry. Raises :class:`SpecError` for one that it lacks, with the known ones."""
    unknown = [name for name in names if name not in known]
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise SpecError(f"observables: found {unknown[0]!r}.{hint} Allowed: {', '.join(known)}")
    return tuple(name for name in known if name in names)


def canonical_variables(names: Sequence[str] | None, loss: str) -> tuple[str, ...]:
    """The named variables in the registry's order; empty for the default set.

    Parameters
    ----------
    names : sequence of str, or None
        None for the default set.
    loss : str
        The spec's loss.

    Returns
    -------
    tuple of str
        Equal choices give equal tuples, so that a run's id does not know the order of a list.

    Raises
    ------
    SpecError
        A name is unknown, or not defined for this loss; the message lists the known ones.
    """
    if names is None:
        return ()
    chosen = chosen_names(names, VARIABLES)
    undefined = [name for name in chosen if VARIABLES[name].needs_mse and loss != "mse"]
    if undefined:
        raise SpecError(f"observables: {undefined[0]} is defined for training.loss mse, found {loss!r}; leave it out")
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
