"""The moments that observables are measured of, and the recorder that measures them. Imports torch."""

from __future__ import annotations

from sweepengine.observe._cloud_moment import CloudMoment, CloudProblem
from sweepengine.observe._linalg import operator_norm
from sweepengine.observe._moment import Moment, Problem
from sweepengine.observe._recorder import Recorder

__all__ = ["CloudMoment", "CloudProblem", "Moment", "Problem", "Recorder", "operator_norm"]
