"""Measured scaling laws: exponents with intervals, verdicts on the claims, and a report.

Reads a sweep through :func:`sweepengine.open_sweep`; never imports torch or ray. The plotting libraries are optional and
loaded by the report alone.

>>> import sweepengine, analysis
>>> ds = sweepengine.open_sweep("results/quickstart.zarr")  # doctest: +SKIP
>>> print(analysis.summarise(ds).to_text())  # doctest: +SKIP
>>> analysis.write_report(ds, "results/quickstart-report")  # doctest: +SKIP
"""

from analysis._between import run_distances as run_distances
from analysis._claims import CLAIMS as CLAIMS
from analysis._claims import Claim as Claim
from analysis._claims import ClaimResult as ClaimResult
from analysis._constants import REPORT_SCHEMA as REPORT_SCHEMA
from analysis._curves import Average as Average
from analysis._curves import Curves as Curves
from analysis._errors import AnalysisError as AnalysisError
from analysis._errors import ContractError as ContractError
from analysis._errors import DuplicateRunError as DuplicateRunError
from analysis._errors import FigureFormatError as FigureFormatError
from analysis._errors import InvalidObservableError as InvalidObservableError
from analysis._errors import MemoryNeedError as MemoryNeedError
from analysis._errors import MissingExtraError as MissingExtraError
from analysis._errors import ReportWriteError as ReportWriteError
from analysis._errors import TooFewSeedsError as TooFewSeedsError
from analysis._errors import TooFewWidthsError as TooFewWidthsError
from analysis._finite_size import FiniteSize as FiniteSize
from analysis._fit import ScalingFit as ScalingFit
from analysis._fit import fit_scaling as fit_scaling
from analysis._jackknife import Estimate as Estimate
from analysis._observables import reduce_runs as reduce_runs
from analysis._report import ReportPaths as ReportPaths
from analysis._report import write_main_figure as write_main_figure
from analysis._report import write_report as write_report
from analysis._results import Accuracy as Accuracy
from analysis._results import GroupSummary as GroupSummary
from analysis._results import Summary as Summary
from analysis._setting import Setting as Setting
from analysis._summary import summarise as summarise
from analysis._verdict import Verdict as Verdict
from analysis._verdict import judge as judge
