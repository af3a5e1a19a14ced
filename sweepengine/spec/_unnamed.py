"""The observables that were recorded by default when ids were first made; the id of a run with these names none.

These sets are frozen: they are part of the format of ids, and of runs in kept states, whose empty list of observables
means them. If the default set of observables ever grows, an id names the larger set in full.
"""

from __future__ import annotations

UNNAMED_OF_NETWORKS = (
    "loss_train", "loss_test", "outputs_train", "outputs_test", "kernel", "kernel_drift", "movement_relative",
    "movement_row_max", "movement_op", "movement_total",
)  # fmt: skip
_OF_A_RISK = {"loss_train", "loss_test", "outputs_train", "outputs_test", "participation"}
_OF_A_REFERENCE = {"sliced_w2_reference", "sliced_w2_reference_error"}
_OF_PARTICLES = (
    "loss_train", "loss_test", "outputs_train", "outputs_test", "objective", "terms", "dissipation", "energy_defect",
    "mean", "deviation", "displacement", "sliced_w2_start", "sliced_w2_start_error", "participation", "particles",
    "sliced_w2_reference", "sliced_w2_reference_error",
)  # fmt: skip


def unnamed_of_particles(*, has_risk: bool, has_snapshots: bool, has_reference: bool) -> tuple[str, ...]:
    """The observables that the id of a run of particles leaves unnamed, given what the run has."""
    absent = set() if has_risk else set(_OF_A_RISK)
    absent |= set() if has_snapshots else {"particles"}
    absent |= set() if has_reference else _OF_A_REFERENCE
    return tuple(name for name in _OF_PARTICLES if name not in absent)
