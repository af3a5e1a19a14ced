"""Every quantity that the summary and the report show: its formula, unit and source, stated once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

LAYER_SEPARATOR: Final = "/"


@dataclass(frozen=True, slots=True)
class Quantity:
    """An observable of a run, reduced over its records to one number (or one a layer).

    Attributes
    ----------
    name
        Key in tables, fits and files.
    variable
        The store's variable that it is reduced from.
    reduction
        `sup` over records, or the `final` record.
    title
        A few words for tables and axes.
    symbol
        The formula as plain text; m width, t training time, N points, L hidden layers.
    unit
        "1" where the quantity is a ratio or a number.
    source
        Seed and equation, or the section of theory.md.
    by_layer
        Whether there is one number a layer.
    """

    name: str
    variable: str
    reduction: Literal["sup", "final"]
    title: str
    symbol: str
    unit: str
    source: str
    by_layer: bool = False


QUANTITIES: Final[tuple[Quantity, ...]] = (
    Quantity(
        "kernel_drift",
        "kernel_drift",
        "sup",
        "kernel drift",
        "sup_t ‖Θ_t − Θ_0‖_F / ‖Θ_0‖_F on the train points, norm taken in each run, then averaged over seeds",
        "1",
        "theory.md §4 ntk-const: S0; S3 Thm 2; S1 eq 81",
    ),
    Quantity(
        "movement_total",
        "movement_total",
        "sup",
        "relative movement",
        "sup_t ‖θ_t − θ_0‖ / ‖θ_0‖ over all parameters, trained or not",
        "1",
        "theory.md §4 lazy: S2 §1.8; S1 eq 81; S3 lemma 1; S4 thm 8",
    ),
    Quantity(
        "movement_relative",
        "movement_relative",
        "sup",
        "relative movement of a layer",
        "sup_t ‖W^l_t − W^l_0‖_F / ‖W^l_0‖_F; the last l is the read-out",
        "1",
        "theory.md §4 lazy",
        by_layer=True,
    ),
    Quantity(
        "movement_op",
        "movement_op",
        "sup",
        "operator-norm movement of a layer",
        "sup_t ‖W^l_t − W^l_0‖_op / √m",
        "1",
        "theory.md §4 lazy",
        by_layer=True,
    ),
    Quantity(
        "loss_train",
        "loss_train",
        "final",
        "final train loss",
        "R = (1/N) Σ_i ℓ(f(x_i), y_i) at the last record, on the train points; ½ Σ_o (f_o − y_o)² for mse",
        "1",
        "theory.md §1: S0, S2, S4",
    ),
    Quantity(
        "loss_test",
        "loss_test",
        "final",
        "final test loss",
        "the same on the test points",
        "1",
        "theory.md §1: S0, S2, S4",
    ),
    Quantity(
        "accuracy_test",
        "outputs_test",
        "final",
        "test accuracy",
        "share of test points with sign f(x) = sign y, or argmax_o f_o(x) = argmax_o y_o of several outputs, at the last "
        "record; f(x) = 0 or a tie counts as wrong",
        "1",
        "S4 §3.2",
    ),
)

FITTED: Final = ("kernel_drift", "movement_total", "movement_relative", "movement_op")
"""Quantities whose power of m is fitted; each is an average over seeds of norms taken in each run."""
HEADLINES: Final = ("kernel_drift", "movement_total")
"""Those that the summary shows for every group."""


PARTICLE_QUANTITIES: Final[tuple[Quantity, ...]] = (
    Quantity(
        "chaos_outputs",
        "outputs_test",
        "final",
        "distance of outputs to the widest",
        "(1/N Σ_i (f^m(x_i) − f^M(x_i))²)^1/2 / √(1 − m/M) on the test points, against the widest run M of the same seed, "
        "whose particles begin with those of m",
        "1",
        "theory.md §4 mf-limit: S4 §4",
    ),
    Quantity(
        "chaos_particles",
        "particles",
        "final",
        "distance of particles to the widest",
        "(1/m Σ_k |θ^m_k − θ^M_k|²)^1/2 / √(1 − m/M) at the last snapshot: the same particle with and without the others",
        "1",
        "theory.md §4 mf-limit: S4 §4",
    ),
    Quantity("objective", "objective", "final", "F₀", "the functional without its entropy", "1", "theory.md §5"),
    Quantity(
        "loss_train", "loss_train", "final", "final train loss", "mean cost of a train point", "1", "theory.md §5"
    ),
    Quantity("loss_test", "loss_test", "final", "final test loss", "mean cost of a test point", "1", "theory.md §5"),
    Quantity(
        "displacement",
        "displacement",
        "final",
        "rms displacement",
        "(1/m Σ_k |θ_k(t) − θ_k(0)|²)^1/2 at the last record",
        "1",
        "theory.md §4 mf-move",
    ),
    Quantity(
        "sliced_w2_start",
        "sliced_w2_start",
        "final",
        "sliced W₂ to the start",
        "root mean square over 100 random directions of W₂ between the projected clouds, at the last record",
        "1",
        "theory.md §4 mf-w2",
    ),
)


@dataclass(frozen=True, slots=True)
class SweepKind:
    """What the analysis makes of the sweeps of one kind.

    Attributes
    ----------
    quantities
        To which every run is reduced.
    fitted
        Names of those whose power of the width is fitted.
    headlines
        Names of those that the summary shows for every group.
    level
        Name of the one whose mean at the largest width it shows.
    curves
        Variable, title and sentence of each figure over time.
    axes
        Run coordinates that part the runs into groups, beside those of every sweep.
    limits
        Variable of a curve → variable of what infinite width predicts for it.
    """

    name: str
    quantities: tuple[Quantity, ...]
    fitted: tuple[str, ...]
    headlines: tuple[str, ...]
    level: str
    curves: tuple[tuple[str, str, str], ...]
    axes: tuple[str, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)


NETWORKS: Final = SweepKind(
    "networks",
    QUANTITIES,
    FITTED,
    HEADLINES,
    "accuracy_test",
    (
        ("loss_train", "train loss", "Train loss"),
        ("loss_test", "test loss", "Test loss"),
        ("kernel_drift", "kernel drift", "Relative change of the kernel since t = 0"),
    ),
)
PARTICLES: Final = SweepKind(
    "particles",
    PARTICLE_QUANTITIES,
    ("chaos_outputs", "chaos_particles"),
    ("chaos_outputs", "chaos_particles"),
    "loss_test",
    (
        ("loss_train", "train loss", "Risk on the train points"),
        ("loss_test", "test loss", "Risk on the test points"),
        ("objective", "F₀", "The functional without its entropy"),
        ("dissipation", "dissipation", "Dissipation, minus the rate of F₀ without noise or projection"),
        ("sliced_w2_start", "sliced W₂ to the start", "Sliced W₂ between the cloud and its start"),
        ("sliced_w2_reference", "sliced W₂ to the reference", "Sliced W₂ between the cloud and the given reference"),
        ("w2_reference", "W₂ to the reference", "W₂ between the cloud and the given reference"),
    ),
    ("temperature",),
    {"loss_test": "risk_limit"},
)
KINDS: Final = {kind.name: kind for kind in (NETWORKS, PARTICLES)}


def quantity(name: str) -> Quantity:
    """Return the quantity of a key such as `kernel_drift` or `movement_op/W0`."""
    base = name.split(LAYER_SEPARATOR, 1)[0]
    return next(q for kind in KINDS.values() for q in kind.quantities if q.name == base)


def title_of(name: str) -> str:
    """Return the title of a key, with its layer if it has one."""
    base = quantity(name)
    layer = name.partition(LAYER_SEPARATOR)[2]
    return f"{base.title.removesuffix(' of a layer')}, {layer}" if layer else base.title
