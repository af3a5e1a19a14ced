"""Plans: the runs, blocks and packs of a spec, and their costs. Planning starts nothing.

Of the modules ``initial_cloud`` alone imports torch when it is imported.
"""

from sweepengine.plan._cost import NOMINAL as NOMINAL
from sweepengine.plan._cost import WORKER_BYTES as WORKER_BYTES
from sweepengine.plan._cost import MachineRate as MachineRate
from sweepengine.plan._cost import available_cpus as available_cpus
from sweepengine.plan._limit import predict_limit as predict_limit
from sweepengine.plan._machine import Estimate as Estimate
from sweepengine.plan._machine import Machine as Machine
from sweepengine.plan._machine import estimate as estimate
from sweepengine.plan._machine import machine_of as machine_of
from sweepengine.plan._packs import Pack as Pack
from sweepengine.plan._parts import Addition as Addition
from sweepengine.plan._plan import Plan as Plan
from sweepengine.plan._plan import make_plan as make_plan
from sweepengine.plan._step_size import References as References
from sweepengine.plan._work import Work as Work
