"""Reading YAML: only plain values are loaded, numbers are written as in YAML 1.2, duplicate keys are refused."""

from __future__ import annotations

import re
from typing import Any

import yaml

from sweepengine.errors import SpecError, shown

_NAMES = {"bool": "true|True|TRUE|false|False|FALSE", "null": "~|null|Null|NULL|"}
_INT = r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"
_MERGE = "tag:yaml.org,2002:merge"
_DEEPEST = 16
"""Deepest nesting of mappings and lists. A spec nests five deep, and PyYAML's time grows as the square of the depth."""
LONGEST_TEXT = 250_000
_LONGEST_INTEGER = 100
# Control characters, which escapes in quoted text can make; no path, name or message can hold them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class _Loader(yaml.SafeLoader):
    """A safe loader that reads numbers as YAML 1.2 does; PyYAML itself reads ``1e-3`` as text and ``010`` as eight.

    Tags and deep nesting are refused event by event, before any object is made from them. Anchors, aliases and merge
    keys (``<<: *base``) are read; an alias counts as all that it stands for, so that no small text makes a huge spec.
    """

    _depth = 0

    def get_event(self) -> yaml.Event:
        event: yaml.Event = super().get_event()  # type: ignore[no-untyped-call]
        self._depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if self._depth > _DEEPEST:
            raise _refused(
                event, f"found more than {_DEEPEST} mappings and lists within each other", "nest less deeply"
            )
        tag = getattr(event, "tag", None)
        if tag is not None:  # some tags run code
            raise _refused(event, f"found the tag {shown(tag)}; a spec holds plain values only", "remove the tag")
        if isinstance(event, yaml.ScalarEvent) and (control := _UNPRINTABLE.search(event.value)):
            raise _refused(event, f"found text with the control character {control[0]!r}", "remove it")
        return event

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _measure(node, (), {})
        return node


def _measure(
    node: yaml.Node, within: tuple[yaml.Node, ...], known: dict[yaml.Node, tuple[int, int]]
) -> tuple[int, int]:
    """How many values a node comes to with every alias written out, and how deep they nest; too much is refused."""
    if node in within:
        raise _refused(node, "found an alias of what it stands in, which never ends", "write the value out")
    if node not in known:
        entries = node.value if isinstance(node, yaml.CollectionNode) else []
        inner = [part for entry in entries for part in (entry if isinstance(entry, tuple) else (entry,))]
        parts = [_measure(part, (*within, node), known) for part in inner]
        count, depth = 1 + sum(part[0] for part in parts), 1 + max((part[1] for part in parts), default=0)
        if depth > _DEEPEST + 1:
            raise _refused(node, f"found more than {_DEEPEST} mappings and lists within each other", "nest less deeply")
        if count > LONGEST_TEXT:
            found = f"its aliases stand for more than {LONGEST_TEXT} values"
            raise _refused(node, found, "a spec is a small file of settings")
        known[node] = count, depth
    return known[node]


def _refused(place: yaml.Event | yaml.Node, problem: str, remedy: str) -> SpecError:
    line = place.start_mark.line + 1 if place.start_mark else "?"
    return SpecError(f"line {line}: {problem}; {remedy}")


# SafeLoader's own resolvers are not inherited, because they follow YAML 1.1.
_Loader.yaml_implicit_resolvers = {}

_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(f"^(?:{_NAMES['bool']})$"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(f"^(?:{_NAMES['null']})$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(f"^(?:{_INT})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(_MERGE, re.compile("^<<$"), ["<"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT})$"), list("-+0123456789."))


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > _LONGEST_INTEGER:  # Python refuses to read or to print very long ones
        raise _refused(node, f"found a whole number of {len(text)} digits", f"write at most {_LONGEST_INTEGER}")
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue  # what stands beside it counts before what is merged
        key = loader.construct_object(key_node)
        if not isinstance(key, str):
            decimals = "; a number has a point, 20.0, and no comma" if isinstance(key, int) else ""
            raise _refused(key_node, f"the key {shown(key)} is not text", f"keys are field names{decimals}")
        if key in seen:
            raise _refused(key_node, f"the key {shown(key)} stands twice", "keep one of them")
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load_value(text: str) -> Any:
    """Parse a plain value, as :func:`load_yaml` parses those of a spec. Raises :class:`SpecError` as it does."""
    if len(text) > LONGEST_TEXT:
        raise SpecError(f"longer than {LONGEST_TEXT} characters; a spec is a small file of settings")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 -- _Loader is a SafeLoader
    except SpecError:
        raise
    except yaml.YAMLError as error:
        raise SpecError(f"this is not valid YAML: {_said(error)}") from error
    except ValueError as error:
        raise SpecError(f"a value cannot be read: {error}") from error


def _said(error: yaml.YAMLError) -> str:
    """What is wrong with the text, and in which line."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    problem = " ".join(str(getattr(error, "problem", None) or getattr(error, "context", "")).split())
    line = f"line {mark.line + 1}, column {mark.column + 1}"
    if "'\\t'" in problem:
        return f"{line}: found a tab; indent by spaces"
    if "another document" in problem:
        return f"{line}: found a second document; a file holds one spec"
    return f"{line}: {problem}"


def load_yaml(text: str) -> dict[str, Any]:
    """Parse the text of a spec.

    Parameters
    ----------
    text : str
        One YAML document holding a mapping. ``1e-3`` is a number and ``010`` is ten, as YAML 1.2 has it.

    Raises
    ------
    SpecError
        The text is not YAML, is not one mapping, is too long or too deeply nested, names a key twice, holds a tag
        (``!!python/…`` would have to run code), or an alias that stands for too much or for what it stands in.
    """
    document = load_value(text)
    if not isinstance(document, dict):
        kind = "nothing" if document is None else f"a {type(document).__name__}"
        raise SpecError(f"found {kind}, expected a mapping with the keys name, data, network, training, axes")
    return document
