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
# # Wasserstein flows and propagation of chaos
#
# In the mean-field limit the neurons of one hidden layer are a cloud of particles with the measure $\mu$, and training
# is the gradient flow of a functional $F(\mu)$ in Wasserstein space (theory.md §5):
#
# $$d\theta_k = -\nabla \frac{\delta F}{\delta\mu}(\theta_k)\,dt + \sqrt{2\tau}\,dB_k .$$
#
# `sweepengine.particles` has functionals, flows and distances as a library; a spec of `kind: particles` sweeps them.

# %%
import tempfile

import altair as alt
import numpy as np

import sweepengine
from sweepengine import particles

folder = tempfile.TemporaryDirectory()

# %% [markdown]
# ## A flow by hand
#
# For $F(\mu) = \int |\theta|^2/2\,d\mu$ the distance between two solutions contracts by exactly $e^{-t}$. RK4 steps
# show it to their own error.

# %%
start = particles.gaussian_cloud(seed=0, count=200, coordinates=2)
other = 0.5 * particles.gaussian_cloud(seed=1, count=200, coordinates=2) + 2.0
before = particles.wasserstein(start, other)
functional = particles.Functional([particles.quadratic()])
ends = [particles.flow(functional, cloud, step_size=0.05, steps=20, method="rk4").final() for cloud in (start, other)]
after = particles.wasserstein(*ends)
print(f"W2 = {before.value:.4f} ({before.method}), at t = 1 {after.value:.4f}, ratio {after.value / before.value:.8f}")
assert abs(after.value / before.value - np.exp(-1)) < 1e-6

# %% [markdown]
# At a temperature $\tau$ the noise of mean-field Langevin replaces the entropy. Each coordinate is then an
# Ornstein–Uhlenbeck process, whose variance goes from $v_0$ to $\tau$ as $\tau + (v_0 - \tau) e^{-2t}$; steps of
# Euler–Maruyama follow $v \mapsto (1 - dt)^2 v + 2\tau\,dt$. The estimate from $n$ numbers is off by about
# $v\sqrt{2/n}$.

# %%
temperature, dt, steps = 0.25, 0.05, 40
warm = particles.Functional([particles.quadratic()], temperature)
cloud = particles.gaussian_cloud(seed=0, count=20_000, coordinates=2)
end = particles.flow(warm, cloud, step_size=dt, steps=steps, method="euler_maruyama", seed=0).final()
expected = 1.0
for _ in range(steps):
    expected = (1 - dt) ** 2 * expected + 2 * temperature * dt
measured = float(end.var())
print(f"variance {measured:.4f}, expected {expected:.4f}")
assert abs(measured - expected) < 4 * expected * (2 / end.numel()) ** 0.5

# %% [markdown]
# ## Neurons as particles
#
# Now $F$ is the risk of a network, and a particle $(w, a)$ is a relu neuron. The teacher is one neuron. Runs of one
# seed are nested: a small cloud begins with the particles of the large one.

# %%
spec = {
    "kind": "particles",
    "name": "flow",
    "data": {"name": "gaussian", "d": 2, "n_train": 64, "n_test": 64, "teacher": "neuron", "seed": 0},
    "unit": {"activation": "relu"},
    "functional": {"terms": [{"term": "risk", "cost": "mse"}]},
    "initial": {"law": "gaussian", "scale": 0.5, "output": "signs", "output_scale": 1.0},
    "dynamics": {
        "method": "gd",
        "step_size": 0.1,
        "time": 30.0,
        "records": {"spacing": "log", "count": 12},
        "snapshots": 4,
    },
    "axes": {"width": [32, 64, 128, 256, 512, 1024], "seed": 10},
    "precision": "float64",
}
sweepengine.run(spec, f"{folder.name}/flow.zarr", executor="inline")
ds = sweepengine.open_sweep(f"{folder.name}/flow.zarr")
dict(ds.particles.sizes)

# %% [markdown]
# A cloud of 128 particles at four times, in the plane of the input weights; colour is the output weight. Some neurons
# move to the direction of the teacher and grow, and the others hardly move.

# %% tags=["picture"]
run = ds.sweep.select(width=128, seed=0).isel(run=0, particle=slice(0, 128))
frame = run.particles.to_dataset("coord").to_dataframe().reset_index()
times = run.snapshot_time.values
frame["time"] = [f"t = {times[k]:.3g}" for k in frame.snapshot]
alt.Chart(frame).mark_circle(size=20, opacity=0.8).encode(
    x=alt.X("w0:Q", title="w₀"),
    y=alt.Y("w1:Q", title="w₁"),
    color=alt.Color("a:Q", scale=alt.Scale(scheme="purpleorange", domainMid=0)),
    facet=alt.Facet("time:N", columns=4, title=None, sort=None),
).properties(width=150, height=150)

# %% [markdown]
# ## The energy falls as it should
#
# Along the flow $dF/dt = -\int |\nabla\,\delta F/\delta\mu|^2 d\mu$. The record `energy_defect` is the difference of
# both sides after one step; it is of the order of the step. And $F$ only falls.

# %%
assert bool((ds.objective.diff("record") < 0).all())
relative = abs(ds.energy_defect / ds.dissipation)
print(f"largest relative defect: {float(relative.max()):.3f}, with dt = 0.1")
assert float(relative.max()) < 0.1

# %% [markdown]
# ## Propagation of chaos
#
# The widest cloud of a seed stands for the limit. Outputs of $m$ particles differ from it by $m^{-1/2}$, and so do the
# particles themselves from those of the same number; `chaos_outputs` and `chaos_particles` divide by
# $\sqrt{1 - m/M}$, because the reference is finite.

# %%
for quantity in ("chaos_outputs", "chaos_particles"):
    fits = ds.sweep.fit(quantity)
    print(fits)
    [power] = fits.values()
    assert power.exponent.contains(-0.5)

# %%
ds.sweep.plot.exponents("chaos_outputs", "chaos_particles")

# %%
folder.cleanup()
