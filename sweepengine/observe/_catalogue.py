"""The variables of networks, by subject. Imports no torch."""

from __future__ import annotations

from sweepengine.observe._variable import Variable

_NUMBER = ("run", "record")
_LAYER, _HIDDEN = (*_NUMBER, "layer"), (*_NUMBER, "hidden")
_MODE, _KERNEL = (*_NUMBER, "mode"), (*_NUMBER, "i", "j")

DEFAULT = (
    Variable(
        "loss_train",
        _NUMBER,
        "training loss, mean cost of a training point; (1/2N) sum (f - y)^2 for mse",
        "1",
        "theory.md §1",
    ),
    Variable(
        "loss_test",
        _NUMBER,
        "test loss, mean cost of a test point; (1/2N) sum (f - y)^2 for mse",
        "1",
        "theory.md §1",
        needs=("test",),
    ),
    Variable("outputs_train", (*_NUMBER, "i", "output"), "network output on the training points", "1", "theory.md §1"),
    Variable(
        "outputs_test",
        (*_NUMBER, "test", "output"),
        "network output on the test points",
        "1",
        "theory.md §1",
        needs=("test",),
    ),
    Variable(
        "kernel",
        _KERNEL,
        "tangent kernel on the training points, for several outputs the mean over equal ones",
        "1",
        "theory.md §2, S0 §2",
        needs=("kernel",),
    ),
    Variable(
        "kernel_drift",
        _NUMBER,
        "relative change of the tangent kernel, Frobenius norm of Theta_t - Theta_0 over that of Theta_0",
        "1",
        "theory.md §4 ntk-const",
        needs=("kernel_full",),
    ),
    Variable(
        "movement_relative",
        _LAYER,
        "Frobenius norm of a layer's parameter change over that of its initial parameters",
        "1",
        "theory.md §4 lazy",
        needs=("movement",),
    ),
    Variable(
        "movement_row_max",
        _LAYER,
        "largest Euclidean norm of one neuron's parameter change",
        "1",
        "theory.md §4 lazy, S4 thm 8",
        needs=("movement",),
    ),
    Variable(
        "movement_op",
        _LAYER,
        "operator norm of a layer's parameter change over sqrt(width)",
        "1",
        "theory.md §4 lazy",
        needs=("movement_op",),
    ),
    Variable(
        "movement_total",
        _NUMBER,
        "Euclidean norm of the change of all parameters over that of the initial parameters",
        "1",
        "theory.md §4 lazy",
        needs=("movement",),
    ),
)
"""What is recorded where a spec does not say."""

_OUTPUTS = (
    Variable(
        "accuracy_train",
        _NUMBER,
        "share of training points with the target's sign, or with the largest output where the largest target is",
        "1",
        "S4 §3.2",
    ),
    Variable(
        "accuracy_test",
        _NUMBER,
        "share of test points with the target's sign, or with the largest output where the largest target is",
        "1",
        "S4 §3.2",
        needs=("test",),
    ),
    Variable(
        "residual_norm",
        _NUMBER,
        "Euclidean norm over training points and outputs of the cost's gradient in f; |f - y| for mse",
        "1",
        "theory.md §4 gf-rate, rates, general-cost; S4 thm 8, S3 §2.1",
    ),
)

