"""Wasserstein gradient flow of interacting particles (theory.md §5): functionals, steps, distances, diagnostics."""

from typing import TYPE_CHECKING, Any

from sweepengine.particles._adaptive import AdaptiveSteps as AdaptiveSteps
from sweepengine.particles._adaptive import Tolerance as Tolerance
from sweepengine.particles._adaptive import adaptive_flow as adaptive_flow
from sweepengine.particles._chaos import Coupling as Coupling
from sweepengine.particles._chaos import couple as couple
from sweepengine.particles._correspondence import Correspondence as Correspondence
from sweepengine.particles._correspondence import from_network as from_network
from sweepengine.particles._diagnostics import dissipation as dissipation
from sweepengine.particles._diagnostics import energy_defect as energy_defect
from sweepengine.particles._diagnostics import kernel as kernel
from sweepengine.particles._diagnostics import kernel_bytes as kernel_bytes
from sweepengine.particles._diagnostics import moments as moments
from sweepengine.particles._diagnostics import participation as participation
from sweepengine.particles._diagnostics import shares as shares
from sweepengine.particles._diagnostics import stationarity_gap as stationarity_gap
from sweepengine.particles._errors import DivergedError as DivergedError
from sweepengine.particles._errors import MemoryNeedError as MemoryNeedError
from sweepengine.particles._errors import ParameterError as ParameterError
from sweepengine.particles._errors import ParticlesError as ParticlesError
from sweepengine.particles._errors import ShapeError as ShapeError
from sweepengine.particles._errors import ShardError as ShardError
from sweepengine.particles._errors import StepLimitError as StepLimitError
from sweepengine.particles._flow import RADIUS as RADIUS
from sweepengine.particles._flow import EqualSteps as EqualSteps
from sweepengine.particles._flow import Flow as Flow
from sweepengine.particles._flow import Steps as Steps
from sweepengine.particles._flow import Trajectory as Trajectory
from sweepengine.particles._flow import ball as ball
from sweepengine.particles._flow import flow as flow
from sweepengine.particles._flow import sphere as sphere
from sweepengine.particles._fused import on_device as on_device
from sweepengine.particles._geodesic import gaussian_distance as gaussian_distance
from sweepengine.particles._geodesic import gaussian_map as gaussian_map
from sweepengine.particles._geodesic import interpolate as interpolate
from sweepengine.particles._geodesic import speed_ratios as speed_ratios
from sweepengine.particles._interaction import CallableKernel as CallableKernel
from sweepengine.particles._interaction import Discrepancy as Discrepancy
from sweepengine.particles._interaction import GaussianKernel as GaussianKernel
from sweepengine.particles._interaction import Interaction as Interaction
from sweepengine.particles._interaction import Kernel as Kernel
from sweepengine.particles._interaction import QuadraticInteraction as QuadraticInteraction
from sweepengine.particles._interaction import RieszKernel as RieszKernel
from sweepengine.particles._noise import Noise as Noise
from sweepengine.particles._noise import gaussian_cloud as gaussian_cloud
from sweepengine.particles._partition import Partition as Partition
from sweepengine.particles._population import ReluPopulationRisk as ReluPopulationRisk
from sweepengine.particles._radial import MassRisk as MassRisk
from sweepengine.particles._radial import RadialUnit as RadialUnit
from sweepengine.particles._radial import radial_quadrature as radial_quadrature
from sweepengine.particles._radial import radial_risk as radial_risk
from sweepengine.particles._radial import radial_start as radial_start
from sweepengine.particles._random_features import linear_feature_law as linear_feature_law
from sweepengine.particles._random_features import linear_feature_risk as linear_feature_risk
from sweepengine.particles._random_features import relu_feature_floor as relu_feature_floor
from sweepengine.particles._random_features import relu_feature_risk as relu_feature_risk
from sweepengine.particles._random_features import relu_network_risk as relu_network_risk
from sweepengine.particles._random_features import relu_products as relu_products
from sweepengine.particles._risk import CallableCost as CallableCost
from sweepengine.particles._risk import PointCost as PointCost
from sweepengine.particles._risk import Risk as Risk
from sweepengine.particles._shards import ShardGroup as ShardGroup
from sweepengine.particles._shards import Traffic as Traffic
from sweepengine.particles._shards import spans as spans
from sweepengine.particles._steps import Instant as Instant
from sweepengine.particles._terms import Functional as Functional
from sweepengine.particles._terms import Potential as Potential
from sweepengine.particles._terms import Scaled as Scaled
from sweepengine.particles._terms import Term as Term
from sweepengine.particles._terms import TermContext as TermContext
from sweepengine.particles._terms import double_well as double_well
from sweepengine.particles._terms import quadratic as quadratic
from sweepengine.particles._terms import ridge as ridge
from sweepengine.particles._transport import Distance as Distance
from sweepengine.particles._transport import line_distance as line_distance
from sweepengine.particles._transport import wasserstein as wasserstein
from sweepengine.particles._unit import CallableUnit as CallableUnit
from sweepengine.particles._unit import Neuron as Neuron
from sweepengine.particles._unit import Unit as Unit
from sweepengine.particles._weak_form import TEST_FUNCTIONS as TEST_FUNCTIONS
from sweepengine.particles._weak_form import WeakForm as WeakForm
from sweepengine.particles._weak_form import weak_form as weak_form
from sweepengine.particles._weak_form import weak_form_defects as weak_form_defects
from sweepengine.transport import exact_bytes as exact_bytes

if TYPE_CHECKING:
    from sweepengine.particles._triton import FusedNeuron as FusedNeuron


def __getattr__(name: str) -> Any:
    if name == "FusedNeuron":  # needs Triton, which is no requirement
        from sweepengine.particles._triton import FusedNeuron

        return FusedNeuron
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
