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
# # Writing a claim
#
# A claim is a statement that a sweep can refute. It names what is measured, what is expected of it, and a negative
# twin: the same runs with something wrong, which must come out otherwise. A test that passes for the twin as well would
# mean nothing. [extending.md](../../docs/extending.md#a-claim) says how a claim becomes part of the package; a notebook
# can decide one of its own.
#
# The statement here: *training turns the kernel of a wide network by a small angle*. A theorem bounds the drift of the
# kernel at $\gamma = 1/2$: $\Theta_T = \Theta_0 + O(m^{-1/2})$ (Jacot et al. 2018). The cosine between two matrices
# that differ by $\varepsilon$ is $1 - O(\varepsilon^2)$. So $1 - \mathrm{CKA}(\Theta_T, \Theta_0)$, with CKA the cosine
# between centred kernels, is at most of order $m^{-1}$.

# %%
import tempfile

import sweepengine
from sweepengine import analysis
from sweepengine.analysis import Claim, Evidence, Exponent, Quantity, Reduction
from sweepengine.spec import job_path

folder = tempfile.TemporaryDirectory()

# %% [markdown]
# ## The quantity
#
# A reduction turns the records of the finished runs into one number for each run. It says which variables it reads, and
# with which dims, so that a sweep that lacks them is refused by name.


# %%
def last_turn(done, theory):
    return 1 - done.kernel_cka.isel(record=-1, drop=True)


TURN = Quantity(
    "kernel_turn",
    Reduction("final", last_turn, {"kernel_cka": ("run", "record")}),
    title="turn of the kernel",
    symbol="1 − CKA(Θ_T, Θ_0)",
    source="theory.md §4.2",
)

# %% [markdown]
# ## The expectation
#
# It applies to the settings of which the theorem speaks, and has an exponent for each. `bound` is a theorem's upper
# bound: it is violated only by an interval on its wrong side. `sharp` expects the exponent itself.


# %%
def applies(setting, place):
    return setting.at(0.5)


def bound(setting, place):
    return 1.0


def rich_as_lazy(sweep):
    return analysis.passed_off(sweep, measured=1.0, claimed=0.5)


TURNS = Claim(
    "kernel-turn",
    "At γ = 1/2 training turns the kernel by 1 − cos = O(1/m).",
    (
        Evidence(
            "lazy_to_rich",
            (Exponent(TURN, "bound", applies, bound, "Jacot et al. 2018, Thm 2"),),
            twin=rich_as_lazy,
            says_twin="runs at γ = 1 passed off as γ = 1/2",
        ),
    ),
    source="Jacot et al. 2018, Thm 2",
)

# %% [markdown]
# ## The sweep
#
# The evidence names the packaged job `lazy_to_rich`. A smaller one of the same kind suffices here: overrides take the
# place of the file's settings.

# %%
spec = sweepengine.read_spec(
    job_path("lazy_to_rich"),
    overrides=[
        "data.n_train=16",
        "data.n_test=16",
        "training.time=10",
        "axes.seed=8",
        "observables=[kernel, kernel_cka]",
    ],
)
store = f"{folder.name}/lazy_to_rich.zarr"
sweepengine.run(spec, store, executor="inline")
sweep, theory = sweepengine.open_sweep(store), sweepengine.open_theory(store)

# %% [markdown]
# ## The decision

# %%
decision = analysis.decide(TURNS, {"lazy_to_rich": (sweep, theory)})
for row in decision.rows:
    print(f"{row.group:<8} expected {row.expected_text:>4}, measured {row.measured_text:<24} {row.verdict}")
[part] = decision.parts
for row in part.twin_rows:
    print(f"twin     expected {row.expected_text:>4}, measured {row.measured_text:<24} {row.verdict}")

# %%
assert decision.verdict == "holds"
assert decision.twins_are_caught

# %% tags=["picture"]
analysis.claim_chart(decision)

# %% [markdown]
# ## A sharper claim is undecided
#
# For one hidden layer of a smooth activation the drift is known to be sharper than the theorem, $m^{-1}$, so that the
# kernel should turn by $m^{-2}$. Eight seeds cannot decide it: the interval is too long to tell −2 from its neighbours.
# A row then says what would decide, and never more than the runs do.


# %%
def sharp(setting, place):
    return 2.0


evidence = Evidence(
    "lazy_to_rich",
    (Exponent(TURN, "sharp", applies, sharp, "theory.md §4.2"),),
    twin=rich_as_lazy,
    says_twin="runs at γ = 1 passed off as γ = 1/2",
)
sharper = analysis.decide(
    Claim(
        "kernel-turn-sharp", "At γ = 1/2 the kernel of one smooth layer turns by 1/m².", (evidence,), "theory.md §4.2"
    ),
    {"lazy_to_rich": (sweep, theory)},
)
[row] = sharper.rows
print(f"expected {row.expected_text}, measured {row.measured_text}: {row.verdict}, {row.why}")
assert sharper.verdict == "undecided"
assert row.measured.contains(-2)

# %%
folder.cleanup()
