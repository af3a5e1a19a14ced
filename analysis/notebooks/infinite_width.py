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
# # Infinite width against finite
#
# At infinite width in the NTK scaling the kernel $\Theta_\infty$ is deterministic and constant. Trained networks are
# then draws of a Gaussian process, whose mean and deviation have closed forms at every time (theory.md §3, claims
# `ntk-init`, `gp-dynamics`). Each sweep stores the prediction for its own data, architecture and schedule. This
# notebook compares ensembles of trained networks with it, on a curve in one dimension that one can see.

# %%
import tempfile

import altair as alt
import numpy as np
import pandas as pd

import sweepengine
from sweepengine import theory

folder = tempfile.TemporaryDirectory()
x_train = np.array([-1.0, -0.7, -0.35, 0.1, 0.55, 0.9])
x_test = np.linspace(-1.2, 1.2, 49)
np.savez(
    f"{folder.name}/curve.npz",
    x_train=x_train[:, None],
    y_train=np.sin(3 * x_train),
    x_test=x_test[:, None],
    y_test=np.sin(3 * x_test),
)

# %%
spec = {
    "name": "curve",
    "data": {"name": "file", "path": f"{folder.name}/curve.npz"},
    "network": {"depth": 1, "activation": "erf", "sigma_w": 2.0, "sigma_b": 0.5},
    "training": {"loss": "mse", "step_size": "auto", "time": 60.0, "records": {"spacing": "log", "count": 8}},
    "axes": {"scaling": ["ntk"], "width": [32, 64, 128, 256, 512], "seed": 32},
    "precision": "float64",
    "observables": ["loss_train", "loss_test", "outputs_train", "outputs_test", "kernel", "kernel_drift"],
}
sweepengine.run(spec, f"{folder.name}/curve.zarr", executor="inline")
ds = sweepengine.open_sweep(f"{folder.name}/curve.zarr")

# %% [markdown]
# ## The kernel at the start
#
# `theory()` has the names and the dims of what is measured, so the deviation of each run from its own limit is one
# subtraction. It falls as $m^{-1/2}$.

# %%
limit = ds.sweep.theory()
off = ds.kernel.isel(record=0) - limit.kernel
deviation = ((off**2).sum(("i", "j")) ** 0.5).rename("deviation of the kernel at t = 0")
fit = ds.sweep.fit(deviation)
fit

# %%
[power] = fit.values()
assert power.exponent.contains(-0.5)

# %% [markdown]
# The same limit by hand, from the library `sweepengine.theory`, which imports nothing of the engine:

# %%
by_hand = theory.kernels(x_train[:, None], depth=1, activation="erf", sigma_w=2.0, sigma_b=0.5)
assert np.allclose(by_hand.ntk, limit.kernel.isel(run=0), rtol=1e-10)

# %% [markdown]
# ## The trained ensemble
#
# Mean and deviation over 32 seeds of the widest networks after training, beside mean and deviation of the Gaussian
# process. The dots are the training points.

# %%
widest = ds.sweep.select(width=512)
mean = widest.sweep.seeds("mean").outputs_test.isel(record=-1).squeeze().values
std = widest.outputs_test.isel(record=-1).std("run", ddof=1).values
predicted = limit.outputs_test.isel(run=0, record=-1).values
predicted_std = limit.outputs_std_test.isel(run=0, record=-1).values

curves = pd.concat(
    [
        pd.DataFrame({"x": x_test, "f": mean, "low": mean - std, "high": mean + std, "of": "32 networks, m = 512"}),
        pd.DataFrame(
            {
                "x": x_test,
                "f": predicted,
                "low": predicted - predicted_std,
                "high": predicted + predicted_std,
                "of": "infinite width",
            }
        ),
    ]
)

# %% tags=["picture"]
color = alt.Color(
    "of:N", title=None, scale=alt.Scale(range=["#0072b2", "#d55e00"]), legend=alt.Legend(orient="top", symbolOpacity=1)
)
base = alt.Chart(curves).encode(x=alt.X("x:Q", title="x"), color=color)
points = alt.Chart(pd.DataFrame({"x": x_train, "f": np.sin(3 * x_train)})).mark_point(
    filled=True, color="black", size=40
)
(
    base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", title="f(x), mean ± standard deviation"), y2="high:Q")
    + base.mark_line().encode(y="f:Q", strokeDash=alt.StrokeDash("of:N", legend=None))
    + points.encode(x="x:Q", y="f:Q")
).properties(width=460, height=280)

# %% [markdown]
# How close should they be? The mean over $S$ seeds is off by $1/\sqrt S = 0.18$ standard deviations, and a deviation
# over $S$ seeds by $1/\sqrt{2S} = 0.13$ of itself; a finite width adds a bias. Both numbers below are root mean squares
# over the test points, in units of the predicted deviation. At the widest networks nothing is left that 32 seeds could
# see.

# %%
at_end = ds.sweep.at(record=-1).sweep.grid().outputs_test


def rms(values):
    return (values**2).mean("test") ** 0.5


unit = rms(limit.outputs_std_test.isel(run=0, record=-1))
means = rms(at_end.mean("seed") - limit.outputs_test.isel(run=0, record=-1)) / unit
deviations = rms(at_end.std("seed", ddof=1)) / unit
comparison = pd.DataFrame(
    {"difference of the means": means, "deviation / predicted": deviations}, index=at_end.width.values
)
comparison

# %%
assert means.sel(width=512) < 3 / 32**0.5
assert abs(deviations.sel(width=512) - 1) < 3 / 64**0.5

# %% [markdown]
# ## What a finite width adds
#
# The kernel of a finite network moves in training; the distance from infinite width is this movement and the deviation
# at the start together. For a smooth activation the movement vanishes as $1/m$.

# %%
drift = ds.sweep.fit("kernel_drift")
print(drift)
[power] = drift.values()
assert power.exponent.contains(-1)

# %%
folder.cleanup()
