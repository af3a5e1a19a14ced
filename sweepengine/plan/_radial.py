"""Prediction of the radial reduction for data on two shells (Mei, Montanari & Nguyen, PNAS 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.store import StoredArray

if TYPE_CHECKING:
    import torch

    from sweepengine.spec import ParticleRun

RADII = 48
"""Number of mid-quantiles of |w| that represent its law; with twice as many the risk agrees to four digits."""


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
    functional = particles.Functional([particles.radial_risk(d, delta)])
    risks = np.full(len(run.record_steps), np.nan)
    places = {step: record for record, step in enumerate(run.record_steps)}

    def observe(step: int, _time: float, cloud: torch.Tensor) -> None:
        if step in places:
            risks[places[step]] = functional.value(cloud)

    start = particles.radial_start(RADII, d, kappa)
    particles.flow(functional, start, step_size=run.step_size, steps=run.n_steps, method=run.method, observe=observe)
    long_name = "population risk of the infinitely large cloud, by the reduction to |w|"
    return {"risk": StoredArray(("record",), risks, long_name, "Mei, Montanari & Nguyen 2018")}
