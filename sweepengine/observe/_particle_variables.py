"""The variables of a sweep of particles (theory.md §5). Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.errors import SpecError
from sweepengine.observe._variable import Variable
from sweepengine.observe._variables import canonical_variables, chosen_names, user_variables
from sweepengine.spec import Run, SweepSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.spec import AnyRun, AnySpec, ParticleRun, ParticleSpec

_TIME = ("run", "record")

_VARIABLES = (
    Variable("loss_train", _TIME, "risk, mean cost of a training point", "1", "theory.md §5"),
    Variable("loss_test", _TIME, "mean cost of a test point", "1", "theory.md §5"),
    Variable("outputs_train", (*_TIME, "i"), "f_mu on the training points", "1", "theory.md §5"),
    Variable("outputs_test", (*_TIME, "test"), "f_mu on the test points", "1", "theory.md §5"),
    Variable("objective", _TIME, "F_0, the functional without its entropy", "1", "theory.md §5"),
    Variable("terms", (*_TIME, "term"), "the terms of F_0, each with its strength", "1", "theory.md §5"),
    Variable(
        "dissipation",
        _TIME,
        "integral of |grad dF_0/dmu|^2 dmu over moving coordinates: minus dF_0/dt without noise or projection",
        "1",
        "S4 §4.4",
    ),
    Variable(
        "energy_defect",
        _TIME,
        "(F_0 after one step of Euler without noise - F_0)/dt + dissipation, O(dt)",
        "1",
        "theory.md §4 wgf-energy",
    ),
    Variable("mean", (*_TIME, "coord"), "mean of each coordinate over particles", "1", "theory.md §5"),
    Variable("deviation", (*_TIME, "coord"), "standard deviation of each coordinate", "1", "theory.md §5"),
    Variable(
        "displacement",
        _TIME,
        "root mean square over particles of |theta_k(t) - theta_k(0)|",
        "1",
        "theory.md §4 mf-move",
    ),
    Variable(
        "sliced_w2_start",
        _TIME,
        "sliced W2 to the start: root mean square over 100 random directions of W2 between projections",
        "1",
        "theory.md §4 mf-w2; Rabin et al. 2011",
    ),
    Variable("sliced_w2_start_error", _TIME, "its standard error over the directions", "1", "theory.md §4 mf-w2"),
    Variable(
        "participation", _TIME, "(sum s)^2/(m sum s^2), s the rms share of each particle in the outputs", "1", "S4 §4"
    ),
    Variable("particles", ("run", "snapshot", "particle", "coord"), "all particles", "1", "theory.md §5"),
    Variable(
        "w2_start",
        _TIME,
        "W2 to the start by the optimal assignment; NaN above 4000 particles, where it is not affordable",
        "1",
        "S4 §4.3",
    ),
    Variable(
        "stationarity_gap",
        _TIME,
        "mean of dF_0/dmu over the cloud minus its least value there and on the grid",
        "1",
        "S4 §4.4",
    ),
    Variable("kernel", (*_TIME, "i", "j"), "mean-field kernel on the training points", "1", "theory.md §1"),
    Variable(
        "kernel_drift",
        _TIME,
        "relative change of the mean-field kernel, Frobenius norm of K_t - K_0 over that of K_0; NaN where K_0 = 0, "
        "which has no relative change: record kernel itself there",
        "1",
        "theory.md §4 mf-move",
    ),
    Variable(
        "weak_form_defect",
        (*_TIME, "test_function"),
        "(change of the mean of chi in one step of Euler with its noise)/dt + integral of <grad chi, grad dF_0/dmu> dmu, "
        "which is taken from F_0 alone, - tau times that of Laplace chi: O(dt), at a temperature in expectation",
        "1",
        "theory.md §4 wgf-weak; S4 §4.4 (*)",
    ),
    Variable(
        "first_variation",
        (*_TIME, "grid"),
        "dF_0/dmu at the points grid_points, without the entropy's tau (log mu + 1)",
        "1",
        "S4 §4.4",
    ),
    Variable(
        "sliced_w2_reference",
        _TIME,
        "sliced W2 to the reference: root mean square over 100 random directions of W2 between projections",
        "1",
        "theory.md §4 mf-w2; Rabin et al. 2011",
    ),
    Variable("sliced_w2_reference_error", _TIME, "its standard error over the directions", "1", "theory.md §4 mf-w2"),
    Variable(
        "w2_reference",
        _TIME,
        "W2 to the reference: of particles with one coordinate by sorting, else by the optimal assignment",
        "1",
        "S4 §4.3",
    ),
)

PARTICLE_VARIABLES: dict[str, Variable] = {variable.name: variable for variable in _VARIABLES}
"""Every variable that a spec of particles may name, in the order in which they are listed."""

TEST_FUNCTIONS = ("sum", "last", "square", "sine", "bump")
"""Those of ``weak_form_defect``: names of :data:`sweepengine.particles.TEST_FUNCTIONS`."""

_ON_REQUEST = frozenset(
    {"w2_start", "stationarity_gap", "kernel", "kernel_drift", "weak_form_defect", "first_variation", "w2_reference"}
)
_OWN = "Observables of your own are of networks; of particles record `particles` and compute from the snapshots."
_OF_NEURONS = frozenset({"kernel", "kernel_drift"})
OF_THE_RISK = frozenset(
    {"loss_train", "loss_test", "outputs_train", "outputs_test", "participation", "kernel", "kernel_drift"}
)
"""Variables that need outputs."""
_OF_THE_REFERENCE = frozenset({"sliced_w2_reference", "sliced_w2_reference_error", "w2_reference"})
_ON_THE_GRID = frozenset({"stationarity_gap", "first_variation"})


def canonical_names(spec: AnySpec, user: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The variables that a spec names, in its registry's order; empty for the default set.

    Parameters
    ----------
    spec : SweepSpec or ParticleSpec
    user : mapping, optional
        The users' observables of networks, name → ``name@version``; those registered in this process where not given.

    Returns
    -------
    tuple of str
        Equal choices give equal tuples, so that a run's id does not know the order of a list.

    Raises
    ------
    SpecError
        A name is unknown, or not defined for this functional; the message lists the known ones.
    """
    if isinstance(spec, SweepSpec):
        own = user_variables() if user is None else user
        method, of_module = spec.training.method.method(), spec.network.model is not None
        return canonical_variables(spec.observables, spec.training.loss, method, own, of_module=of_module)
    has_risk, snapshots, noise = spec.unit is not None, spec.dynamics.snapshots > 0, any(spec.temperatures)
    defaults = _defaults(has_risk=has_risk, snapshots=snapshots, reference=spec.reference is not None)
    chosen = defaults if spec.observables is None else chosen_names(spec.observables, PARTICLE_VARIABLES, _OWN)
    _refuse_what_is_not_used(spec, chosen)
    for name in chosen:
        if name in OF_THE_RISK and not has_risk:
            raise SpecError(f"observables: {name} needs outputs, and no term is a risk; leave it out")
        if name in _OF_NEURONS and spec.neuron is None:
            raise SpecError(
                f"observables: {name} is that of neurons, and unit.name is a unit of your own; leave it out"
            )
        if name == "particles" and not snapshots:
            raise SpecError("observables: particles is kept at snapshots, and there are none; set dynamics.snapshots")
        if name in _OF_THE_REFERENCE and spec.reference is None:
            raise SpecError(f"observables: {name} needs a cloud to measure to; set reference to its file")
        if name == "stationarity_gap" and noise:
            raise SpecError(
                "observables: stationarity_gap is not known at a temperature, whose τ(log μ + 1) no cloud has; leave it out"
            )
    return () if chosen == defaults else chosen


