"""Specs: YAML in, runs out, and every bad input as one clear message."""

from __future__ import annotations

import json
import os
import re
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepengine.errors import SpecError
from sweepengine.observe import canonical_names
from sweepengine.plugins import read_plugin
from sweepengine.spec import (
    Architecture,
    Run,
    SweepSpec,
    expand,
    fixed_step_count,
    make_spec,
    parse_spec,
    read_spec,
    record_schedule,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PINNED_PLAIN, PINNED_BIASED = "045d54727e234e26", "28a153513e2f80e4"
QUICKSTART = Path(__file__).parents[2] / "jobs" / "quickstart.yaml"


def quickstart() -> SweepSpec:
    spec = read_spec(QUICKSTART)
    assert isinstance(spec, SweepSpec)
    return spec


def runs_of(spec: SweepSpec, steps: int = 154) -> list[Run]:
    return list(expand(spec, "0123456789abcdef", lambda _: steps, canonical_names(spec)))


def test_quickstart_expands_to_its_runs() -> None:
    spec = quickstart()
    runs = runs_of(spec)
    assert len(runs) == 2 * 7 * 8
    assert len({run.id for run in runs}) == len(runs)
    assert {run.gamma for run in runs} == {0.5, 1.0}
    assert runs[0].architecture.sigma_a == spec.network.sigma_w
    assert Run.from_json(json.loads(json.dumps(runs[0].to_json()))) == runs[0]


def test_run_ids_are_pinned() -> None:
    """Ids of this version of the format: a later field must stay out of the hash at its neutral default."""
    architecture = Architecture(1, "relu", 2**0.5, 0.0, 2**0.5)
    run = Run(architecture, 32, 0, 0.5, 1.0, "mse", 50.0, (0, 1, 154), "float32", "0123456789abcdef")
    assert run.id == PINNED_PLAIN
    biased = Architecture(2, "tanh", 1.5, 0.5, 1.0, output_bias=True)
    assert Run(biased, 64, 3, 0.75, 2.0, "mse", 10.0, (0, 5, 100), "float64", "0123456789abcdef").id == PINNED_BIASED


@pytest.mark.parametrize(
    "change",
    [{"width": 33}, {"seed": 1}, {"gamma": 1.0}, {"alpha": 2.0}, {"time": 51.0}, {"record_steps": (0, 2, 154)},
     {"precision": "float64"}, {"matmul": "tf32"}, {"data_id": "1123456789abcdef"}],
)  # fmt: skip
def test_everything_physical_is_in_the_id(change: dict[str, Any]) -> None:
    base = runs_of(quickstart())[0]
    assert Run.from_json(base.to_json() | change).id != base.id


def read_value(text: str) -> str:
    """The value that a text of YAML stands for, as the refusal of a field that can hold no such value shows it."""
    with pytest.raises(SpecError) as refused:
        parse_spec(QUICKSTART.read_text().replace("records: {spacing: log, count: 24}", f"records: {text}"))
    found = re.match(r"training\.records: found (.*?)(?:; |$)", str(refused.value))
    assert found is not None, refused.value
    return found[1]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1E3", 1000.0), ("-.5", -0.5), ("010", 10), ("0o10", 8), ("0x1F", 31), ("+7", 7), ("1.", 1.0),
     ("yes", "yes"), ("on", "on"), ("1:30", "1:30"), ("1_000", "1_000"), ("true", True), ("~", None), ("", None),
     ("2001-01-01", "2001-01-01"), (".5e2", 50.0), ("e3", "e3"), ("-", "-"), ("[1e-3, 2]", [0.001, 2])],
)  # fmt: skip
def test_yaml_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert read_value(text if text != "-" else "'-'") == repr(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_printed_float_is_read_back(value: float) -> None:
    assert read_value(repr(value)) == repr(value)


def schedule(n_steps: int, **records: Any) -> tuple[int, ...]:
    """The steps that a spec with such records has among so many."""
    spec = parse_spec(QUICKSTART.read_text().replace("{spacing: log, count: 24}", json.dumps(records)))
    assert isinstance(spec, SweepSpec)
    return record_schedule(spec.training.records, n_steps, "training")


@given(n_steps=st.integers(1, 3000), share=st.floats(0, 1))
def test_log_schedules_are_distinct_whole_steps_from_zero_to_the_end(n_steps: int, share: float) -> None:
    count = 2 + round(share * (n_steps - 1))
    steps = schedule(n_steps, spacing="log", count=count)
    assert len(steps) == count
    assert (steps[0], steps[-1]) == (0, n_steps)
    assert all(a < b for a, b in pairwise(steps))


def test_log_schedule_is_geometric_where_it_can_be() -> None:
    steps = schedule(100_000, spacing="log", count=24)
    ratios = [b / a for a, b in pairwise(steps[6:])]
    assert max(ratios) / min(ratios) < 1.2


def test_a_count_that_does_not_fit_names_the_largest() -> None:
    with pytest.raises(SpecError, match="use count: 11 or fewer"):
        schedule(10, spacing="log", count=12)
    assert schedule(10, spacing="log", count=11) == tuple(range(11))
    assert schedule(10, spacing="every", k=4) == (0, 4, 8, 10)
    with pytest.raises(SpecError, match="use k: 10 or fewer"):
        schedule(10, spacing="every", k=11)


def test_a_step_size_must_divide_the_time(tiny: Callable[..., dict[str, Any]]) -> None:
    assert fixed_step_count(SweepSpec.model_validate(tiny(training={"step_size": 0.1, "time": 5})).training) == 50
    with pytest.raises(SpecError, match=r"use 0\.294117647 or 0\.3125"):
        fixed_step_count(SweepSpec.model_validate(tiny(training={"step_size": 0.3, "time": 5.0})).training)
    with pytest.raises(SpecError, match=r"use 5(?![.\d])"):
        fixed_step_count(SweepSpec.model_validate(tiny(training={"step_size": 7.0, "time": 5.0})).training)


def test_axes_of_architectures(tiny: Callable[..., dict[str, Any]]) -> None:
    content = tiny(axes={"depth": [1, 2], "alpha": [1.0, 4.0]})
    del content["network"]["depth"]
    spec = SweepSpec.model_validate(content)
    assert [architecture.depth for architecture in spec.architectures()] == [1, 2]
    assert len(runs_of(spec)) == 2 * 2 * 2 * 2 * 2
    assert spec.axes.seed == (0, 1)
    assert make_spec(tiny(axes={"seed": [3, 5]})).axes.model_dump()["seed"] == (3, 5)


BAD = [
    ("depth: 1", "depht: 1", r"network\.depht: unknown key\. Did you mean 'depth'\? Allowed here: activation"),
    (
        "activation: relu",
        "activation: rellu",
        r"network\.activation: found 'rellu' \(did you mean 'relu'\?\); allowed: 'relu', ",
    ),
    (
        "[ntk, mean_field]",
        "[ntk, meanfield]",
        r"axes\.scaling\.1: found 'meanfield' \(did you mean 'mean_field'\?\); allowed: 'ntk' or 'mean_field'",
    ),
    ("[ntk, mean_field]", "[0.3]", r"axes\.scaling\.0: found 0\.3; .*expected 0\.5 or more"),
    ("[ntk, mean_field]", "[ntk, 0.5]", r"axes\.scaling: 0\.5 stands twice"),
    ("name: digits", "name: mnist", r"data\.name: found 'mnist'; allowed: 'digits', 'file', 'gaussian', 'sphere'"),
    ("[32, 64,", "[-32, 64,", r"axes\.width\.0: found -32; expected 1 or more"),
    ("[32, 64,", "[32.5, 64,", r"axes\.width\.0: found 32\.5; expected a whole number"),
    ("[32, 64, 128, 256, 512, 1024, 2048]", "[]", r"axes\.width: found \[\]; the list is empty"),
    ("[32, 64, 128, 256, 512, 1024, 2048]", "32", r"axes\.width: found 32; expected a list, such as \[32\]"),
    ("seed: 8", "seed: 0", r"axes\.seed: found 0; a number of seeds lies between 1 and"),
    ("seed: 8", "seed: 99999999999", r"axes\.seed: found 99999999999"),
    ("seed: 8", "seed: [1, 1]", r"axes\.seed: 1 stands twice"),
    ("time: 50.0", "time: .nan", r"training\.time: found nan; expected a finite number"),
    ("depth: 1, ", "depth: 1000000000, ", r"network\.depth: found 1000000000; expected 1000 or less"),
    ("time: 50.0", "time: .inf", r"training\.time: found inf; expected a finite number"),
    ("time: 50.0", "time: 0", r"training\.time: found 0; expected 1e-12 or more"),
    ("time: 50.0", "time: '50'", r"training\.time: found '50'; expected a number"),
    ("step_size: auto", "step_size: fast", r"training\.step_size: found 'fast'; allowed: 'auto'; or expected a number"),
    ("spacing: log", "spacing: linear", r"training\.records\.spacing: found 'linear'; allowed: 'log', 'every'"),
    ("count: 24", "count: 1", r"training\.records\.count: found 1; expected 2 or more"),
    ("float32", "float16", r"precision: found 'float16' \(did you mean 'float64'\?\); allowed: 'float32' or 'float64'"),
    ("[3, 8]", "[3, 3]", r"data\.classes: found \[3, 3\]; name two different digits"),
    ("name: quickstart", "name: ../../etc/x", r"name: found '\.\./\.\./etc/x'; a name is made of letters"),
    ("name: quickstart", "name: .hidden", r"name: found '\.hidden'"),
    ("name: quickstart", "name: !!python/object/apply:os.system ['touch hacked']", r"line 3: .*remove the tag"),
    ("name: quickstart", "name: !!bool maybe", r"found the tag 'tag:yaml.org,2002:bool'"),
    ("name: quickstart", "name: &a [*a]", r"line 3: found an alias of what it stands in, which never ends"),
    (
        "name: quickstart",
        "a0: &a0 [1]\n" + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 9)),
        r"line 9: its aliases stand for more than 250000 values",
    ),
    (
        "name: quickstart",
        "a0: &a0 [1]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}]\n" for k in range(1, 20)),
        r"line \d+: found more than 16 mappings and lists within each other",
    ),
    ("name: quickstart", "name: &a {x: 1, x: 2}", r"line 3: the key 'x' stands twice"),
    ("time: 50.0", "time: 50,0", r"line 6: the key 0 is not text; .*a number has a point, 20\.0, and no comma"),
    (
        "time: 50.0,",
        'time: "50,0",',
        r"training\.time: found '50,0'; expected a number; .* a point, 50\.0, and no comma$",
    ),
    ("step_size: auto", 'step_size: "0,1"', r"'auto'; or expected a number; a number has a point, 0\.1, and no comma$"),
    ("name: quickstart", "name: my sweep", r"name: found 'my sweep'; a name is made of letters.*; take my-sweep$"),
    ("name: quickstart", "name: ' -- '", r"name: found ' -- '; .* names the store in the results folder$"),
    ("name: quickstart", "name: ''", r"name: found ''; expected text of 1 or more characters"),
    ("  scaling:", "\tscaling:", r"this is not valid YAML: line 8, column 1: found a tab; indent by spaces$"),
    (
        "precision: float32",
        "precision: float32\n---\na: 1",
        r"line 12, column 1: found a second document; .* one spec$",
    ),
    ("[ntk, mean_field]", "ntk", r"axes\.scaling: found 'ntk'; expected a list, such as \[ntk\]$"),
    ("[32, 64, 128, 256, 512, 1024, 2048]", '"32,64"', r"found '32,64'; expected a list, such as \[32, 64\]$"),
    ("[32, 64, 128, 256, 512, 1024, 2048]", "", r"axes\.width: found None; expected a list$"),
    ("seed: 8", "seed: 8.0", r"axes\.seed: found 8\.0; a number of seeds is a whole number, such as 8"),
    ("loss: mse", "loss: MSE", r"training\.loss: found 'MSE' \(did you mean 'mse'\?\); allowed: 'mse', 'logistic'"),
    ("name: digits", "name: digit", r"data\.name: found 'digit' \(did you mean 'digits'\?\); allowed: "),
    ("time: 50.0", "time: 1e300", r"training\.time: found 1e\+300; expected 1000000000000\.0 or less"),
    ("name: quickstart", 'name: "a\\0b"', r"line 3: found text with the control character '\\x00'"),
    ("[32, 64,", "[" + "[" * 8000, r"line 9: found more than 16 mappings and lists within each other"),
    ("name: quickstart", f"x: {'[{a: ' * 9}", r"line 3: found more than 16 mappings and lists"),
    ("name: quickstart", f"x: {'1' * 5000}", r"line 3: found a whole number of 5000 digits; write at most 100"),
    ("name: quickstart", f"x: 0x{'f' * 5000}", r"line 3: found a whole number of 5002 digits"),
    ("name: quickstart", f"? {'k' * 5000}\n: 1", r"\nk{30,60}…: unknown key"),
    (
        "[32, 64,",
        "[10000000000000000000, 64,",
        r"axes\.width\.0: found 10000000000000000000; expected 1000000000 or less",
    ),
    ("name: quickstart", "name: a\nname: b", r"the key 'name' stands twice"),
    ("name: quickstart", "name: [", r"not valid YAML"),
    ("sigma_b: 0.0", "sigma_b: 0.0, output_bias: true", r"network\.output_bias: .*set sigma_b > 0"),
    ("seed: 8", "seed: 8\n  depth: [1, 2]", r"network\.depth and axes\.depth are both given"),
    ("depth: 1, ", "", r"network\.depth: missing; give one value here, or a list under axes\.depth"),
    ("training: ", "traning: ", r"(?s)training: missing; add it.*traning: unknown key\. Did you mean 'training'"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD, ids=[new[:30] for _, new, _ in BAD])
