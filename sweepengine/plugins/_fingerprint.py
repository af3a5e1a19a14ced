"""Fingerprints of users' code: a hash of what the code does, not of how it is laid out."""

from __future__ import annotations

import hashlib
import inspect
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FunctionType

_PLAIN = (bool, int, float, complex, str, bytes, tuple, frozenset, type(None))
_INCIDENTAL = frozenset(
    {"__dict__", "__weakref__", "__module__", "__doc__", "__firstlineno__", "__static_attributes__", "__signature__"}
    | {"__dataclass_fields__", "__abstractmethods__", "_abc_impl"}
)
"""Attributes of a class that do not change what it does, or that repeat other attributes with their addresses."""
_FIELDS = "__pydantic_fields__"
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""What differs between two processes of the same code."""


def fingerprint(content: object, *, with_helpers: bool = False) -> str:
    """SHA-256 of a declaration: its plain values, and the bytecode of its functions with what they close over.

    Comments, layout and the place in a file do not change it; a function's docstring does, because it is one of the
    constants of the bytecode. Fingerprints can be compared only if they were computed by the same version of Python.

    Parameters
    ----------
    content : object
        A dataclass of plain values, functions and classes. If it has a method ``identity``, that returns what
        counts: name → value.
    with_helpers : bool
        Whether the fingerprint covers the functions, classes and plain values of the same module that the functions
        name. True for a file, which is executed whole; False for a notebook, where they may be redefined at any time.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    text = _Text(with_helpers)
    parts: dict[str, object] = content.identity() if hasattr(content, "identity") else vars(content)
    written = repr([(name, text.of(value)) for name, value in parts.items()])
    return hashlib.sha256(written.encode()).hexdigest()


class _Text:
    """Writes code as text; a function or class that comes again is written as ``again``."""

    def __init__(self, with_helpers: bool) -> None:
        self._with_helpers = with_helpers
        self._seen: list[object] = []

    def of(self, thing: Any) -> str:
        """Text of a value, of a function or of a class."""
        if isinstance(thing, (staticmethod, classmethod)):
            return self.of(thing.__func__)
        if isinstance(thing, property):
            return "".join(self.of(each) for each in (thing.fget, thing.fset) if each)
        if not (inspect.isfunction(thing) or inspect.isclass(thing)):
            return _ADDRESS.sub("", repr(thing))
        if any(thing is each for each in self._seen):
            return "again"
        self._seen.append(thing)
        if inspect.isfunction(thing):
            cells = [self.of(cell.cell_contents) for cell in thing.__closure__ or ()]
            helpers = list(self._helpers(thing)) if self._with_helpers else []
            defaults = _ADDRESS.sub("", f"{thing.__defaults__!r}{thing.__kwdefaults__!r}")
            return f"{_bytecode(thing.__code__)}{defaults}{cells}{helpers}"
        every = vars(thing)
        members = sorted((n, v) for n, v in every.items() if n not in _INCIDENTAL and not n.startswith("__pydantic"))
        members += [(name, (field.default, field.metadata)) for name, field in every.get(_FIELDS, {}).items()]
        bases = [
            self.of(base) if base.__module__ == thing.__module__ else base.__qualname__ for base in thing.__bases__
        ]
        return f"{bases}{[(name, self.of(value)) for name, value in members]}"

    def _helpers(self, function: FunctionType) -> Iterator[tuple[str, str]]:
        """Name and text of every function, class and plain value of its own module that a function names."""
        for name in sorted(_names(function.__code__)):
            value = function.__globals__.get(name)
            own = getattr(value, "__module__", None) == function.__module__
            if own and (inspect.isfunction(value) or inspect.isclass(value)):
                yield name, self.of(value)
            elif value is not None and isinstance(value, _PLAIN):
                yield name, repr(value)


def _bytecode(code: CodeType) -> str:
    constants = [_bytecode(each) if inspect.iscode(each) else repr(each) for each in code.co_consts]
    return f"{code.co_code.hex()}{constants}{code.co_names}{code.co_varnames}"


def _names(code: CodeType) -> set[str]:
    inner = (_names(each) for each in code.co_consts if inspect.iscode(each))
    return set(code.co_names).union(*inner)
