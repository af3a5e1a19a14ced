"""Errors of the theory package: typed, with the value found and the way out in the message."""


class TheoryError(Exception):
    """Base of every error raised by `sweepengine.theory`."""


class ShapeError(TheoryError, ValueError):
    """An array has the wrong number of dimensions, or two arrays do not fit together."""


class NonFiniteError(TheoryError, ValueError):
    """An input or a computed kernel holds NaN or infinity."""


class ParameterError(TheoryError, ValueError):
    """A scalar parameter (variance, depth, time, probability …) is outside its domain."""


class UnknownActivationError(TheoryError, ValueError):
    """The name of an activation is not one of the known ones."""


class NotPositiveDefiniteError(TheoryError, ValueError):
    """A kernel is not symmetric positive (semi)definite, or too singular for a noiseless solve.

    Attributes
    ----------
    least_eigenvalue : float
        The smallest eigenvalue, NaN for a kernel that is not symmetric; for a negative variance that variance.
    smallest_noise : float
        The smallest noise on the diagonal that makes the same solve well posed in this precision; ∞ if none does.
    """

    def __init__(self, message: str, *, least_eigenvalue: float, smallest_noise: float) -> None:
        super().__init__(message)
        self.least_eigenvalue = least_eigenvalue
        self.smallest_noise = smallest_noise


class DuplicateInputsError(NotPositiveDefiniteError):
    """Two points are the same to the kernel, so that a noiseless solve has no unique answer."""


class UnstableStepError(TheoryError, ValueError):
    """Gradient descent with this step does not converge: the step exceeds 2 N / λ_max."""


class IntegrationError(TheoryError, RuntimeError):
    """The ODE solver gave up before the last time."""
