"""Axes that list values of settings: what they say of themselves, what is refused, the plain sweeps that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import jsonschema
import pytest

from sweepengine.errors import SpecError
from sweepengine.spec import Axis, DigitsData, Section, Sweeps, SweepSpec, WholeSpec, axes_of, make_spec, spec_schema
from sweepengine.spec._model import NetworkSpec
from tests.support.axes import SWEPT, fixed, swept
from tests.support.particle_sweeps import WELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    Tiny = Callable[..., dict[str, Any]]


def test_a_sweep_is_the_union_of_the_plain_sweeps_that_its_author_could_have_written(tiny: Tiny) -> None:
    plain = list(make_spec(swept(tiny, **SWEPT)).variants())
    assert [each.swept for each in plain] == [{}] * 8
    settings = [
        {"n_train": n, "sigma_b": bias, "step_size": step}
        for bias in (0.0, 0.5)
        for step in (0.25, 0.5)
        for n in (6, 12)
    ]
    assert [each.to_json() for each in plain] == [make_spec(fixed(tiny, **each)).to_json() for each in settings]
    assert [{name: each.values_of_axes()[name] for name in SWEPT} for each in plain] == settings


def test_a_sweep_without_such_axes_is_its_own_only_variant(tiny: Tiny) -> None:
    content = tiny(axes={"alpha": [1.0, 2.0], "depth": [1, 2]})
    del content["network"]["depth"]
    spec = make_spec(content)
    assert spec.swept == {"alpha": (1.0, 2.0), "depth": (1, 2)}
    [variant] = spec.variants()
    assert variant is spec


@pytest.mark.parametrize(
    "axes",
    [
        SWEPT,
        {"sigma_w": [1.0, 2.0]},
        {"d": [2, 3], "data_seed": [0, 1], "data_noise": [0.0, 0.1]},
        {"step_size": ["auto", 0.5]},
    ],
)
def test_a_spec_is_written_and_read_as_its_author_wrote_it(tiny: Tiny, axes: dict[str, Any]) -> None:
    spec = make_spec(swept(tiny, **axes))
    written = spec.to_json()
    assert {axis: written["axes"][axis] for axis in axes} == axes
    for axis in axes:
        section, field = axes_of(type(spec))[axis].path  # type: ignore[arg-type]
        assert field not in written[section]
    assert make_spec(written) == spec


def test_stores_compare_the_values_of_a_swept_setting(tiny: Tiny) -> None:
    settings = make_spec(swept(tiny, sigma_w=[1.0, 2.0], n_train=[6, 12])).agreed_settings(())
    assert settings["data.n_train"] == (6, 12)
    assert settings["network.sigma_w"] == settings["network.sigma_a"] == (1.0, 2.0)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (
            {"sigma_bb": [0.1]},
            r"^axes\.sigma_bb: unknown key\. Did you mean 'sigma_b'\? Allowed here: activation, alpha, d,",
        ),
        ({"temperature": [0.1]}, r"^axes\.temperature: unknown key\. Allowed here: "),
        ({"n_train": [0, 4]}, r"^axes\.n_train\.0: found 0; expected 1 or more$"),
        ({"n_train": [4, 4]}, r"^axes\.n_train: 4 stands twice; keep it once$"),
        ({"n_train": 4}, r"^axes\.n_train: found 4; expected a list, such as \[4\]$"),
        ({"n_train": []}, r"^axes\.n_train: found \[\]; the list is empty; give at least one value$"),
        ({"n_train": [4.5]}, r"^axes\.n_train\.0: found 4\.5; expected a whole number$"),
        ({"sigma_b": [0.5, -1.0]}, r"^axes\.sigma_b\.1: found -1\.0; expected 0\.0 or more$"),
        ({"sigma_w": [0.0]}, r"^axes\.sigma_w\.0: found 0\.0; expected 1e-12 or more$"),
        ({"step_size": ["fast"]}, r"^axes\.step_size\.0: found 'fast'; allowed: 'auto'"),
    ],
)  # fmt: skip
def test_bad_axes_say_what_is_wrong_at_the_axis(tiny: Tiny, axes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_spec(swept(tiny, **axes))


def test_a_setting_has_one_home(tiny: Tiny) -> None:
    for axis, value in {"sigma_b": 0.0, "sigma_w": 1.0, "n_train": 4, "step_size": 0.5, "depth": 1}.items():
        path = axes_of(type(make_spec(tiny())))[axis].setting  # type: ignore[arg-type]
        with pytest.raises(
            SpecError, match=rf"^{path.replace('.', chr(92) + '.')} and axes\.{axis} are both given; remove one"
        ):
            make_spec(tiny(axes={axis: [value]}))


def test_axes_of_settings_that_the_spec_has_not(tiny: Tiny) -> None:
    with pytest.raises(
        SpecError, match=r"^axes\.d: sweeps data\.d, which data 'digits' has not; .*one of gaussian, sphere"
    ):
        make_spec(tiny(axes={"d": [3]}))
    assert make_spec(swept(tiny, d=[3, 4])).swept == {"d": (3, 4)}
    with pytest.raises(
        SpecError, match=r"^axes\.n_train: sweeps data\.n_train, and the spec has no data; leave the axis out"
    ):
        make_spec(WELLS | {"axes": WELLS["axes"] | {"n_train": [3]}})


def test_sections_may_be_given_as_objects(tiny: Tiny) -> None:
    content = swept(tiny, sigma_b=[0.5, 0.0])
    objects = content | {"network": NetworkSpec(depth=1, activation="tanh", sigma_w=1.4)}
    assert SweepSpec.model_validate(objects) == make_spec(content)
    assert SweepSpec.model_validate(objects).network.sigma_b == 0.5
    with pytest.raises(ValueError, match=r"network\.sigma_w and axes\.sigma_w are both given"):
        SweepSpec.model_validate(objects | {"axes": content["axes"] | {"sigma_w": [1.0]}})
    digits = DigitsData(name="digits", classes=(3, 8), n_train=4, n_test=4)
    with pytest.raises(ValueError, match=r"axes\.d: sweeps data\.d, which data 'digits' has not"):
        SweepSpec.model_validate(tiny(axes={"d": [3]}) | {"data": digits})


def test_digits_that_do_not_nest_are_refused(tiny: Tiny) -> None:
    content = swept(tiny, n_train=[6, 12])
    del content["data"]["nested"]
    with pytest.raises(SpecError, match=r"axes\.n_train: with every other n_train the digits have other test points"):
        make_spec(content)


def test_a_combination_that_is_not_allowed_is_named(tiny: Tiny) -> None:
    content = swept(tiny, sigma_b=[0.5, 0.0], sigma_w=[1.0, 2.0])
    content["network"]["output_bias"] = True
    with pytest.raises(
        SpecError, match=r"^axes: at sigma_w = 1\.0, sigma_b = 0\.0: network\.output_bias: found true with sigma_b = 0"
    ):
        list(make_spec(content).variants())


def test_axes_of_networks_of_layers_are_refused_for_models(tiny: Tiny) -> None:
    content = tiny(network={"model": "mine"}, axes={"sigma_b": [0.0, 0.5]})
    content["network"] = {"model": "mine"}
    with pytest.raises(SpecError, match=r"^axes\.sigma_b: belongs to the fully connected network"):
        make_spec(content)
    content["axes"] = content["axes"] | {"step_size": [0.25, 0.5]}
    del content["axes"]["sigma_b"], content["training"]["step_size"]
    assert make_spec(content).swept == {"step_size": (0.25, 0.5)}


def test_the_schema_lets_a_section_leave_out_what_is_swept(tiny: Tiny) -> None:
    schema = spec_schema()
    for content in (tiny(), swept(tiny, **SWEPT)):
        jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(swept(tiny, **SWEPT | {"n_train": [0]}), schema)
    content = tiny()
    del content["data"]["n_test"]  # no axis sweeps it
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)


class BoxSpec(WholeSpec):
    """A kind's own spec, which declares an axis beside the setting that it sweeps."""

    class Box(Section):
        side: float

    class Axes(Section):
        width: Axis[int]
        side: Annotated[Axis[float] | None, Sweeps("box.side")] = None

    kind: Literal["box"]
    box: Box
    axes: Axes


def test_a_kind_of_ones_own_declares_what_may_be_swept() -> None:
    spec = BoxSpec.model_validate({"kind": "box", "box": {}, "axes": {"width": (1,), "side": (1.0, 2.0)}})
    assert [(each.box.side, each.axes.side) for each in spec.variants()] == [(1.0, None), (2.0, None)]
    assert [each.values_of_axes() for each in spec.variants()] == [{"side": 1.0}, {"side": 2.0}]