def _refuse_what_is_not_used(spec: ParticleSpec, chosen: Sequence[str]) -> None:
    for field, given, users in (
        ("grid", spec.grid, _ON_THE_GRID),
        ("reference", spec.reference, _OF_THE_REFERENCE),
    ):
        if given is not None and not users & set(chosen):
            raise SpecError(
                f"{field}: given, and nothing that is recorded uses it; name {' or '.join(sorted(users))} under "
                "observables, or remove it"
            )


def _defaults(*, has_risk: bool, snapshots: bool, reference: bool) -> tuple[str, ...]:
    absent = set(_ON_REQUEST)
    absent |= set() if has_risk else OF_THE_RISK
    absent |= set() if snapshots else {"particles"}
    absent |= set() if reference else _OF_THE_REFERENCE
    return tuple(name for name in PARTICLE_VARIABLES if name not in absent)


def particle_variables_of(run: ParticleRun) -> tuple[Variable, ...]:
    """What a run records."""
    names = run.observables or _defaults(
        has_risk=run.has_risk, snapshots=bool(run.snapshots), reference=run.reference is not None
    )
    return tuple(PARTICLE_VARIABLES[name] for name in names)


def given_ids(run: AnyRun) -> dict[str, str]:
    """Kind → id of what a run needs beside its data, as :class:`sweepengine.data.Given` has them."""
    if isinstance(run, Run):
        return {"weights": run.architecture.weights} if run.architecture.weights else {}
    found = {} if run.reference is None else {"reference": run.reference}
    if _ON_THE_GRID & set(run.observables):  # none of them is in a default set
        found["grid"] = run.grid_id
    return found
