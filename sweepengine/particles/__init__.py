"""Wasserstein gradient flow of interacting particles: functionals, integrators, transport, diagnostics (theory.md §5)."""

from sweepengine.particles._adaptive import Tolerance as Tolerance
from sweepengine.particles._adaptive import adaptive_flow as adaptive_flow
from sweepengine.particles._errors import DivergedError as DivergedError
from sweepengine.particles._errors import MemoryNeedError as MemoryNeedError
from sweepengine.particles._errors import ParameterError as ParameterError
from sweepengine.particles._errors import ParticlesError as ParticlesError
from sweepengine.particles._errors import ShapeError as ShapeError
from sweepengine.particles._errors import StepLimitError as StepLimitError
from sweepengine.particles._flow import Flow as Flow
from sweepengine.particles._flow import ball as ball
from sweepengine.particles._flow import flow as flow
from sweepengine.particles._flow import sphere as sphere
from sweepengine.particles._interaction import CallableKernel as CallableKernel
from sweepengine.particles._interaction import Discrepancy as Discrepancy
from sweepengine.particles._interaction import GaussianKernel as GaussianKernel
from sweepengine.particles._interaction import Interaction as Interaction
from sweepengine.particles._interaction import QuadraticInteraction as QuadraticInteraction
from sweepengine.particles._interaction import RieszKernel as RieszKernel
from sweepengine.particles._noise import Noise as Noise
from sweepengine.particles._noise import gaussian_cloud as gaussian_cloud
from sweepengine.particles._passes import Passes as Passes
from sweepengine.particles._risk import COSTS as COSTS
from sweepengine.particles._risk import Cost as Cost
from sweepengine.particles._risk import Risk as Risk
from sweepengine.particles._steps import LANGEVIN as LANGEVIN
from sweepengine.particles._steps import METHODS as METHODS
from sweepengine.particles._terms import Functional as Functional
from sweepengine.particles._terms import Potential as Potential
from sweepengine.particles._terms import double_well as double_well
from sweepengine.particles._terms import quadratic as quadratic
from sweepengine.particles._terms import ridge as ridge
from sweepengine.particles._unit import CallableUnit as CallableUnit
from sweepengine.particles._unit import Neuron as Neuron

__all__ = [
    "COSTS",
    "LANGEVIN",
    "METHODS",
    "CallableKernel",
    "CallableUnit",
    "Cost",
    "Discrepancy",
    "DivergedError",
    "Flow",
    "Functional",
    "GaussianKernel",
    "Interaction",
    "MemoryNeedError",
    "Neuron",
    "Noise",
    "ParameterError",
    "ParticlesError",
    "Passes",
    "Potential",
    "QuadraticInteraction",
    "RieszKernel",
    "Risk",
    "ShapeError",
    "StepLimitError",
    "Tolerance",
    "adaptive_flow",
    "ball",
    "double_well",
    "flow",
    "gaussian_cloud",
    "quadratic",
    "ridge",
    "sphere",
]
