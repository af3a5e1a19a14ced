"""Prediction of the radial reduction for data on two shells (Mei et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.spec import RADII
from sweepengine.store import StoredArray

if TYPE_CHECKING:
    import torch

    from sweepengine.spec import ParticleRun


def predict_radial(run: ParticleRun) -> dict[str, StoredArray]:
    """Population risk at every record of the infinitely large cloud, whose law moves along |w| alone.

    Parameters
    ----------
    run : ParticleRun
        A run with :attr:`ParticleRun.radial`. Its number of particles and its seed do not matter.

    Returns
    -------
    dict of StoredArray
        ``risk`` at every record, with the run's own method and steps. So the run differs from it only by its finite
        number of particles and of points.
    """
    from sweepengine import particles

    if run.radial is None:
        raise AssertionError("only runs with a radial reduction name a limit")
    d, delta, kappa = run.radial
    start, masses = particles.radial_quadrature(RADII, d, kappa)
    functional = particles.Functional([particles.MassRisk(particles.radial_risk(d, delta), masses)])
    risks = np.full(len(run.record_steps), np.nan)
    places = {step: record for record, step in enumerate(run.record_steps)}

    def observe(step: int, _time: float, cloud: torch.Tensor) -> None:
        if step in places:
            risks[places[step]] = functional.value(cloud)

    particles.flow(functional, start, step_size=run.step_size, steps=run.n_steps, method=run.method, observe=observe)
    long_name = "population risk of the infinitely large cloud, by the reduction to |w|"
    return {"risk": StoredArray(("record",), risks, long_name, "theory.md §5.7; Mei et al. 2018")}
