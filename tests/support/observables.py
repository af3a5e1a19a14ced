"""Which observables a spec may name."""

from __future__ import annotations

from typing import Any

from sweepengine.errors import SpecError
from sweepengine.observe import canonical_names, declared
from sweepengine.spec import make_spec


def defined_for(content: dict[str, Any]) -> list[str]:
    """Names of all observables of its kind that a spec is not refused for, in the order of their declaration."""
    spec = make_spec({name: value for name, value in content.items() if name != "observables"})
    return [name for name in declared(spec.kind) if _is_defined(content, name)]


def _is_defined(content: dict[str, Any], name: str) -> bool:
    try:
        canonical_names(make_spec(content | {"observables": [name]}))
    except SpecError:
        return False
    return True