def test_bad_specs_say_what_is_wrong(old: str, new: str, message: str) -> None:
    text = QUICKSTART.read_text()
    assert old in text
    with pytest.raises(SpecError, match=message):
        parse_spec(text.replace(old, new))


@pytest.mark.parametrize(
    "text",
    ["[" * 8000, "{a: " * 20_000, "- " * 60_000, "? " * 60_000, "".join(f"{' ' * n}a:\n" for n in range(600)),
     "".join(f"{' ' * n}- a:\n" for n in range(0, 600, 2))],
    ids=["lists", "mappings", "dashes", "keys", "block", "mixed"],
)  # fmt: skip
def test_deep_nesting_is_refused_where_it_begins(text: str) -> None:
    """PyYAML reads n lists within each other in a time that grows like n²: 8 kB took 45 seconds."""
    begun = time.process_time()
    with pytest.raises(SpecError, match=r"line \d+: found more than 16 mappings and lists within each other"):
        parse_spec(text)
    assert time.process_time() - begun < 5  # 0.2 s, whatever the length


def test_aliases_and_merge_keys_are_what_they_stand_for() -> None:
    text = QUICKSTART.read_text()
    plain = parse_spec(text.replace("seed: 8", "seed: [0, 1, 2]").replace("name: quickstart", "name: lärm_βη"))
    merged = parse_spec(
        text.replace("seed: 8", "<<: {seed: &some [0, 1, 2], width: *some}").replace(
            "name: quickstart", "name: lärm_βη"
        )
    )
    assert merged == plain
    assert plain.name == "lärm_βη"


