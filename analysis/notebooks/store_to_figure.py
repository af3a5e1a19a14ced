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
# # From a cluster's store to the figure of a paper
#
# A large sweep runs on a cluster and writes into an object store; you read it from your desk. On the cluster:
#
# ```console
# $ sweepengine plan deep.yaml --cpus 256 --memory 8GB              # what it will cost there
# $ sweepengine run deep.yaml --address auto --store s3://bucket/deep.zarr
# $ sweepengine status s3://bucket/deep.zarr --watch                # from anywhere
# ```
#
# At your desk `sweepengine.open_sweep("s3://bucket/deep.zarr")` opens the same store. Here two small sweeps in a
# temporary folder stand for it: one hidden layer and two.

# %%
import tempfile
from pathlib import Path

import altair as alt
import pandas as pd

import sweepengine
from sweepengine import analysis

folder = tempfile.TemporaryDirectory()
stores = []
for depth in (1, 2):
    spec = {
        "name": f"depth_{depth}",
        "data": {"name": "digits", "classes": [3, 8], "n_train": 16, "n_test": 32},
        "network": {"depth": depth, "activation": "tanh", "sigma_w": 1.5},
        "training": {"loss": "mse", "step_size": "auto", "time": 5.0, "records": {"spacing": "log", "count": 6}},
        "axes": {"scaling": ["ntk", "mean_field"], "width": [32, 64, 128, 256], "seed": 8},
        "precision": "float64",
    }
    stores.append(f"{folder.name}/depth_{depth}.zarr")
    sweepengine.run(spec, stores[-1], executor="inline")

# %% [markdown]
# ## Open, and look before you read
#
# Several stores open as one Dataset. Nothing is read but the table of runs: variables are lazy, and `nbytes` says what
# loading all of them would take. A damaged chunk is an error where it is read, never a wrong number.

# %%
ds = sweepengine.open_sweep(stores)
print(f"{ds.sizes['run']} runs over {ds.sweep.axes}, {ds.nbytes / 1e6:.1f} MB")
assert ds.kernel.chunks is not None
print(ds.status.to_series().value_counts().to_dict())
assert bool((ds.status == "done").all())

# %% [markdown]
# ## The numbers of the paper
#
# Exponents with their intervals: this table is what the text quotes.

# %%
fits = ds.sweep.fit("kernel_drift")
numbers = fits.table()[["exponent", "low", "high", "seeds", "smallest", "largest"]]
numbers.round(2)

# %% [markdown]
# ## The figure
#
# Means over seeds with bootstrap intervals that draw whole runs: all of a seed's records stay together. `seeds` gives
# three quantiles, here of the kernel drift at the end.

# %%
end = ds.sweep.at(record=-1)
drift = end.sweep.seeds("bootstrap").kernel_drift
frame = drift.to_series().unstack("quantile").rename(columns={0.025: "low", 0.5: "mean", 0.975: "high"}).reset_index()
frame["scaling"] = frame.scaling.map({"ntk": "γ = 1/2", "mean_field": "γ = 1"})
assert bool((frame.low <= frame["mean"]).all() and (frame["mean"] <= frame.high).all())

# %% [markdown]
# A figure of your own is an altair chart of this frame: two columns of a page, in the font and the size of the paper.

# %% tags=["picture"]
m = alt.X("width:Q", title="width m", scale=alt.Scale(type="log", base=2), axis=alt.Axis(values=[32, 64, 128, 256]))
value = alt.Scale(type="log")
color = alt.Color("scaling:N", title=None, scale=alt.Scale(range=["#d55e00", "#0072b2"]), sort=["γ = 1", "γ = 1/2"])
base = alt.Chart().encode(x=m, color=color)
panel = (
    base.mark_errorbar().encode(y=alt.Y("low:Q", scale=value, title="kernel drift at the end"), y2="high:Q")
    + base.mark_line(point=True).encode(y=alt.Y("mean:Q", scale=value, title="kernel drift at the end"))
).properties(width=210, height=150)
figure = (
    panel.facet(facet=alt.Facet("depth:N", title=None, header=alt.Header(labelExpr="'L = ' + datum.value")), data=frame)
    .configure(font="Liberation Serif")
    .configure_axis(labelFontSize=9, titleFontSize=9, grid=False)
    .configure_view(stroke=None)
)
figure

# %%
figure.save(f"{folder.name}/drift.pdf")
assert Path(f"{folder.name}/drift.pdf").read_bytes().startswith(b"%PDF")

# %% [markdown]
# ## Everything else that a paper takes
#
# One call writes every figure of the report as a vector file, its data as CSV, and the tables for LaTeX; on the command
# line it is `sweepengine report STORE STORE --figures pdf --csv --latex --output DIR`.

# %%
source = analysis.figure_source(ds)
written = analysis.write_exports(source, f"{folder.name}/paper", figures=["svg"], data=True, tables=True, width=240)
names = sorted(path.relative_to(f"{folder.name}/paper").as_posix() for path in written)
print(len(names), "files, among them", [name for name in names if name.startswith(("data/runs", "tables"))])
assert {"data/runs.csv", "tables.tex"} <= set(names)

# %% [markdown]
# The CSV has the numbers of the figure: anybody can draw it again without this package.

# %%
runs = pd.read_csv(f"{folder.name}/paper/data/runs.csv")
assert len(runs) == ds.sizes["run"]
assert abs(runs.loss_test.mean() - float(end.loss_test.mean())) < 1e-12
runs.groupby(["depth", "scaling", "width"]).kernel_drift.mean().unstack("width").round(3)

# %%
folder.cleanup()
