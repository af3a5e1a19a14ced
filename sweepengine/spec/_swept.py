"""Axes that list values of a setting: what each says of itself, and the plain sweeps of which a sweep is made."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from sweepengine.errors import SpecError
from sweepengine.spec._choice import OneOf, models_in
from sweepengine.spec._messages import describe_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sweepengine.spec._column import Column

    Whole = TypeVar("Whole", bound=BaseModel)


@dataclass(frozen=True)
class Sweeps:
    """Annotation of a field of a class of axes: the setting of which the axis lists values.

    This is all that declares a setting as one that may be swept. The spec, the table of runs and the analysis read it.

    Attributes
    ----------
    setting : str
        The setting in the spec, ``section.field``.
    column : Column or None
        Column that a table of runs has if the setting was swept; None where every table of the kind has one.
    symbol : str
        Symbol for people; empty where the values speak for themselves, as names of activations do.
    by_kind : bool
        Whether the kind expands the axis into runs itself, because runs that differ in it may share a block. Other axes
        make plain sweeps side by side (:func:`variants`).
    """

    setting: str
    column: Column | None = None
    symbol: str = ""
    by_kind: bool = False

    @property
    def path(self) -> tuple[str, str]:
        """Section and field."""
        section, field = self.setting.split(".")
        return section, field


def axes_of(model: type[BaseModel]) -> dict[str, Sweeps]:
    """Axis → what it sweeps, in the order of the product, for the class of a whole spec."""
    axes = model.model_fields.get("axes")
    fields = getattr(axes.annotation, "model_fields", {}) if axes is not None else {}
    return {name: marker for name, field in fields.items() for marker in field.metadata if isinstance(marker, Sweeps)}


def swept(spec: BaseModel) -> dict[str, tuple[Any, ...]]:
    """Axis → values, for the axes of a spec that list values of a setting."""
    axes = getattr(spec, "axes", None)
    values = {name: getattr(axes, name) for name in axes_of(type(spec))}
    return {name: tuple(each) for name, each in values.items() if each is not None}


def with_first_values(model: type[BaseModel], content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a spec where each swept setting stands in its section, with the first value of its axis.

    The sections are then complete, so a setting that is required stays required in their classes.

    Raises
    ------
    ValueError
        A setting is given beside its axis, or the spec has nothing with that setting.
    """
    result = dict(content)
    given = _given_axes(content)
    for axis, sweeps in axes_of(model).items():
        if given.get(axis) is None:
            continue
        name, field = sweeps.path
        section = result.get(name)
        if _value(section, field) is not None:
            raise ValueError(f"{sweeps.setting} and axes.{axis} are both given; remove one of them")
        if sweeps.by_kind:
            continue
        _refuse_axis_without_setting(model, axis, sweeps, section)
        values = given[axis]
        if isinstance(values, list | tuple) and values:
            if isinstance(section, BaseModel):
                result[name] = section.model_copy(update={field: values[0]})
            elif isinstance(section, dict):
                result[name] = section | {field: values[0]}
    return result


def _given_axes(content: Mapping[str, Any]) -> Mapping[str, Any]:
    axes = content.get("axes")
    if isinstance(axes, BaseModel):
        return {name: getattr(axes, name) for name in axes.model_fields_set}
    return axes if isinstance(axes, dict) else {}


def _value(section: object, field: str) -> object:
    """The value that a section gives a field; None where it gives none."""
    if isinstance(section, BaseModel):
        return getattr(section, field) if field in section.model_fields_set else None
    return section.get(field) if isinstance(section, dict) else None


def _refuse_axis_without_setting(model: type[BaseModel], axis: str, sweeps: Sweeps, section: object) -> None:
    name, field = sweeps.path
    declared = model.model_fields[name]
    if section is None and not declared.is_required():
        raise ValueError(f"axes.{axis}: sweeps {sweeps.setting}, and the spec has no {name}; leave the axis out")
    choice = OneOf.within(declared)
    chosen = choice.model_of(section) if choice is not None else None
    if choice is not None and chosen is not None and field not in chosen.model_fields:
        able = ", ".join(choice.names_with(field))
        raise ValueError(
            f"axes.{axis}: sweeps {sweeps.setting}, which {name} {_value(section, choice.key)!r} has not; leave the "
            f"axis out, or take one of {able}"
        )


def describe_swept(error: ValidationError, model: type[BaseModel], content: Mapping[str, Any]) -> str:
    """All that is wrong with the content of a spec; what is wrong with the first value of an axis is said there."""
    paths = {axis: sweeps.path for axis, sweeps in axes_of(model).items() if axis in _given_axes(content)}
    errors = []
    for each in error.errors():
        place = each["loc"]
        axis = next((axis for axis, (name, field) in paths.items() if place[:1] == (name,) and field in place), None)
        if axis is None:
            errors.append(each)
        elif not any(other["loc"][:2] == ("axes", axis) for other in error.errors()):
            errors.append({**each, "loc": ("axes", axis, 0)})
    return describe_all(errors, model)


def without_swept(spec: BaseModel, content: dict[str, Any]) -> dict[str, Any]:
    """The plain values of a spec without the settings that its axes sweep: as its author wrote them."""
    content = dict(content)
    axes = axes_of(type(spec))
    for axis in swept(spec):
        name, field = axes[axis].path
        content[name] = {key: value for key, value in content[name].items() if key != field}
    return content


def values_of_axes(spec: BaseModel) -> dict[str, Any]:
    """Axis → value of its setting in a plain sweep; None where the spec has no such setting."""
    paths = {axis: sweeps.path for axis, sweeps in axes_of(type(spec)).items()}
    return {axis: getattr(getattr(spec, name, None), field, None) for axis, (name, field) in paths.items()}


def variants(spec: Whole, content: dict[str, Any]) -> Iterator[Whole]:
    """The plain sweeps whose union a sweep is: one for each combination of values of the swept settings.

    Parameters
    ----------
    spec : WholeSpec
    content : dict
        The plain values of the spec, without what its axes sweep.

    Yields
    ------
    WholeSpec
        Specs of the same class, in the order of the product of the axes; each is validated as if its author had written
        it. A spec without such axes is its own only variant.

    Raises
    ------
    SpecError
        A combination is not allowed; the message names it.
    """
    axes = {axis: sweeps for axis, sweeps in axes_of(type(spec)).items() if not sweeps.by_kind}
    values = {axis: each for axis, each in swept(spec).items() if axis in axes}
    if not values:
        yield spec
        return
    rest = {axis: each for axis, each in content["axes"].items() if axis not in values}
    for combination in itertools.product(*values.values()):
        plain = content | {"axes": rest}
        for axis, value in zip(values, combination, strict=True):
            name, field = axes[axis].path
            plain[name] = plain[name] | {field: value}
        try:
            variant = type(spec).model_validate(plain)
        except ValidationError as error:
            at = ", ".join(f"{axis} = {value}" for axis, value in zip(values, combination, strict=True))
            raise SpecError(f"axes: at {at}: {describe_all(error.errors(), type(spec))}") from None
        yield variant


def with_swept_left_out(schema: dict[str, Any], models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """A JSON schema in which a section may leave out what an axis can sweep; reading a spec tells what is missing."""
    for model in models:
        for section, field in (sweeps.path for sweeps in axes_of(model).values()):
            for owner in models_in(model.model_fields[section]):
                required = schema["$defs"].get(owner.__name__, {}).get("required", [])
                if field in required:
                    required.remove(field)
    return schema
