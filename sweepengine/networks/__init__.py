"""Finite networks: parameters, forward and backward signals, the tangent kernel, gradient descent."""

from sweepengine.networks._activations import ACTIVATIONS as ACTIVATIONS
from sweepengine.networks._network import Forward as Forward
from sweepengine.networks._network import Inputs as Inputs
from sweepengine.networks._network import Network as Network
from sweepengine.networks._network import network as network
from sweepengine.networks._parameters import Parameters as Parameters
from sweepengine.networks._parameters import initialise as initialise
from sweepengine.networks._parameters import stack as stack

__all__ = ["ACTIVATIONS", "Forward", "Inputs", "Network", "Parameters", "initialise", "network", "stack"]