_KERNELS = (
    Variable(
        "kernel_full",
        (*_NUMBER, "i", "output", "j", "output_other"),
        "tangent kernel on the training points between all outputs",
        "1",
        "theory.md §2, S1 eq 63",
        needs=("kernel_full",),
    ),
    Variable(
        "kernel_diagonal",
        (*_NUMBER, "i", "output"),
        "diagonal of the tangent kernel, made without the kernel",
        "1",
        "theory.md §2, S0 §2",
    ),
    Variable(
        "kernel_test_train",
        (*_NUMBER, "test", "i"),
        "tangent kernel between test and training points, for several outputs the mean over equal ones",
        "1",
        "theory.md §2, S0 §2",
        needs=("kernel_test_train",),
    ),
    Variable(
        "kernel_eigenvalues",
        _MODE,
        "eigenvalues of the kernel over points and outputs, ascending",
        "1",
        "S2 §1.7, S3 §7",
        needs=("kernel_full", "eigenvalues"),
    ),
    Variable(
        "kernel_lambda_min",
        _NUMBER,
        "smallest eigenvalue of the kernel",
        "1",
        "theory.md §4 psd, concentration; S4 thm 8",
        needs=("kernel_full", "eigenvalues"),
    ),
    Variable(
        "kernel_lambda_max",
        _NUMBER,
        "largest eigenvalue of the kernel",
        "1",
        "theory.md §6",
        needs=("kernel_full", "eigenvalues"),
    ),
    Variable(
        "kernel_effective_rank",
        _NUMBER,
        "effective rank of the kernel, exponential of the entropy of its eigenvalues over their sum",
        "1",
        "Roy and Vetterli 2007",
        needs=("kernel_full", "eigenvalues"),
    ),
    Variable(
        "kernel_drift_op",
        _NUMBER,
        "relative change of the tangent kernel, operator norm of Theta_t - Theta_0 over that of Theta_0",
        "1",
        "theory.md §4 ntk-const",
        needs=("kernel_full", "eigenvalues_of_change"),
    ),
    Variable(
        "kernel_alignment",
        _NUMBER,
        "kernel-target alignment y' Theta y / (|Theta|_F |y|^2)",
        "1",
        "Cristianini et al. 2001",
        needs=("kernel_full",),
    ),
    Variable(
        "kernel_cka",
        _NUMBER,
        "centred alignment of the kernel with that at t = 0",
        "1",
        "Cortes et al. 2012; Kornblith et al. 2019",
        needs=("kernel_full",),
    ),
    Variable(
        "residual_modes",
        _MODE,
        "cost's gradient in f (f - y for mse) along the eigenvectors of the run's own Theta_0, in the order of its"
        " ascending eigenvalues, signed so that each mode is not negative at t = 0",
        "1",
        "theory.md §4 decay, S2 §1.7",
        needs=("kernel_full",),
    ),
    Variable(
        "feature_gram",
        (*_NUMBER, "feature_layer", "i", "j"),
        "Phi_l = phi^l phi^l' / n_l of the training points, l = 0 (the points) to L",
        "1",
        "theory.md §2, S0 §2",
        needs=("grams",),
    ),
    Variable(
        "signal_gram",
        (*_NUMBER, "hidden", "i", "j"),
        "G_l = g^l g^l' / m of the training points, l = 1 to L, for several outputs the mean over equal ones",
        "1",
        "theory.md §2, §4 backward; S0 §2",
        needs=("grams",),
    ),
)

_MOVEMENT = (
    Variable(
        "movement_frobenius",
        _LAYER,
        "Frobenius norm of a layer's parameter change",
        "1",
        "theory.md §4 lazy, S2 §1.8",
        needs=("movement",),
    ),
    Variable(
        "movement_rms_entry",
        _LAYER,
        "root mean square over its entries of a layer's parameter change",
        "1",
        "theory.md §4 lazy, S2 §1.8",
        needs=("movement",),
    ),
    Variable(
        "neuron_growth",
        _NUMBER,
        "largest |(a_k, w_k, b_k)| at t over that at t = 0 of a neuron of the last hidden layer",
        "1",
        "theory.md §4 rates (iii), S4 §11",
    ),
    Variable(
        "weights",
        (*_NUMBER, "parameter"),
        "all parameters, W0 … WL then b0 … bL, each row by row; sweepengine.observe.unflatten takes them apart",
        "1",
        "theory.md §1",
    ),
)

_SIGNALS = (
    Variable(
        "preactivation_movement",
        _HIDDEN,
        "root mean square over points and neurons of the change of pre-activations",
        "1",
        "theory.md §4 preact, S3 §5.3",
        needs=("preactivations",),
    ),
    Variable(
        "activation_flips",
        _HIDDEN,
        "share of (point, neuron) pairs whose pre-activation has changed its sign",
        "1",
        "S4 lemma 7",
        needs=("preactivations",),
    ),
    Variable(
        "preactivation_square",
        (*_HIDDEN, "i"),
        "mean over neurons j of h_j^2 at a training point",
        "1",
        "theory.md §4 nngp, first-layer",
        needs=("preactivations",),
    ),
    Variable(
        "preactivation_fourth",
        (*_HIDDEN, "i"),
        "mean over neurons j of h_j^4 at a training point",
        "1",
        "theory.md §4 nngp, first-layer",
        needs=("preactivations",),
    ),
    Variable(
        "preactivation_square_pair",
        (*_HIDDEN, "i"),
        "mean over neurons j != k of h_j^2 h_k^2 at a training point; over seeds, with E the mean, corr(h_j^2, h_k^2) ="
        " (E pair - (E square)^2) / (E fourth - (E square)^2)",
        "1",
        "theory.md §4 nngp",
        needs=("preactivations",),
    ),
    Variable(
        "output_variance",
        (*_NUMBER, "i"),
        "V = sigma_a^2 |phi^L|^2 / m, plus sigma_b^2 with an output bias; 3 Var V / (E V)^2 over seeds is the excess"
        " kurtosis of the uncentred output at t = 0 with a Gaussian read-out",
        "1",
        "theory.md §4 nngp, S1 §3",
    ),
    Variable(
        "backward_projection",
        _HIDDEN,
        "share of |z|^2 in the span of phi^l over the training points, mean over points and outputs; z^l = W^l' g^(l+1),"
        " z^L the read-out",
        "1",
        "theory.md §4 backward, S0 lemma 1",
        needs=("projection",),
    ),
    Variable(
        "backward_covariance",
        (*_HIDDEN, "i", "j"),
        "covariance over the directions orthogonal to phi^l of z^l = W^l' g^(l+1) / sqrt(m) and z^L, the read-out: its"
        " product over their number, for several outputs the mean over equal ones; its mean given the forward pass at"
        " t = 0 is G_(l+1), and 1 for l = L; NaN where phi^l spans everything",
        "1",
        "theory.md §4 conditioning, S0 lemma 1",
        needs=("projection",),
    ),
)

