"""What to run: typed, validated specs; YAML in, JSON schema out. Imports no torch."""

from sweepengine.spec._architecture import Architecture as Architecture
from sweepengine.spec._canonical import digest as digest
from sweepengine.spec._data import DATASETS as DATASETS
from sweepengine.spec._data import DataSection as DataSection
from sweepengine.spec._data import DataSpec as DataSpec
from sweepengine.spec._data import DigitsData as DigitsData
from sweepengine.spec._data import DrawnData as DrawnData
from sweepengine.spec._data import FileData as FileData
from sweepengine.spec._data import ShellsData as ShellsData
from sweepengine.spec._data import register_data as register_data
from sweepengine.spec._fields import Section as Section
from sweepengine.spec._fields import WholeSpec as WholeSpec
from sweepengine.spec._jobs import is_job_name as is_job_name
from sweepengine.spec._jobs import job_names as job_names
from sweepengine.spec._jobs import job_path as job_path
from sweepengine.spec._jobs import job_plugin as job_plugin
from sweepengine.spec._kinds import KINDS as KINDS
from sweepengine.spec._kinds import AnyRun as AnyRun
from sweepengine.spec._kinds import AnySpec as AnySpec
from sweepengine.spec._kinds import Column as Column
from sweepengine.spec._kinds import Kind as Kind
from sweepengine.spec._kinds import further_columns as further_columns
from sweepengine.spec._kinds import kind_key as kind_key
from sweepengine.spec._kinds import kind_names as kind_names
from sweepengine.spec._kinds import kind_of as kind_of
from sweepengine.spec._kinds import kinds as kinds
from sweepengine.spec._kinds import register_kind as register_kind
from sweepengine.spec._kinds import resolve as resolve
from sweepengine.spec._kinds import run_from_json as run_from_json
from sweepengine.spec._kinds import spec_schema as spec_schema
from sweepengine.spec._method import Method as Method
from sweepengine.spec._model import GAMMA_BY_LABEL as GAMMA_BY_LABEL
from sweepengine.spec._model import SweepSpec as SweepSpec
from sweepengine.spec._particle_run import ParticleRun as ParticleRun
from sweepengine.spec._particle_run import expand_particles as expand_particles
from sweepengine.spec._particles import ParticleSpec as ParticleSpec
from sweepengine.spec._read import make_spec as make_spec
from sweepengine.spec._read import parse_spec as parse_spec
from sweepengine.spec._read import read_spec as read_spec
from sweepengine.spec._run import Run as Run
from sweepengine.spec._run import expand as expand
from sweepengine.spec._run import fixed_step_count as fixed_step_count
from sweepengine.spec._schedule import record_schedule as record_schedule
from sweepengine.spec._schedule import refuse_many_steps as refuse_many_steps
from sweepengine.spec._stepped import SteppedRun as SteppedRun
from sweepengine.spec._terms import TERMS as TERMS
from sweepengine.spec._terms import RiskTerm as RiskTerm
from sweepengine.spec._terms import TermSpec as TermSpec
from sweepengine.spec._terms import register_term as register_term
from sweepengine.spec._unit import UnitSpec as UnitSpec
from sweepengine.spec._unit import UserUnitSpec as UserUnitSpec
from sweepengine.spec._user_model import ModelRun as ModelRun
from sweepengine.spec._user_model import ModelSpec as ModelSpec

__all__ = [
    "DATASETS",
    "GAMMA_BY_LABEL",
    "KINDS",
    "TERMS",
    "AnyRun",
    "AnySpec",
    "Architecture",
    "Column",
    "DataSection",
    "DataSpec",
    "DigitsData",
    "DrawnData",
    "FileData",
    "Kind",
    "Method",
    "ModelRun",
    "ModelSpec",
    "ParticleRun",
    "ParticleSpec",
    "RiskTerm",
    "Run",
    "Section",
    "ShellsData",
    "SteppedRun",
    "SweepSpec",
    "TermSpec",
    "UnitSpec",
    "UserUnitSpec",
    "WholeSpec",
    "digest",
    "expand",
    "expand_particles",
    "fixed_step_count",
    "further_columns",
    "is_job_name",
    "job_names",
    "job_path",
    "job_plugin",
    "kind_key",
    "kind_names",
    "kind_of",
    "kinds",
    "make_spec",
    "parse_spec",
    "read_spec",
    "record_schedule",
    "refuse_many_steps",
    "register_data",
    "register_kind",
    "register_term",
    "resolve",
    "run_from_json",
    "spec_schema",
]
