"""One fully connected network by hand, from arrays to arrays: for notebooks, and to recompute what a store holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from sweepengine.activations import layer_activations
from sweepengine.errors import did_you_mean
from sweepengine.networks._costs import COSTS
from sweepengine.networks._initial import Law, initialise
from sweepengine.networks._matmul import LARGE_PRODUCT, first_product, matmul_precision
from sweepengine.networks._network import network
from sweepengine.networks._passes import Inputs, Passes, Workspace
from sweepengine.networks._scaling import learning_rates
from sweepengine.networks._steppers import stepper
from sweepengine.networks._training import Now, Points, Training
from sweepengine.spec import GAMMA_BY_LABEL, Architecture, Method, methods_alone, whole_steps

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from numpy.typing import ArrayLike, NDArray

    from sweepengine.networks._network import Network

    Array = NDArray[np.floating[Any]]

_CPU = torch.device("cpu")


def mlp(
    d: int,
    width: int,
    *,
    depth: int = 1,
    activation: str = "relu",
    sigma_w: float = 1.0,
    sigma_b: float = 0.0,
    sigma_a: float | None = None,
    scaling: Literal["ntk", "mean_field"] | float = "ntk",
    alpha: float = 1.0,
    outputs: int = 1,
    readout: Literal["gaussian", "signs", "ones"] = "gaussian",
    first_layer: Literal["gaussian", "sphere"] = "gaussian",
    output_bias: bool = False,
    trained: Literal["all", "hidden_weights", "last_layer"] = "all",
    centred: bool = False,
    seed: int = 0,
    precision: Literal["float32", "float64"] = "float64",
) -> MLP:
    """Draw a fully connected network, the one that a sweep with the same settings and seed trains.

    Parameters
    ----------
    d, width, depth, outputs : int
        Dimension of the inputs, width m of all hidden layers, number L of hidden layers, number k of outputs.
    activation : str
        Name of φ, as in a spec.
    sigma_w, sigma_b, sigma_a : float
        Standard deviations of hidden weights, biases (0: no biases) and read-out weights (σ_w where not given).
    scaling : str or float
        ``ntk`` (γ = 1/2), ``mean_field`` (γ = 1), or γ; the output is multiplied by α m^−γ.
    alpha : float
        α.
    readout, first_layer, output_bias, trained, centred
        As in the section ``network`` of a spec.
    seed : int
        Seed of the parameters, which are nested across widths.
    precision : {"float32", "float64"}

    Returns
    -------
    MLP

    Raises
    ------
    ValueError
        A size is below 1, or a name is not known.
    """
    if activation not in layer_activations():
        hint = did_you_mean(activation, layer_activations())
        raise ValueError(f"activation: found {activation!r}.{hint} Known are {', '.join(layer_activations())}")
    if scaling not in GAMMA_BY_LABEL and not isinstance(scaling, int | float):
        raise ValueError(f"scaling: found {scaling!r}; expected {', '.join(GAMMA_BY_LABEL)} or a number γ")
    if precision not in ("float32", "float64"):
        raise ValueError(f"precision: found {precision!r}; expected float32 or float64")
    architecture = Architecture(
        depth=depth,
        activation=activation,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        sigma_a=sigma_w if sigma_a is None else sigma_a,
        output_bias=output_bias,
        readout=readout,
        trained=trained,
        centred=centred,
        first_layer=first_layer,
    )
    dtype = torch.float32 if precision == "float32" else torch.float64
    parameters = initialise(architecture, width, d, seed, dtype, outputs=outputs, law=Law(first_layer, readout))
    gamma = GAMMA_BY_LABEL[scaling] if isinstance(scaling, str) else float(scaling)
    drawn = network(architecture, parameters, [gamma], [alpha], learning_rates(trained, depth))
    return MLP(drawn, drawn.copy(), d, seed)


@dataclass(frozen=True)
class MLP:
    """A fully connected network at one time; :func:`mlp` makes it. Arrays go in and come out.

    Attributes
    ----------
    network : Network
        The network, for all that is not offered here.
    start : Network
        The same at t = 0.
    d : int
        Dimension of its inputs.
    seed : int
        Seed of its parameters, and of minibatches.
    time : float
        Training time t.
    """

    network: Network
    start: Network
    d: int
    seed: int
    time: float = 0.0

    @property
    def parameters(self) -> dict[str, Array]:
        """Copies of the parameters by name, W0 … W<L> and b0 …, before any multiplier."""
        return {name: tensor.cpu().numpy().copy() for name, tensor in self.network.parameters.tensors().items()}

    def outputs(self, x: ArrayLike) -> Array:
        """Outputs f at points.

        Parameters
        ----------
        x : array_like, shape (N, d)

        Returns
        -------
        ndarray, shape (N,), or (N, k) for k ≥ 2 outputs
        """
        inputs = self._inputs(x)
        with self._precision(inputs):
            return np.array(self.network.forward(inputs).outputs.numpy())

    def kernel(self, x: ArrayLike, x2: ArrayLike | None = None) -> Array:
        """The tangent kernel Θ of the trained parameters (theory: ∇f(x) · ∇f(x'), in the scaling's learning rates).

        Parameters
        ----------
        x : array_like, shape (N, d)
            Points of the rows.
        x2 : array_like, shape (N', d), optional
            Points of the columns; those of the rows where not given.

        Returns
        -------
        ndarray, shape (N, N'), or (N, k, N', k) for k ≥ 2 outputs
        """
        inputs, others = self._inputs(x), None if x2 is None else self._inputs(x2)
        with self._precision(inputs):
            rows = self._passes(inputs)
            columns = None if others is None else self._passes(others)
            return np.array(self.network.kernel(*rows, against=columns).numpy())

    def train(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        time: float,
        step_size: float,
        loss: str = "mse",
        method: str = "gd",
    ) -> MLP:
        """Train on points, and return the network after some time; this one stays as it is.

        Parameters
        ----------
        x : array_like, shape (N, d)
        y : array_like, shape (N,) or (N, k)
            Targets.
        time, step_size : float
            Training time to be added and the step size η, in units of gradient-flow time.
        loss, method : str
            A cost, and a time method with fixed steps that needs no other setting, by their names in a spec.

        Returns
        -------
        MLP

        Raises
        ------
        SpecError
            The time is not a whole number of steps.
        ValueError
            The shapes do not fit, or a name is not known.
        FloatingPointError
            The outputs are not finite any more.
        """
        if loss not in COSTS:
            raise ValueError(f"loss: found {loss!r}; known are {', '.join(COSTS)}")
        plain = [name for name in methods_alone() if not Method(name).entry.adaptive]
        if method not in plain:
            raise ValueError(
                f"method: found {method!r}; expected one with fixed steps and no settings: {', '.join(plain)}"
            )
        steps = whole_steps(time, step_size, "step_size")
        inputs = self._inputs(x)
        trained = self.network.copy()
        targets = torch.from_numpy(np.array(y)).to(inputs.points.dtype)
        wanted = (
            len(inputs.points),
            *([self.network.parameters.outputs] if self.network.parameters.has_output_dim else []),
        )
        if tuple(targets.shape) != wanted:
            raise ValueError(f"y: found the shape {tuple(targets.shape)}; expected {wanted}")
        points, space = Points(inputs, targets), Workspace()
        with self._precision(inputs):
            stepping = stepper(Method(method), Training(trained, points, COSTS[loss](), step_size, space), self.seed)
            first = round(self.time / step_size)
            for position in range(first, first + steps):
                stepping.step(Now(position, points, trained.forward(inputs, space)), position + 1)
            if not bool(torch.isfinite(trained.forward(inputs).outputs).all()):
                raise FloatingPointError(f"the outputs are not finite after {steps} steps; take a smaller step size")
        return replace(self, network=trained, time=self.time + time)

    def _inputs(self, x: ArrayLike) -> Inputs:
        points = torch.from_numpy(np.array(x, dtype=np.float64)).to(self.network.parameters.readout.dtype)
        if points.ndim != 2 or points.shape[1] != self.d:
            raise ValueError(f"x: found the shape {tuple(points.shape)}; expected (N, {self.d})")
        inputs = Inputs.prepare(points, self.network.architecture)
        return self.start.centre(inputs) if self.network.architecture.centred else inputs

    def _passes(self, inputs: Inputs) -> Passes:
        forward = self.network.forward(inputs)
        return Passes(inputs, forward, self.network.backward(forward))

    def _precision(self, inputs: Inputs) -> AbstractContextManager[None]:
        """The products of a sweep's runs: the same bits."""
        large = first_product(inputs.points, self.network.parameters.width) >= LARGE_PRODUCT
        return matmul_precision("full", _CPU, large=large)
