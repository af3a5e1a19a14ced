"""What is measured at a record. The declarations import no torch; ``measure`` and ``measure_particles`` do."""

from sweepengine.observe._particle_variables import PARTICLE_VARIABLES as PARTICLE_VARIABLES
from sweepengine.observe._particle_variables import canonical_names as canonical_names
from sweepengine.observe._particle_variables import particle_variables_of as particle_variables_of
from sweepengine.observe._variables import DEFAULT_VARIABLES as DEFAULT_VARIABLES
from sweepengine.observe._variables import SNAPSHOT as SNAPSHOT
from sweepengine.observe._variables import VARIABLES as VARIABLES
from sweepengine.observe._variables import Variable as Variable
from sweepengine.observe._variables import canonical_variables as canonical_variables
from sweepengine.observe._variables import variables_of as variables_of

__all__ = [
    "DEFAULT_VARIABLES",
    "PARTICLE_VARIABLES",
    "SNAPSHOT",
    "VARIABLES",
    "Variable",
    "canonical_names",
    "canonical_variables",
    "particle_variables_of",
    "variables_of",
]