_LINEAR = (
    Variable(
        "linear_distance_train",
        _NUMBER,
        "root mean square over training points and outputs of f_t - f_t^lin, with the same steps of descent or flow",
        "1",
        "theory.md §4 linear, S1 eqs 64-74",
        needs_mse=True,
        needs_closed_form=True,
    ),
    Variable(
        "linear_distance_test",
        _NUMBER,
        "root mean square over test points and outputs of f_t - f_t^lin, with the same steps of descent or flow",
        "1",
        "theory.md §4 linear, S1 eqs 64-74",
        needs_mse=True,
        needs_closed_form=True,
        needs=("test",),
    ),
    Variable(
        "random_feature_distance",
        _NUMBER,
        "largest |f_t - f_t^RF| over training points and outputs; f^RF = f_0 + <omega, Psi>, Psi the gradient at t = 0"
        " of what is trained, with the same steps of descent or flow from omega = 0",
        "1",
        "theory.md §4 features (i), S4 §9",
        needs_mse=True,
        needs_closed_form=True,
    ),
    Variable(
        "linear_params_distance",
        _NUMBER,
        "|theta_t - theta_0 - omega_t| / |theta_t - theta_0|, omega_t the linearised model's parameters after the same"
        " steps of descent or flow; 0 at t = 0",
        "1",
        "theory.md §4 linear-params, S1 eqs 65, 72",
        needs_mse=True,
        needs_closed_form=True,
        needs=("movement", "linear_params"),
    ),
)

_SOLVER = (
    Variable("solver_steps", _NUMBER, "steps of the adaptive solver since t = 0", "1", "Dormand & Prince 1980"),
    Variable(
        "solver_rejected",
        _NUMBER,
        "tries that the adaptive solver has thrown away since t = 0",
        "1",
        "Hairer, Norsett & Wanner II.4",
    ),
    Variable(
        "solver_forced",
        _NUMBER,
        "steps since t = 0 that missed the tolerance at the smallest size allowed, as at kinks",
        "1",
        "sweepengine.runge_kutta",
    ),
    Variable(
        "solver_step_smallest",
        _NUMBER,
        "smallest step of the adaptive solver since t = 0, in training time; 0 before the first",
        "1",
        "sweepengine.runge_kutta",
    ),
)

_TAYLOR = (
    Variable(
        "linearisation_defect",
        _NUMBER,
        "root mean square over training points and outputs of f(theta_t) - f(theta_0) - <theta_t - theta_0, grad f(theta_0)>",
        "1",
        "theory.md §4 features (ii), S4 §9",
        needs=("tangent",),
    ),
    Variable(
        "taylor_second_order",
        _NUMBER,
        "root mean square over training points and outputs of f(theta + delta) - f(theta) - <grad f, delta>, delta the step of"
        " gradient descent that would be taken now",
        "1",
        "theory.md §4 taylor, S0 §1",
        needs=("taylor",),
    ),
    Variable(
        "taylor_quadratic",
        _NUMBER,
        "root mean square over training points and outputs of delta' Hessian(f) delta / 2, delta the step of gradient descent that"
        " would be taken now: the sum over residuals r_b r_c of (grad f_b)' Hessian(f) (grad f_c); phi'' = 0 where phi"
        " is piecewise linear",
        "1",
        "theory.md §4 taylor, S0 §1, S3 §8",
        needs=("taylor",),
    ),
    Variable(
        "jacobian_rms",
        _LAYER,
        "root mean square of df/dW^l over training points, outputs and all entries; 0 where W^l is not trained",
        "1",
        "theory.md §4 sizes, S3 §8",
    ),
    Variable(
        "jacobian_rms_bias",
        _LAYER,
        "root mean square of df/db^l over training points, outputs and all entries; 0 where b^l is not trained, NaN"
        " where there is none",
        "1",
        "theory.md §4 sizes, S3 §8",
    ),
    Variable(
        "hessian_rms",
        (*_LAYER, "layer_other"),
        "root mean square of d2f/dW^l dW^l' over training points, outputs and all pairs of entries, exact; 0 where one of"
        " the two is not trained; phi'' = 0 where phi is piecewise linear",
        "1",
        "theory.md §4 sizes, S3 §8",
        needs=("hessian",),
    ),
)

ON_REQUEST = (*_OUTPUTS, *_KERNELS, *_SIGNALS, *_MOVEMENT, *_LINEAR, *_TAYLOR, *_SOLVER)
"""What a spec may name besides."""
