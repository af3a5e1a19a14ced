"""What to run: typed, validated specs; YAML in, JSON schema out. Imports no torch."""

from sweepengine.spec._data import DATASETS as DATASETS
from sweepengine.spec._data import DataSection as DataSection
from sweepengine.spec._data import DigitsData as DigitsData
from sweepengine.spec._data import DrawnData as DrawnData
from sweepengine.spec._data import FileData as FileData
from sweepengine.spec._data import ShellsData as ShellsData
from sweepengine.spec._kinds import AnyRun as AnyRun
from sweepengine.spec._kinds import AnySpec as AnySpec
from sweepengine.spec._kinds import run_from_json as run_from_json
from sweepengine.spec._kinds import spec_schema as spec_schema
from sweepengine.spec._method import Method as Method
from sweepengine.spec._model import GAMMA_BY_LABEL as GAMMA_BY_LABEL
from sweepengine.spec._model import SweepSpec as SweepSpec
from sweepengine.spec._particle_run import ParticleRun as ParticleRun
from sweepengine.spec._particle_run import expand_particles as expand_particles
from sweepengine.spec._particle_run import user_parts as user_parts
from sweepengine.spec._particles import PAIRWISE as PAIRWISE
from sweepengine.spec._particles import AttractionTerm as AttractionTerm
from sweepengine.spec._particles import DiscrepancyTerm as DiscrepancyTerm
from sweepengine.spec._particles import DoubleWellTerm as DoubleWellTerm
from sweepengine.spec._particles import GaussianTerm as GaussianTerm
from sweepengine.spec._particles import KernelTerm as KernelTerm
from sweepengine.spec._particles import ParticleSpec as ParticleSpec
from sweepengine.spec._particles import PotentialTerm as PotentialTerm
from sweepengine.spec._particles import QuadraticTerm as QuadraticTerm
from sweepengine.spec._particles import RieszTerm as RieszTerm
from sweepengine.spec._particles import RiskTerm as RiskTerm
from sweepengine.spec._particles import Term as Term
from sweepengine.spec._particles import UnitSpec as UnitSpec
from sweepengine.spec._particles import UserUnitSpec as UserUnitSpec
from sweepengine.spec._read import make_spec as make_spec
from sweepengine.spec._read import parse_spec as parse_spec
from sweepengine.spec._read import read_spec as read_spec
from sweepengine.spec._run import Architecture as Architecture
from sweepengine.spec._run import Run as Run
from sweepengine.spec._run import architectures as architectures
from sweepengine.spec._run import expand as expand
from sweepengine.spec._run import fixed_step_count as fixed_step_count
from sweepengine.spec._schedule import refuse_many_steps as refuse_many_steps

__all__ = [
    "DATASETS",
    "GAMMA_BY_LABEL",
    "PAIRWISE",
    "AnyRun",
    "AnySpec",
    "Architecture",
    "AttractionTerm",
    "DataSection",
    "DigitsData",
    "DiscrepancyTerm",
    "DoubleWellTerm",
    "DrawnData",
    "FileData",
    "GaussianTerm",
    "KernelTerm",
    "Method",
    "ParticleRun",
    "ParticleSpec",
    "PotentialTerm",
    "QuadraticTerm",
    "RieszTerm",
    "RiskTerm",
    "Run",
    "ShellsData",
    "SweepSpec",
    "Term",
    "UnitSpec",
    "UserUnitSpec",
    "architectures",
    "expand",
    "expand_particles",
    "fixed_step_count",
    "make_spec",
    "parse_spec",
    "read_spec",
    "refuse_many_steps",
    "run_from_json",
    "spec_schema",
    "user_parts",
]
