"""Users' code that a sweep may name beside what this package has itself. Imports no torch.

A user registers observables, models, and terms and units of particles in Python, or in a file that is named on the
command line (``--plugin FILE``). A spec holds names only; nothing in it is executed.
"""

from sweepengine.plugins._code import UserCode as UserCode
from sweepengine.plugins._files import install as install
from sweepengine.plugins._models import UserModel as UserModel
from sweepengine.plugins._models import canonical_model as canonical_model
from sweepengine.plugins._models import model_of as model_of
from sweepengine.plugins._models import register_model as register_model
from sweepengine.plugins._particle_terms import TermKind as TermKind
from sweepengine.plugins._particle_terms import canonical_term as canonical_term
from sweepengine.plugins._particle_terms import canonical_unit as canonical_unit
from sweepengine.plugins._particle_terms import register_kernel as register_kernel
from sweepengine.plugins._particle_terms import register_potential as register_potential
from sweepengine.plugins._particle_terms import register_unit as register_unit
from sweepengine.plugins._particle_terms import term_function as term_function
from sweepengine.plugins._plugin import Plugin as Plugin
from sweepengine.plugins._plugin import read_plugin as read_plugin
from sweepengine.plugins._registry import CodeKind as CodeKind
from sweepengine.plugins._registry import Entry as Entry
from sweepengine.plugins._registry import current as current
from sweepengine.plugins._registry import find as find
from sweepengine.plugins._registry import register as register
