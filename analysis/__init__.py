"""Analysis of a sweep: scaling exponents with intervals, verdicts on the claims of theory.md §7, and a report.

The analysis reads a sweep through :func:`sweepengine.open_sweep` and never imports torch or ray. Only the report and
charts load the plotting libraries.

>>> import sweepengine
>>> from sweepengine import analysis
>>> ds = sweepengine.open_sweep("results/quickstart.zarr")  # doctest: +SKIP
>>> ds.sweep.fit("kernel_drift")["ntk"].exponent  # doctest: +SKIP
>>> ds.sweep.grid().loss_test.sel(scaling="ntk").mean("seed")  # doctest: +SKIP
>>> print(analysis.to_text(analysis.summarise(ds)))  # doctest: +SKIP
>>> analysis.write_report(ds, "results/quickstart-report")  # doctest: +SKIP
"""

from sweepengine.analysis._between import run_distances as run_distances
from sweepengine.analysis._claim import Claim as Claim
from sweepengine.analysis._claim import Evidence as Evidence
from sweepengine.analysis._claim import passed_off as passed_off
from sweepengine.analysis._claim_pictures import claim_chart as claim_chart
from sweepengine.analysis._claims_report import write_claims as write_claims
from sweepengine.analysis._claims_terminal import DecisionsView as DecisionsView
from sweepengine.analysis._claims_terminal import StatementsView as StatementsView
from sweepengine.analysis._collapse import Collapse as Collapse
from sweepengine.analysis._collapse import collapse as collapse
from sweepengine.analysis._constants import REPORT_SCHEMA as REPORT_SCHEMA
from sweepengine.analysis._curves import Average as Average
from sweepengine.analysis._curves import Curves as Curves
from sweepengine.analysis._decision import Decision as Decision
from sweepengine.analysis._decision import decide as decide
from sweepengine.analysis._decision import decided_together as decided_together
from sweepengine.analysis._errors import AnalysisError as AnalysisError
from sweepengine.analysis._errors import ContractError as ContractError
from sweepengine.analysis._errors import DuplicateRunError as DuplicateRunError
from sweepengine.analysis._errors import FigureFormatError as FigureFormatError
from sweepengine.analysis._errors import InvalidObservableError as InvalidObservableError
from sweepengine.analysis._errors import MemoryNeedError as MemoryNeedError
from sweepengine.analysis._errors import MissingExtraError as MissingExtraError
from sweepengine.analysis._errors import OptimumAtEdgeError as OptimumAtEdgeError
from sweepengine.analysis._errors import ReportWriteError as ReportWriteError
from sweepengine.analysis._errors import TooFewSeedsError as TooFewSeedsError
from sweepengine.analysis._errors import TooFewWidthsError as TooFewWidthsError
from sweepengine.analysis._expectations import Expectation as Expectation
from sweepengine.analysis._expectations import Exponent as Exponent
from sweepengine.analysis._exports import write_exports as write_exports
from sweepengine.analysis._figure import FigureSource as FigureSource
from sweepengine.analysis._findings import Curve as Curve
from sweepengine.analysis._findings import Findings as Findings
from sweepengine.analysis._finite_size import FiniteSize as FiniteSize
from sweepengine.analysis._fit import fit_scaling as fit_scaling
from sweepengine.analysis._fits import Fits as Fits
from sweepengine.analysis._fits import fit_exponents as fit_exponents
from sweepengine.analysis._grid import grid as grid
from sweepengine.analysis._grid import swept_axes as swept_axes
from sweepengine.analysis._jackknife import Estimate as Estimate
from sweepengine.analysis._judgement import ClaimResult as ClaimResult
from sweepengine.analysis._kernel_reductions import reduce_kernels as reduce_kernels
from sweepengine.analysis._kinds import headline_variables as headline_variables
from sweepengine.analysis._levels import Equality as Equality
from sweepengine.analysis._levels import Inequality as Inequality
from sweepengine.analysis._models import ModelFit as ModelFit
from sweepengine.analysis._observables import reduce_runs as reduce_runs
from sweepengine.analysis._optimum import Optimum as Optimum
from sweepengine.analysis._optimum import locate_optimum as locate_optimum
from sweepengine.analysis._over_seeds import over_seeds as over_seeds
from sweepengine.analysis._overlay import overlay as overlay
from sweepengine.analysis._plots import Plots as Plots
from sweepengine.analysis._power import Needed as Needed
from sweepengine.analysis._power import what_narrows as what_narrows
from sweepengine.analysis._quantities import Quantity as Quantity
from sweepengine.analysis._reductions import Reduction as Reduction
from sweepengine.analysis._reductions import final as final
from sweepengine.analysis._reductions import supremum as supremum
from sweepengine.analysis._report import ReportPaths as ReportPaths
from sweepengine.analysis._report import figure_source as figure_source
from sweepengine.analysis._report import write_main_figure as write_main_figure
from sweepengine.analysis._report import write_report as write_report
from sweepengine.analysis._report import write_report_of as write_report_of
from sweepengine.analysis._results import GroupSummary as GroupSummary
from sweepengine.analysis._results import Level as Level
from sweepengine.analysis._results import Summary as Summary
from sweepengine.analysis._scaling_fit import ScalingFit as ScalingFit
from sweepengine.analysis._selections import at as at
from sweepengine.analysis._selections import select as select
from sweepengine.analysis._setting import Setting as Setting
from sweepengine.analysis._shares import Frequency as Frequency
from sweepengine.analysis._shares import Remark as Remark
from sweepengine.analysis._simultaneous import holm as holm
from sweepengine.analysis._simultaneous import p_value as p_value
from sweepengine.analysis._simultaneous import sidak as sidak
from sweepengine.analysis._simultaneous import simultaneous as simultaneous
from sweepengine.analysis._summary import summarise as summarise
from sweepengine.analysis._terminal import SummaryText as SummaryText
from sweepengine.analysis._terminal import SummaryView as SummaryView
from sweepengine.analysis._terminal import to_text as to_text
from sweepengine.analysis._tidy import tidy_table as tidy_table
from sweepengine.analysis._verdict import Verdict as Verdict
from sweepengine.analysis._verdict import judge as judge
from sweepengine.analysis.claims import CLAIMS as CLAIMS

if __name__ != "sweepengine.analysis":  # imported as `analysis` from the repository's root: classes would exist twice
    raise ImportError("this package is called sweepengine.analysis: `from sweepengine import analysis`")
