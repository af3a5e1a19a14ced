"""What the radial reduction predicts for clouds on two shells (Mei, Montanari & Nguyen, PNAS 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.store import StoredArray

if TYPE_CHECKING:
    import torch

    from sweepengine.spec import ParticleRun

RADII = 48
"""Mid-quantiles of |w| that stand for its law: the risk of twice as many is the same to four digits."""


def predict_radial(run: ParticleRun) -> dict[str, StoredArray]:
    """Population risk at every record of the infinitely large cloud, whose law moves along |w| alone.

    Parameters
    ----------
    run : ParticleRun
        With :attr:`ParticleRun.radial`; its number of particles and seed do not enter.

    Returns
    -------
    dict of StoredArray
        ``risk`` over the records, by the run's own method and steps, so that what is left is m and the fresh points.
    """
    from sweepengine import particles

    if run.radial is None:
        raise AssertionError("only runs with a radial reduction name a limit")
    d, delta, kappa = run.radial
    functional = particles.Functional([particles.radial_risk(d, delta)])
    found = np.full(len(run.record_steps), np.nan)
    places = {step: record for record, step in enumerate(run.record_steps)}

    def observe(step: int, _time: float, cloud: torch.Tensor) -> None:
        if step in places:
            found[places[step]] = functional.value(cloud)

    start = particles.radial_start(RADII, d, kappa)
    particles.flow(functional, start, step_size=run.step_size, steps=run.n_steps, method=run.method, observe=observe)
    long_name = "population risk of the infinitely large cloud, by the reduction to |w|"
    return {"risk": StoredArray(("record",), found, long_name, "Mei, Montanari & Nguyen 2018")}
