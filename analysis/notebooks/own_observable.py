# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # An observable and a functional of your own
#
# What is measured at a record, and what particles descend, can be functions of yours
# ([plugins.md](../../docs/plugins.md)). Their name and version are part of a run's identity; their code is bound to the
# store. This notebook measures how many features a network uses, and lets particles flow in a landscape of its own.

# %%
import tempfile

import altair as alt
import numpy as np
import torch

import sweepengine
from sweepengine import particles

folder = tempfile.TemporaryDirectory()

# %% [markdown]
# ## An observable of networks
#
# The functions of `now` and `start` see a network at a record and at $t = 0$. Here: the effective rank of the change of
# the tangent kernel, $\|\Delta\|_*^2 / \|\Delta\|_F^2$ with $\Delta = \Theta_t - \Theta_0$. It lies between 1, where
# one direction changes alone, and the number of points.


# %%
@sweepengine.register_observable(
    name="change_rank", long_name="effective rank of the change of the tangent kernel", version="1"
)
def change_rank(now, start):
    values = torch.linalg.eigvalsh((now.kernel - start.kernel).double())
    return values.abs().sum().square() / values.square().sum()


# %%
spec = {
    "name": "rank",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 16, "n_test": 16},
    "network": {"depth": 1, "activation": "tanh", "sigma_w": 1.5},
    "training": {"loss": "mse", "step_size": "auto", "time": 20.0, "records": {"spacing": "log", "count": 8}},
    "axes": {"scaling": ["ntk", "mean_field"], "width": [64, 128, 256, 512], "seed": 6},
    "precision": "float64",
    "observables": ["loss_train", "kernel", "kernel_drift", "change_rank"],
}
sweepengine.run(spec, f"{folder.name}/rank.zarr", executor="inline")
ds = sweepengine.open_sweep(f"{folder.name}/rank.zarr")

# %% [markdown]
# At $t = 0$ nothing has changed, and 0/0 is recorded as NaN. The observable is a variable of the Dataset like all
# others: it is averaged, drawn and fitted by name.

# %%
assert bool(ds.change_rank.isel(record=0).isnull().all())
rank = ds.sweep.at(record=-1).sweep.seeds("mean").change_rank
print(rank.to_pandas().round(2))
assert float(rank.min()) >= 1 and float(rank.max()) <= 16

# %%
ds.sweep.plot.curves("change_rank")

# %% [markdown]
# The same from the stored kernels, as a check of the function by an independent path:

# %%
change = (ds.kernel.isel(record=-1) - ds.kernel.isel(record=0)).values
values = np.linalg.eigvalsh(change)
by_hand = np.abs(values).sum(1) ** 2 / (values**2).sum(1)
assert np.allclose(by_hand, ds.change_rank.isel(record=-1), rtol=1e-6)

# %% [markdown]
# ## A functional of particles
#
# A potential $V$ and an interaction $W$ make $F(\mu) = \int V\,d\mu + \frac12 \iint W\,d\mu\,d\mu$. Here $V$ attracts
# to the unit circle, and $W$ repels at short range. Gradients come from autograd.


# %%
@sweepengine.register_potential(name="circle", version="1")
def circle(points):
    return (points.square().sum(1) - 1).square() / 4


@sweepengine.register_kernel(name="repulsion", version="1")
def repulsion(points, others):
    return 1 / (0.2 + (points[:, None] - others).square().sum(2))


# %%
ring = {
    "kind": "particles",
    "name": "ring",
    "functional": {
        "terms": [
            {"term": "potential", "name": "circle"},
            {"term": "kernel", "name": "repulsion", "strength": 0.2},
        ]
    },
    "initial": {"law": "gaussian", "coordinates": 2, "scale": 0.3, "mean": 0.4},
    "dynamics": {
        "method": "rk4",
        "step_size": 0.1,
        "time": 20.0,
        "records": {"spacing": "log", "count": 10},
        "snapshots": 4,
    },
    "axes": {"width": [32, 128], "seed": 2},
    "precision": "float64",
}
sweepengine.run(ring, f"{folder.name}/ring.zarr", executor="inline")
cloud = sweepengine.open_sweep(f"{folder.name}/ring.zarr")

# %% tags=["picture"]
run = cloud.sweep.select(width=128, seed=0).isel(run=0)
frame = run.particles.to_dataset("coord").to_dataframe().reset_index()
times = run.snapshot_time.values
frame["time"] = [f"t = {times[k]:.3g}" for k in frame.snapshot]
alt.Chart(frame).mark_circle(size=14).encode(
    x=alt.X("x0:Q", title="θ₀"),
    y=alt.Y("x1:Q", title="θ₁"),
    facet=alt.Facet("time:N", columns=4, title=None, sort=None),
).properties(width=150, height=150)

# %% [markdown]
# $F$ falls along the flow, and at the rate that the dissipation says. The particles end near the circle and spread over
# it: the mean is near 0, where it began at 0.4 in each coordinate.

# %%
assert bool((cloud.objective.diff("record") < 0).all())
end = torch.from_numpy(run.particles.isel(snapshot=-1).values)
radius = end.norm(dim=1)
print(f"radius {radius.mean():.3f} ± {radius.std():.3f}, mean {end.mean(0).numpy().round(3)}")
assert abs(float(radius.mean()) - 1) < 0.2
assert float(end.mean(0).abs().max()) < 0.1

# %% [markdown]
# The engine's functional agrees with the formula, written out by hand:

# %%
functional = particles.Functional([particles.Potential(circle)])
weights = 0.2 * repulsion(end, end)
by_hand = functional.value(end) + float(weights.mean()) / 2
print(f"F = {float(run.objective[-1]):.10f}, by hand {by_hand:.10f}")
assert abs(float(run.objective[-1]) - by_hand) < 1e-10

# %%
folder.cleanup()
