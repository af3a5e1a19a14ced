"""Infinite-width theory of fully connected networks, as a library of its own.

It holds kernels (`kernels`, `layer_kernels`), Gaussian processes (`posterior` …), training under a constant kernel
(`KernelDynamics`, the ensembles, `kernel_gradient_flow`), the quantities of the convergence proof (`proof_quantities`,
`flip_certificate` …) and a check of the backward recursion (`backward_check`). It uses numpy and scipy only and imports
nothing of the engine, so that the engine can be tested against it.

Conventions: γ = 1/2, α = 1 and ḟ = −(1/N) Θ (f − y). ``docs/theory.md`` has the formulas, by the sections that are
cited here as "theory.md §3.4", and ``docs/bibliography.md`` the works.
"""

from sweepengine.theory._activation import Activation as Activation
from sweepengine.theory._activation import ActivationSpec as ActivationSpec
from sweepengine.theory._activation import activation as activation
from sweepengine.theory._activation import from_callable as from_callable
from sweepengine.theory._activation import hermite as hermite
from sweepengine.theory._activation import known_activations as known_activations
from sweepengine.theory._activation import piecewise_linear as piecewise_linear
from sweepengine.theory._backward import BackwardLayer as BackwardLayer
from sweepengine.theory._backward import backward_check as backward_check
from sweepengine.theory._backward import condition_on_product as condition_on_product
from sweepengine.theory._certificate import adversarial_weights as adversarial_weights
from sweepengine.theory._certificate import empirical_h as empirical_h
from sweepengine.theory._certificate import flip_certificate as flip_certificate
from sweepengine.theory._convergence import ProofQuantities as ProofQuantities
from sweepengine.theory._convergence import RunBounds as RunBounds
from sweepengine.theory._convergence import check_run as check_run
from sweepengine.theory._convergence import concentration_width as concentration_width
from sweepengine.theory._convergence import fitting_time_bound as fitting_time_bound
from sweepengine.theory._convergence import h_infinity as h_infinity
from sweepengine.theory._convergence import movement_bound as movement_bound
from sweepengine.theory._convergence import proof_quantities as proof_quantities
from sweepengine.theory._convergence import required_width as required_width
from sweepengine.theory._convergence import stability_radius as stability_radius
from sweepengine.theory._costs import CROSS_ENTROPY as CROSS_ENTROPY
from sweepengine.theory._costs import LOGISTIC as LOGISTIC
from sweepengine.theory._costs import SQUARED as SQUARED
from sweepengine.theory._costs import Cost as Cost
from sweepengine.theory._definiteness import Definiteness as Definiteness
from sweepengine.theory._definiteness import Degeneracy as Degeneracy
from sweepengine.theory._definiteness import definiteness as definiteness
from sweepengine.theory._dual import Dual as Dual
from sweepengine.theory._duals import DualActivation as DualActivation
from sweepengine.theory._duals import dual_activation as dual_activation
from sweepengine.theory._dynamics import KernelDynamics as KernelDynamics
from sweepengine.theory._dynamics import linearised_parameters as linearised_parameters
from sweepengine.theory._ensemble import Ensemble as Ensemble
from sweepengine.theory._ensemble import last_layer_ensemble as last_layer_ensemble
from sweepengine.theory._ensemble import query_ensemble as query_ensemble
from sweepengine.theory._ensemble import train_ensemble as train_ensemble
from sweepengine.theory._errors import DuplicateInputsError as DuplicateInputsError
from sweepengine.theory._errors import IntegrationError as IntegrationError
from sweepengine.theory._errors import NonFiniteError as NonFiniteError
from sweepengine.theory._errors import NotPositiveDefiniteError as NotPositiveDefiniteError
from sweepengine.theory._errors import ParameterError as ParameterError
from sweepengine.theory._errors import ShapeError as ShapeError
from sweepengine.theory._errors import TheoryError as TheoryError
from sweepengine.theory._errors import UnknownActivationError as UnknownActivationError
from sweepengine.theory._errors import UnstableStepError as UnstableStepError
from sweepengine.theory._flow import CostProblem as CostProblem
from sweepengine.theory._flow import CostTrajectory as CostTrajectory
from sweepengine.theory._flow import kernel_gradient_descent as kernel_gradient_descent
from sweepengine.theory._flow import kernel_gradient_flow as kernel_gradient_flow
from sweepengine.theory._fluctuation import ntk_variance as ntk_variance
from sweepengine.theory._gaussian_process import Posterior as Posterior
from sweepengine.theory._gaussian_process import log_marginal_likelihood as log_marginal_likelihood
from sweepengine.theory._gaussian_process import posterior as posterior
from sweepengine.theory._gaussian_process import ridge_dual as ridge_dual
from sweepengine.theory._gaussian_process import ridge_primal as ridge_primal
from sweepengine.theory._gaussian_process import sample_prior as sample_prior
from sweepengine.theory._kernels import Kernels as Kernels
from sweepengine.theory._kernels import expand_outputs as expand_outputs
from sweepengine.theory._kernels import flatten_outputs as flatten_outputs
from sweepengine.theory._kernels import kernel_blocks as kernel_blocks
from sweepengine.theory._kernels import kernel_bytes as kernel_bytes
from sweepengine.theory._kernels import kernels as kernels
from sweepengine.theory._layers import LayerKernels as LayerKernels
from sweepengine.theory._layers import layer_kernels as layer_kernels
from sweepengine.theory._linalg import least_eigenvalue as least_eigenvalue
from sweepengine.theory._quadrature import expect_pair as expect_pair
