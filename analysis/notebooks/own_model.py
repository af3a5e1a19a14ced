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
# # A model of your own
#
# A model is a function from sizes to a `torch.nn.Module`. The engine draws its parameters, scales its output by
# $\alpha m^{-\gamma}$, trains it, and records the tangent kernel of all its parameters
# ([plugins.md](../../docs/plugins.md)). Here a residual network of one block is swept over width, beside the same
# network without its skip connection.

# %%
import math
import tempfile

import torch

import sweepengine

folder = tempfile.TemporaryDirectory()

# %% [markdown]
# ## The module
#
# For a kernel limit at $\gamma = 1/2$ three rules suffice: parameters are N(0, 1), every inner sum is divided by the
# root of its number of terms, and the last sum over the $m$ features is not divided, because the engine's $m^{-\gamma}$
# does that.


# %%
class Residual(torch.nn.Module):
    """One block x + φ(Wx) on top of an embedding."""

    def __init__(self, width, inputs, outputs, skip=True):
        super().__init__()
        self.skip = skip
        self.embedding = torch.nn.Linear(inputs, width, bias=False)
        self.block = torch.nn.Linear(width, width, bias=False)
        self.readout = torch.nn.Linear(width, outputs, bias=False)

    def forward(self, x):
        h = self.embedding(x) / math.sqrt(x.shape[1])
        update = torch.tanh(1.5 * self.block(torch.tanh(h)) / math.sqrt(h.shape[1]))
        return self.readout(h + update if self.skip else update)


@sweepengine.register_model(name="residual", version="1")
def residual(width, inputs, outputs):
    return Residual(width, inputs, outputs)


@sweepengine.register_model(name="plain", version="1")
def plain(width, inputs, outputs):
    return Residual(width, inputs, outputs, skip=False)


# %% [markdown]
# ## The sweep
#
# The spec names the model in the section `network`; all else is as usual. Before anything is written, the module is
# tried on three points, and refused with a reason if its output at a point depends on other points.

# %%
spec = {
    "data": {"name": "digits", "classes": [3, 8], "n_train": 16, "n_test": 16},
    "training": {"loss": "mse", "step_size": "auto", "time": 5.0, "records": {"spacing": "log", "count": 5}},
    "axes": {"scaling": ["ntk", "mean_field"], "width": [16, 32, 64, 128], "seed": 8},
    "precision": "float64",
    "observables": ["loss_train", "outputs_train", "kernel", "kernel_drift", "movement_relative"],
}
stores = []
for name in ("residual", "plain"):
    stores.append(f"{folder.name}/{name}.zarr")
    sweepengine.run(spec | {"name": name, "network": {"model": name}}, stores[-1], executor="inline")

# %% [markdown]
# Several stores open as one Dataset, with the coordinate `sweep`. Movement has a row for each parameter tensor.

# %%
ds = sweepengine.open_sweep(stores)
print(ds.sweep.axes)
ds.layer.values

# %% tags=["picture"]
ds.sweep.plot.exponents("kernel_drift")

# %% [markdown]
# Both models are lazy in the NTK scaling, where the drift vanishes with the width, and rich in the mean-field scaling,
# where its exponent is 0 as far as eight seeds can tell.

# %%
fits = ds.sweep.fit("kernel_drift")
fits

# %%
for label, fit in fits.items():
    print(label, fit.exponent)
    assert (fit.exponent.high < 0) if label.startswith("ntk") else fit.exponent.contains(0)

# %% [markdown]
# ## Is it the right kernel?
#
# The stored kernel is $\Theta = m^{2\gamma - 1}\langle\nabla f, \nabla f\rangle/\alpha^2$. In training the outputs obey
# $\dot f = -\Theta (f - y)/N$. With the first step small, the outputs at the first record after $t = 0$ follow from the
# kernel at $t = 0$:

# %%
run = ds.sweep.select(sweep="residual", scaling="ntk", width=128, seed=0).isel(run=0)
theta, f, y = run.kernel[0].values, run.outputs_train.values, ds.targets_train.values
t = float(run.time[1] - run.time[0])
moved = f[1] - f[0]
predicted = -t / len(y) * theta @ (f[0] - y)
error = abs(moved - predicted).max() / abs(moved).max()
print(f"t = {t:.3g}: relative error {error:.3f}")
assert error < 0.05

# %%
folder.cleanup()