def test_a_thousand_mistakes_are_told_in_forty_lines() -> None:
    surplus = "".join(f"{'z' * 90}{n}: 1\n" for n in range(1000))
    with pytest.raises(SpecError, match=r"and 960 more like these$") as refused:
        parse_spec(QUICKSTART.read_text() + surplus)
    assert len(str(refused.value).splitlines()) == 41


def test_a_pipe_is_no_spec(tmp_path: Path) -> None:
    """It would be waited for without end."""
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero"), tmp_path):
        with pytest.raises(SpecError, match=r"a folder, pipe or device, and no plain file"):
            read_spec(path)
        with pytest.raises(SpecError, match=r"a folder, pipe or device, and no plain file"):
            read_plugin(path)


def test_files_that_are_no_specs(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        read_spec(tmp_path / "none.yaml")
    for content, message in ((b"\xff\xfe\x00", "cannot be read as text"), (b"", "found nothing"),
                             (b"[1]", "found a list"),
                             (b"a" * 1_000_001, "longer than"), (b"1: 2", "keys are field names")):  # fmt: skip
        path = tmp_path / "bad.yaml"
        path.write_bytes(content)
        with pytest.raises(SpecError, match=f"bad.yaml: .*{message}"):
            read_spec(path)
    with pytest.raises(SpecError, match="cannot be read as text"):
        read_spec(tmp_path)


def test_the_schema_describes_the_quickstart() -> None:
    schema = SweepSpec.model_json_schema()
    assert set(schema["properties"]) == {
        "kind",
        "refine",
        "keep_states",
        "name",
        "data",
        "network",
        "training",
        "axes",
        "precision",
        "matmul",
        "observables",
    }
    assert schema["additionalProperties"] is False
    seed = schema["$defs"]["AxesSpec"]["properties"]["seed"]
    assert [branch["type"] for branch in seed["anyOf"]] == ["integer", "array"]
    assert re.search("N/\\(4 λ_max\\)", json.dumps(schema, ensure_ascii=False))
