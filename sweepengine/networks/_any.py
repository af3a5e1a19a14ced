"""Networks of either form: the fully connected network, and a module of the user's own."""

from __future__ import annotations

from sweepengine.networks._module import ModuleNetwork, ModuleParameters
from sweepengine.networks._network import Network
from sweepengine.networks._parameters import Parameters

AnyNetwork = Network | ModuleNetwork
AnyParameters = Parameters | ModuleParameters
