"""What is measured at a record: every variable's name, dims, meaning, unit and source. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


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


VARIABLES: tuple[Variable, ...] = (
    Variable("loss_train", ("run", "record"), "training loss (1/2N) sum (f - y)^2", "1", "theory.md §1"),
    Variable("loss_test", ("run", "record"), "test loss (1/2N) sum (f - y)^2", "1", "theory.md §1"),
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
