"""The findings for sweeps of interacting particles."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from sweepengine.analysis._coupled import coupled_distances, why_no_distance
from sweepengine.analysis._findings import Curve, Findings
from sweepengine.analysis._quantities import Quantity
from sweepengine.analysis._reductions import Reduction, final, last

if TYPE_CHECKING:
    import xarray as xr


def _outputs_apart(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    outputs = np.asarray(last(done["outputs_test"], done), np.float64)
    return _column(done, coupled_distances(done.drop_vars("particles", errors="ignore"), outputs)["chaos_outputs"])


def _particles_apart(done: xr.Dataset, _: xr.Dataset) -> xr.DataArray:
    return _column(done, coupled_distances(done, None)["chaos_particles"])


def _column(done: xr.Dataset, values: xr.Variable) -> xr.DataArray:
    return done["width"].copy(data=values.values).rename(None)


CHAOS_OUTPUTS: Final = Quantity(
    "chaos_outputs",
    Reduction("final", _outputs_apart, {"outputs_test": ("run", "record", "test")}),
    "distance of outputs to the widest",
    "(1/N Σ_i (f^m(x_i) − f^M(x_i))²)^1/2 / √(1 − m/M) on the test points, against the widest run M of the same seed, "
    "which begins with the same m particles or neurons",
    "theory.md §5.6; Mei et al. 2018; Wide-network notes, §4",
    against_widest=True,
    why_none=partial(why_no_distance, "chaos_outputs"),
)
CHAOS_PARTICLES: Final = Quantity(
    "chaos_particles",
    Reduction("final", _particles_apart, {"particles": ("run", "snapshot", "particle", "coord")}),
    "distance of particles to the widest",
    "(1/m Σ_k |θ^m_k − θ^M_k|²)^1/2 / √(1 − m/M) at the last snapshot, against the widest run M of the same seed, "
    "whose particles begin with those of m",
    "theory.md §5.6; Mei et al. 2018; Wide-network notes, §4",
    against_widest=True,
    why_none=partial(why_no_distance, "chaos_particles"),
)
OBJECTIVE: Final = Quantity(
    "objective", final("objective"), "F₀", "the functional without its entropy", "theory.md §5.1", fitted=False
)
LOSS_TRAIN: Final = Quantity(
    "loss_train", final("loss_train"), "final train loss", "mean cost of a train point", "theory.md §5.1", fitted=False
)
LOSS_TEST: Final = Quantity(
    "loss_test", final("loss_test"), "final test loss", "mean cost of a test point", "theory.md §5.1", fitted=False
)
DISPLACEMENT: Final = Quantity(
    "displacement",
    final("displacement"),
    "rms displacement",
    "(1/m Σ_k |θ_k(t) − θ_k(0)|²)^1/2 at the last record",
    "theory.md §7 mf-move",
    fitted=False,
)
SLICED_W2_START: Final = Quantity(
    "sliced_w2_start",
    final("sliced_w2_start"),
    "sliced W₂ to the start",
    "root mean square over 100 random directions of W₂ between the projected clouds, at the last record",
    "theory.md §7 mf-w2",
    fitted=False,
)

PARTICLES: Final = Findings(
    name="particles",
    quantities=(CHAOS_OUTPUTS, CHAOS_PARTICLES, OBJECTIVE, LOSS_TRAIN, LOSS_TEST, DISPLACEMENT, SLICED_W2_START),
    headlines=("chaos_outputs", "chaos_particles"),
    level="loss_test",
    curves=(
        Curve("loss_train", "train loss", "Risk on the train points"),
        Curve("loss_test", "test loss", "Risk on the test points", "risk_limit"),
        Curve("objective", "F₀", "The functional without its entropy", repeats="loss_train"),
        Curve("dissipation", "dissipation", "Dissipation, minus the rate of F₀ without noise or projection"),
        Curve("sliced_w2_start", "sliced W₂ to the start", "Sliced W₂ between the cloud and its start"),
        Curve(
            "sliced_w2_reference", "sliced W₂ to the reference", "Sliced W₂ between the cloud and the given reference"
        ),
        Curve("w2_reference", "W₂ to the reference", "W₂ between the cloud and the given reference"),
        Curve("kernel_drift", "kernel drift", "Relative change of the mean-field kernel since t = 0"),
        Curve(
            "stationarity_gap", "stationarity gap", "Mean of the first variation over the cloud, less its least value,"
        ),
    ),
    width_title="Propagation of chaos",
    width_text=(
        "Distance at the end between a cloud of m particles and the widest one of the same seed and noise, which "
        "begins with the same m particles; divided by √(1 − m/M) because the widest is finite too."
    ),
    further_figures=(
        "sweepengine.analysis._exponent_figures:exponent_figures",
        "sweepengine.analysis._clouds:cloud_figures",
    ),
    axes=("temperature",),
)
