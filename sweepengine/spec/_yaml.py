"""YAML in: safe loading only, numbers as YAML 1.2 writes them, duplicate keys refused."""

from __future__ import annotations

import re
from typing import Any

import yaml

from sweepengine.errors import SpecError

_NAMES = {"bool": "true|True|TRUE|false|False|FALSE", "null": "~|null|Null|NULL|"}
_INT = r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"


class _Loader(yaml.SafeLoader):
    """Safe loading with the number forms of YAML 1.2: PyYAML alone reads ``1e-3`` as text and ``010`` as eight."""


# SafeLoader's own resolvers are not inherited: theirs are those of YAML 1.1.
_Loader.yaml_implicit_resolvers = {}

_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(f"^(?:{_NAMES['bool']})$"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(f"^(?:{_NAMES['null']})$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(f"^(?:{_INT})$"), list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT})$"), list("-+0123456789."))


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, str):
            raise SpecError(f"line {key_node.start_mark.line + 1}: the key {key!r} is not text; keys are field names")
        if key in seen:
            raise SpecError(f"line {key_node.start_mark.line + 1}: the key {key!r} stands twice; keep one of them")
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _refuse(event: yaml.Event) -> None:
    """Refuse what a file of plain settings has no use for: tags (some run code) and aliases (some never end)."""
    line = event.start_mark.line + 1 if event.start_mark else "?"
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise SpecError(f"line {line}: found the tag {tag!r}; a spec holds plain values only, remove the tag")
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
        raise SpecError(f"line {line}: found an anchor or alias; a spec holds plain values only, write the value out")


def load_yaml(text: str) -> dict[str, Any]:
    """Parse the text of a spec.

    Parameters
    ----------
    text : str
        One YAML document holding a mapping. ``1e-3`` is a number and ``010`` is ten, as YAML 1.2 has it.

    Raises
    ------
    SpecError
        The text is not YAML, is not one mapping, names a key twice, or holds a tag (``!!python/…`` would have to run
        code), an anchor or an alias.
    """
    try:
        for event in yaml.parse(text, Loader=_Loader):
            _refuse(event)
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 -- _Loader is a SafeLoader
    except SpecError:
        raise
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError(f"this is not valid YAML: {' '.join(str(error).split())}") from error
    except ValueError as error:
        raise SpecError(f"a value cannot be read: {error}") from error
    if not isinstance(document, dict):
        kind = "nothing" if document is None else f"a {type(document).__name__}"
        raise SpecError(f"found {kind}, expected a mapping with the keys name, data, network, training, axes")
    return document
