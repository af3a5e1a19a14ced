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
# # First steps
#
# A sweep trains one architecture at many widths, in one or more scalings, with many seeds. It writes what you ask for
# into one store. This notebook runs a small sweep, opens its store and draws what it has recorded.
#
# Two handwritten digits are learned by one hidden layer of tanh. The output of a network is
# $f(x) = m^{-\gamma} \sum_k a_k \phi(h_k)$, with width $m$; $\gamma = 1/2$ is the NTK scaling and $\gamma = 1$ the
# mean-field scaling.

# %%
import tempfile

import sweepengine

folder = tempfile.TemporaryDirectory()
store = f"{folder.name}/first.zarr"

# %% [markdown]
# ## Run
#
# A sweep is described by a dictionary, or by a YAML file of the same content. `step_size: auto` takes a quarter of the
# largest stable step. A seed and a width determine the random numbers of a run, so the numbers below are yours too.
# `executor="inline"` computes in this process; without it Ray takes every core.

# %%
spec = {
    "name": "first",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 32, "n_test": 32},
    "network": {"depth": 1, "activation": "tanh", "sigma_w": 1.5},
    "training": {"loss": "mse", "step_size": "auto", "time": 20.0, "records": {"spacing": "log", "count": 12}},
    "axes": {"scaling": ["ntk", "mean_field"], "width": [32, 64, 128, 256, 512], "seed": 6},
    "precision": "float64",
}
outcome = sweepengine.run(spec, store, executor="inline")
outcome

# %%
assert outcome.done == outcome.runs == 2 * 5 * 6

# %% [markdown]
# The same command again computes nothing, because the store has every run. A longer axis computes what is missing.

# %%
again = sweepengine.run(spec, store, executor="inline")
assert again.skipped == outcome.runs

more = sweepengine.run(spec | {"axes": spec["axes"] | {"seed": 8}}, store, executor="inline")
assert (more.runs, more.skipped) == (80, 60)

# %% [markdown]
# ## Open
#
# The store is one lazy xarray Dataset. Each run has its settings as coordinates; each variable has its definition, unit
# and source as attributes.

# %%
ds = sweepengine.open_sweep(store)
ds

# %%
print(ds.sweep.axes)
print(ds.kernel_drift.attrs["long_name"])

# %% [markdown]
# `grid()` puts a dim for each axis in the place of `run`, and plain xarray does the rest: here, the mean over seeds of
# the last test loss.

# %%
grid = ds.sweep.grid()
grid.loss_test.isel(record=-1).mean("seed").to_pandas()

# %% [markdown]
# ## Plot
#
# Curves of the loss: the mean over seeds for each width, with a band of one standard error.

# %%
ds.sweep.plot.curves("loss_test")

# %% [markdown]
# How far does the tangent kernel move from its start, $\sup_t \|\Theta_t - \Theta_0\| / \|\Theta_0\|$? In the NTK
# scaling the drift vanishes as $1/m$ for a smooth activation; in the mean-field scaling it does not vanish.

# %% tags=["picture"]
ds.sweep.plot.exponents("kernel_drift")

# %% [markdown]
# The exponents, with 95 % intervals from the seeds that are honest for the limit of infinite width:

# %%
fits = ds.sweep.fit("kernel_drift")
fits

# %%
assert fits["ntk"].exponent.contains(-1)
assert fits["mean_field"].exponent.contains(0)

# %% [markdown]
# A table with a row for each run goes into other tools by `to_csv` or `to_parquet`.

# %%
ds.sweep.table()[["scaling", "width", "seed", "kernel_drift", "loss_test"]].head()

# %%
folder.cleanup()
