"""Specs and hostile .npz files, made elsewhere (`benchmarks/_fuzz_inputs.py`), each tried in a process of its own."""

from __future__ import annotations

import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from faultlib.child import in_child
from faultlib.verdict import Defect, Kind

if TYPE_CHECKING:
    from faultlib.bench import Bench

SPECS, FILES = 2000, 200
CASES = SPECS + FILES
_LIMIT_SECONDS = 30.0


def case(bench: Bench, number: int) -> str:
    """One case: the specs first, then the files."""
    if find_spec("_fuzz_inputs") is None:
        raise Defect(Kind.HARNESS, "there is no _fuzz_inputs.py beside faults.py")
    with tempfile.TemporaryDirectory(prefix="f", dir=bench.work) as folder:
        defect = in_child(lambda: _try(number, Path(folder)), _LIMIT_SECONDS)
    if defect is not None:
        raise Defect(Kind.INPUT, defect)
    return "a spec" if number < SPECS else "a file"


def _try(number: int, folder: Path) -> str | None:
    inputs = import_module("_fuzz_inputs")
    found: str | None = inputs.try_spec(number) if number < SPECS else inputs.try_npz(number - SPECS, folder)
    return found
