"""Validation errors in the user's terms: each message names the field, its value, what is allowed and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

from sweepengine.errors import did_you_mean, nearest, shown
from sweepengine.spec._choice import models_in

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

_MOST_ERRORS = 40
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+([eE][-+]?[0-9]+)?")
_EXPECTED = {
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list{such}",
    "string_too_short": "expected text of {min_length} or more characters",
    "string_too_long": "expected text of at most {max_length} characters",
    "finite_number": "expected a finite number",
    "too_short": "the list is empty; give at least one value",
    "greater_than": "expected a number above {gt}",
    "greater_than_equal": "expected {ge} or more",
    "less_than": "expected a number below {lt}",
    "less_than_equal": "expected {le} or less",
    "union_tag_not_found": "the key {discriminator} is missing; add it",
    "model_type": "expected a mapping of fields",
    "model_attributes_type": "expected a mapping of fields",
}


def _walk(
    model: type[BaseModel], location: tuple[int | str, ...]
) -> tuple[tuple[int | str, ...], list[type[BaseModel]]]:
    """The path in the spec of an error's location, and the model classes that may stand at this path.

    Pydantic's location also names branches of unions, such as ``log`` or ``literal['ntk','mean_field']``; the path
    leaves them out.
    """
    path: list[int | str] = []
    models = [model]
    for part in location:
        owners = [owner for owner in models if part in owner.model_fields]
        if owners or isinstance(part, int):
            path.append(part)
        if owners:
            fields = [owner.model_fields[str(part)] for owner in owners]
            models = [inner for field in fields for inner in models_in(field)]
        elif isinstance(part, str):
            models = [inner for inner in models if inner.__name__ == part or _is_branch(inner, part)] or models
    return tuple(path), models


def _joined(place: tuple[int | str, ...]) -> str:
    return ".".join(shown(part).strip("'") for part in place) or "the spec"


def _is_branch(model: type[BaseModel], tag: str) -> bool:
    return any(tag in get_args(field.annotation) for field in model.model_fields.values())


def _question(found: object, allowed: str) -> str:
    """What was found, with the nearest of the allowed choices, which pydantic lists as `'a', 'b' or 'c'`."""
    near = nearest(found, re.findall(r"'([^']*)'", allowed)) if isinstance(found, str) else None
    return f"{shown(found)} (did you mean {near!r}?)" if near else shown(found)


def describe(error: ErrorDetails, model: type[BaseModel]) -> str:
    """One line for one validation error of ``model``.

    Parameters
    ----------
    error : ErrorDetails
        An entry of ``pydantic.ValidationError.errors()``.
    model : type
        The model that was validated; its field names are offered for unknown keys.
    """
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        *outer, key = error["loc"]
        place, models = _walk(model, tuple(outer))
        allowed = sorted({name for candidate in models for name in candidate.model_fields})
        hint = did_you_mean(str(key), allowed)
        return f"{_joined((*place, key))}: unknown key.{hint} Allowed here: {', '.join(allowed)}"
    path = _joined(_walk(model, error["loc"])[0])
    if kind == "union_tag_invalid":
        field, allowed = context["discriminator"].strip("'"), context["expected_tags"]
        return f"{path}.{field}: found {_question(context['tag'], allowed)}; allowed: {allowed}"
    if kind == "missing":
        return f"{path}: missing; add it"
    if kind == "value_error":
        text = str(context["error"])
        return text if path == "the spec" else f"{path}: {text}"
    if kind == "literal_error":
        return f"{path}: found {_question(value, context['expected'])}; allowed: {context['expected']}"
    expected = _EXPECTED.get(kind)
    if expected is None:
        return f"{path}: found {shown(value)}; {error['msg']}"
    comma = ""
    if isinstance(value, str) and kind in ("int_type", "float_type") and _DECIMAL_COMMA.fullmatch(value):
        comma = f"; a number has a point, {value.replace(',', '.')}, and no comma"
    return f"{path}: found {shown(value)}; {expected.format(such=_as_list(value), **context)}{comma}"


def _as_list(value: object) -> str:
    """The list that a single value, or several in one text, is likely to stand for."""
    if isinstance(value, str) and re.fullmatch(r"[\w.+-]+([,\s]+[\w.+-]+)*", value):
        values = ", ".join(re.split(r"[,\s]+", value))
        return f", such as [{values}]"
    return f", such as [{shown(value)}]" if isinstance(value, int | float | str) else ""


def describe_all(errors: list[ErrorDetails], model: type[BaseModel]) -> str:
    """All validation errors, one line for each place; the line of a failed union lists what its branches allow."""
    more = len(errors) - _MOST_ERRORS
    errors = errors[:_MOST_ERRORS]
    lines: dict[tuple[int | str, ...], list[str]] = {}
    places = [error["loc"] for error in errors]
    for error in errors:
        inner = [place for place in places if place[: len(error["loc"])] == error["loc"] and place != error["loc"]]
        if error["type"] == "too_short" and inner:
            continue  # the list is short only because its bad values were left out
        place, _ = _walk(model, error["loc"])
        if error["type"] == "extra_forbidden":
            place = (*place, error["loc"][-1])  # no model knows the key, so the path lacks it: one line for each key
        lines.setdefault(place, []).append(describe(error, model))
    merged = []
    for texts in lines.values():
        head, *rest = list(dict.fromkeys(texts))
        merged.append("; or ".join([head, *(text.split("; ", 1)[-1] for text in rest)]))
    return "\n".join([*merged, f"and {more} more like these"] if more > 0 else merged)
