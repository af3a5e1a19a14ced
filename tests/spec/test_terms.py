"""Terms of a functional are entries of a table: what entries say is true, and an entry is all that a new one needs."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine import particles as pt
from sweepengine.errors import SpecError
from sweepengine.plan import make_plan
from sweepengine.plugins import register_kernel, register_potential, term_function
from sweepengine.spec import TERMS, ParticleSpec, TermSpec, make_spec, register_term, run_from_json, spec_schema
from sweepengine.store import SweepStore
from tests.support import pinned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GIVEN: dict[str, dict[str, Any]] = {
    "risk": {"cost": "mse"},
    "mmd": {"count": 5, "scale": 0.5},
    "potential": {"name": "bowl_of_entries"},
    "kernel": {"name": "cosine_of_entries"},
}
"""What the terms need that have no default."""
ALONE = {key: value for key, value in pinned.PARTICLES.items() if key not in ("data", "unit")} | {
    "initial": {"law": "gaussian", "coordinates": 2},
    "axes": {"width": [16], "seed": 1},
}
INPUTS = pt.gaussian_cloud(3, 4, 2)


@pytest.fixture
def table() -> Iterator[None]:
    """What a test registers is gone after it."""
    before = dict(TERMS)
    yield
    TERMS.clear()
    TERMS.update(before)


@pytest.fixture(scope="module", autouse=True)
def _users_code() -> None:
    register_potential(name="bowl_of_entries")(lambda x: x.square().sum(1))
    register_kernel(name="cosine_of_entries")(lambda x, y: torch.cos(x @ y.T))


def context() -> pt.TermContext:
    unit = pt.Neuron(2, "tanh", output="none")
    return pt.TermContext(2, torch.device("cpu"), torch.float64, term_function, unit, INPUTS, INPUTS[:, 0])


def read(term: dict[str, Any]) -> TermSpec:
    content = ALONE | {"functional": {"terms": [term]}}
    if term["term"] == "risk":
        content |= {"data": pinned.DATA, "unit": pinned.PARTICLES["unit"], "initial": {"law": "gaussian"}}
    spec = make_spec(content)
    assert isinstance(spec, ParticleSpec)
    return spec.functional.terms[0].canonical()


@pytest.mark.parametrize("name", TERMS)
def test_what_an_entry_says_is_true(name: str) -> None:
    spec = read({"term": name} | GIVEN.get(name, {}))
    built = resolve_name(spec.builder)(context(), **spec.fields())
    assert isinstance(built, pt.Risk) == spec.needs_data
    assert (spec.users_code is not None) == (name in {"potential", "kernel"})
    assert spec.reference_points == len(getattr(built, "reference", ()))
    cloud, whole = pt.gaussian_cloud(1, 6, 2), pt.Partition()
    moved = torch.cat([cloud[:5], cloud[5:] + 1])
    felt = [built.field(each, whole).velocity(cloud[:1].clone()) for each in (cloud, moved)]
    assert torch.equal(*felt) == (spec.coupling == "none")


def test_pairs_are_what_costs_grow_with(tmp_path: Path) -> None:
    work: dict[str, float] = {}
    for name in sorted(TERMS.keys() - {"risk"}):
        content = ALONE | {"functional": {"terms": [{"term": name} | GIVEN.get(name, {})]}}
        few, many = (
            make_plan(make_spec(content | {"axes": {"width": [m], "seed": 1}}), SweepStore(tmp_path / "x.zarr"))
            for m in (1000, 10_000)
        )
        seconds = [pinned.described(plan)["seconds"] for plan in (few, many)]
        work[name] = seconds[1] / seconds[0]
    paired = {name for name, growth in work.items() if growth > 30}
    assert paired == {name for name, term in TERMS.items() if term.coupling == "pairs"}


def build_saddle(context: pt.TermContext, *, power: int, count: int) -> pt.Term:
    """Σ_c θ_c^power/power, and as many points as the spec says."""
    assert context.coordinates == 2
    assert count == 7
    return pt.Potential(lambda x: x.pow(power).sum(1) / power, lambda x: x.pow(power - 1))


def declare(coupling: Any) -> None:
    @register_term(builder=f"{__name__}:build_saddle", coupling=coupling)
    class SaddleTerm(TermSpec):
        """∫Σ_c θ_c^power/power dμ."""

        term: Literal["saddle"]
        power: int = 2
        count: int = 7

        @property
        def reference_points(self) -> int:
            return 10**6 * self.count


@pytest.mark.usefixtures("table")
def test_a_new_term_is_one_class_and_its_builder(tmp_path: Path) -> None:
    content = ALONE | {"functional": {"terms": [{"term": "saddle", "strength": 0.5}]}}
    with pytest.raises(SpecError, match=r"functional\.terms\.0\.term: found 'saddle'; allowed: 'risk', .* 'kernel'$"):
        make_spec(content)
    declare("none")
    assert "saddle" in str(spec_schema()["$defs"]["FunctionalSpec"])
    with pytest.raises(SpecError, match=r"functional\.terms\.0\.power: found 'x'; expected a whole number"):
        make_spec(ALONE | {"functional": {"terms": [{"term": "saddle", "power": "x"}]}})
    with pytest.raises(SpecError, match=r"functional\.terms\.0\.powr: unknown key\. Did you mean 'power'\?"):
        make_spec(ALONE | {"functional": {"terms": [{"term": "saddle", "powr": 2}]}})
    plan = make_plan(make_spec(content), SweepStore(tmp_path / "planned.zarr"))
    assert plan.memory_bytes() > 10**6 * 7 * 2 * 16
    [run] = plan.runs
    assert run_from_json(run.to_json()) == run
    sweepengine.run(content, tmp_path / "x.zarr", executor="inline")
    sweep = sweepengine.open_sweep(tmp_path / "x.zarr").load()
    assert list(sweep.term.values) == ["saddle"]
    start = pt.gaussian_cloud(0, 16, 2)
    end = pt.flow(pt.Functional([pt.Scaled(pt.quadratic(), 0.5)]), start, step_size=0.05, steps=40).final()
    np.testing.assert_allclose(sweep.particles.isel(run=0, snapshot=-1), end, rtol=1e-12)


@pytest.mark.usefixtures("table")
def test_the_plan_reads_how_a_new_term_couples(tmp_path: Path) -> None:
    content = ALONE | {"functional": {"terms": [{"term": "saddle"}]}, "axes": {"width": [10_000], "seed": 1}}
    seconds = {}
    for coupling in ("means", "pairs"):
        declare(coupling)
        plan = make_plan(make_spec(content), SweepStore(tmp_path / "x.zarr"))
        seconds[coupling] = pinned.described(plan)["seconds"]
        del TERMS["saddle"]
    assert seconds["pairs"] > 100 * seconds["means"]


@pytest.mark.usefixtures("table")
def test_a_term_that_says_too_little_cannot_be_registered() -> None:
    with pytest.raises(TypeError, match="coupling"):
        register_term(builder="a:b")  # type: ignore[call-arg]

    class UnreferredTerm(TermSpec):
        term: Literal["unreferred"]

    with pytest.raises(ValueError, match=r"found the builder 'build'; name it as package\.module:function"):
        register_term(builder="build", coupling="none")(UnreferredTerm)
    assert "unreferred" not in TERMS
    declare("none")
    with pytest.raises(ValueError, match="no other term has"):
        declare("none")
    with pytest.raises(ValueError, match="Literal of one name"):
        register_term(builder="a:b", coupling="none")(TermSpec)
