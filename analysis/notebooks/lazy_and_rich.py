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
# # Lazy against rich
#
# Width $m$, the exponent $\gamma$ and the output scale $\alpha$ decide together whether a network learns features:
#
# $$f(x) = \alpha\, m^{-\gamma} \sum_k a_k\, \phi(h_k), \qquad \dot\theta = -\frac{m^{2\gamma-1}}{\alpha^2} \nabla R .$$
#
# Training time is such that the tangent kernel $\Theta$ is of order 1 for every $\gamma$ and $\alpha$. What changes is
# how far the kernel moves (theory.md §4.2 and §7, claims `ntk-const`, `gamma`, `alpha`, `equivalence`).

# %%
import tempfile

import numpy as np

import sweepengine
from sweepengine.networks import mlp

folder = tempfile.TemporaryDirectory()
spec = {
    "name": "gamma",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 16, "n_test": 16},
    "network": {"depth": 1, "activation": "tanh", "sigma_w": 1.5},
    "training": {"loss": "mse", "step_size": "auto", "time": 10.0, "records": {"spacing": "log", "count": 6}},
    "axes": {"scaling": ["ntk", 0.75, "mean_field"], "width": [64, 128, 256, 512, 1024], "seed": 8},
    "precision": "float64",
    "observables": ["loss_train", "kernel", "kernel_drift", "movement_total"],
}

# %% [markdown]
# ## γ: from the kernel to the mean field
#
# For one hidden layer of a smooth activation the drift of the kernel falls as $m^{-\min(3/2-\gamma,\,2-2\gamma)}$: as
# $m^{-1}$ at $\gamma = 1/2$, as $m^{-1/2}$ at $\gamma = 3/4$, and not at all at $\gamma = 1$.

# %%
sweepengine.run(spec, f"{folder.name}/gamma.zarr", executor="inline")
ds = sweepengine.open_sweep(f"{folder.name}/gamma.zarr")
ds.sweep.axes

# %% tags=["picture"]
ds.sweep.plot.exponents("kernel_drift", "movement_total")

# %%
fits = ds.sweep.fit("kernel_drift")
for gamma, fit in zip([0.5, 0.75, 1.0], fits.values(), strict=True):
    expected = 0 - min(1.5 - gamma, 2 - 2 * gamma)
    print(f"γ = {gamma:<5} expected {expected:.2f}, measured {fit.exponent}")
    assert fit.exponent.contains(expected)
    assert fit.exponent.contains(0) == (gamma == 1)  # narrow enough to see whether the kernel moves in the limit

# %% [markdown]
# The loss does not tell lazy and rich apart: both fit their 16 points. The loss of $f = 0$ is 1/2 here.

# %%
loss = ds.sweep.at(record=-1).sweep.seeds("mean").loss_train
print(loss.to_pandas())
assert float(loss.max()) < 0.1 * 0.5

# %% [markdown]
# ## α: lazy at any width
#
# A large output scale makes a network lazy at a fixed width, where its output at $t = 0$ is subtracted (`centred`). At
# $\gamma = 1/2$ the kernel drifts by $\alpha^{-1}$. `over` names the axis whose power is fitted.

# %%
alpha = spec | {
    "name": "alpha",
    "network": spec["network"] | {"centred": True},
    "axes": {"scaling": ["ntk"], "alpha": [4, 8, 16, 32, 64], "width": [256], "seed": 12},
}
sweepengine.run(alpha, f"{folder.name}/alpha.zarr", executor="inline")
scales = sweepengine.open_sweep(f"{folder.name}/alpha.zarr")
fit = scales.sweep.fit("kernel_drift", over="alpha")
fit

# %%
[power] = fit.values()
assert power.exponent.contains(-1)

# %% [markdown]
# Without centring the output at $t = 0$ grows with $\alpha$, the residuals with it, and a large $\alpha$ is not lazy.

# %%
uncentred = alpha | {"name": "uncentred", "network": spec["network"]}
sweepengine.run(uncentred, f"{folder.name}/uncentred.zarr", executor="inline")
[power] = sweepengine.open_sweep(f"{folder.name}/uncentred.zarr").sweep.fit("kernel_drift", over="alpha").values()
print(power.exponent)
assert power.exponent.low > -0.5

# %% [markdown]
# ## Only α m^−γ matters
#
# $\gamma$ and $\alpha$ enter through $\alpha m^{-\gamma}$ alone. So a network at $\gamma = 1$ with $\alpha = \sqrt m$
# is one at $\gamma = 1/2$ with $\alpha = 1$, to rounding, at all times. Two networks by hand show it.

# %%
x, y, width = ds.inputs_train.values, ds.targets_train.values, 128
settings = {"activation": "tanh", "sigma_w": 1.5, "seed": 0}
ntk = mlp(x.shape[1], width, scaling="ntk", **settings).train(x, y, time=4.0, step_size=0.25)
scaled = mlp(x.shape[1], width, scaling="mean_field", alpha=width**0.5, **settings).train(
    x, y, time=4.0, step_size=0.25
)
difference = np.abs(ntk.outputs(x) - scaled.outputs(x)).max()
print(f"largest difference of the trained outputs: {difference:.1e}")
assert difference < 1e-12

# %%
folder.cleanup()
