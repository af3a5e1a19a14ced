"""Finite networks: parameters, forward and backward signals, the tangent kernel, costs, time methods."""

from sweepengine.networks._activations import Activation as Activation
from sweepengine.networks._activations import activation as activation
from sweepengine.networks._any import AnyNetwork as AnyNetwork
from sweepengine.networks._any import AnyParameters as AnyParameters
from sweepengine.networks._blocked import blocked_kernel as blocked_kernel
from sweepengine.networks._build_module import build_module as build_module
from sweepengine.networks._costs import COSTS as COSTS
from sweepengine.networks._costs import Cost as Cost
from sweepengine.networks._costs import Huber as Huber
from sweepengine.networks._costs import loss as loss
from sweepengine.networks._derivatives import jacobian_mean_squares as jacobian_mean_squares
from sweepengine.networks._hessian import hessian_mean_squares as hessian_mean_squares
from sweepengine.networks._initial import Law as Law
from sweepengine.networks._initial import from_arrays as from_arrays
from sweepengine.networks._initial import initialise as initialise
from sweepengine.networks._initial import load_parameters as load_parameters
from sweepengine.networks._kernel import Grams as Grams
from sweepengine.networks._kernel import Layout as Layout
from sweepengine.networks._matmul import MATMULS as MATMULS
from sweepengine.networks._matmul import matmul_precision as matmul_precision
from sweepengine.networks._module import JACOBIAN_BYTES as JACOBIAN_BYTES
from sweepengine.networks._module import ModuleNetwork as ModuleNetwork
from sweepengine.networks._module import ModuleParameters as ModuleParameters
from sweepengine.networks._network import Network as Network
from sweepengine.networks._network import network as network
from sweepengine.networks._parameters import Parameters as Parameters
from sweepengine.networks._parameters import stack as stack
from sweepengine.networks._passes import Forward as Forward
from sweepengine.networks._passes import Inputs as Inputs
from sweepengine.networks._passes import Passes as Passes
from sweepengine.networks._passes import Workspace as Workspace
from sweepengine.networks._scaling import TRAINED as TRAINED
from sweepengine.networks._scaling import learning_rates as learning_rates
from sweepengine.networks._scaling import scaling_table as scaling_table
from sweepengine.networks._steppers import linear_factor as linear_factor
from sweepengine.networks._steppers import stepper as stepper
from sweepengine.networks._training import Now as Now
from sweepengine.networks._training import Points as Points
from sweepengine.networks._training import SolverReport as SolverReport
from sweepengine.networks._training import Stepper as Stepper
from sweepengine.networks._training import Training as Training

__all__ = [
    "COSTS",
    "JACOBIAN_BYTES",
    "MATMULS",
    "TRAINED",
    "Activation",
    "Cost",
    "Forward",
    "Grams",
    "Huber",
    "Inputs",
    "Law",
    "Layout",
    "ModuleNetwork",
    "ModuleParameters",
    "Network",
    "Now",
    "Parameters",
    "Passes",
    "Points",
    "SolverReport",
    "Stepper",
    "Training",
    "Workspace",
    "activation",
    "blocked_kernel",
    "build_module",
    "from_arrays",
    "hessian_mean_squares",
    "initialise",
    "jacobian_mean_squares",
    "learning_rates",
    "linear_factor",
    "load_parameters",
    "loss",
    "matmul_precision",
    "network",
    "scaling_table",
    "stack",
    "stepper",
]
