"""What to run: typed, validated specs; YAML in, JSON schema out. Imports no torch."""

from sweepengine.spec._data import DataSpec as DataSpec
from sweepengine.spec._data import DigitsData as DigitsData
from sweepengine.spec._data import DrawnData as DrawnData
from sweepengine.spec._data import FileData as FileData
from sweepengine.spec._model import GAMMA_BY_LABEL as GAMMA_BY_LABEL
from sweepengine.spec._model import SweepSpec as SweepSpec
from sweepengine.spec._read import make_spec as make_spec
from sweepengine.spec._read import parse_spec as parse_spec
from sweepengine.spec._read import read_spec as read_spec
from sweepengine.spec._run import Architecture as Architecture
from sweepengine.spec._run import Run as Run
from sweepengine.spec._run import architectures as architectures
from sweepengine.spec._run import expand as expand
from sweepengine.spec._run import fixed_step_count as fixed_step_count

__all__ = [
    "GAMMA_BY_LABEL",
    "Architecture",
    "DataSpec",
    "DigitsData",
    "DrawnData",
    "FileData",
    "Run",
    "SweepSpec",
    "architectures",
    "expand",
    "fixed_step_count",
    "make_spec",
    "parse_spec",
    "read_spec",
]
