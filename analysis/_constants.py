"""Names, formats and conventions of the analysis, in one place."""

from typing import Final

REPORT_SCHEMA: Final = "sweepengine-report/2"
"""Version of `report.json`; it changes when a key changes its meaning."""
REPORT_HTML: Final = "report.html"
REPORT_JSON: Final = "report.json"
REPORT_MARKDOWN: Final = "report.md"
EXTRA_HINT: Final = "pip install altair vl-convert-python"

CONFIDENCE: Final = 0.95
MIN_WIDTHS: Final = 3
"""Fewest widths of a power-law fit: two parameters and one residual."""
MIN_WIDTHS_KEPT: Final = 4
"""Fewest widths that remain when small ones are dropped: with fewer, a bend cannot be told from a straight line."""
RESOLUTION: Final = 0.25
"""Half-width from which a finite-size fit counts as not identified, as the claimed exponents lie this far apart."""
MARGIN: Final = 0.1
"""A claim holds only if the interval excludes every exponent that is off by this much or more."""
CONTRADICTION: Final = 0.99
"""Confidence of the interval outside which a claim must lie to be contradicted."""

BEND_CONFIDENCE: Final = 0.99
"""Confidence at which a residual trend is called a bend. Small widths are dropped at this level and not at 95 %, since
every needless drop costs the exponent's interval some coverage (tested)."""
ROUNDING: Final = 1e-9
"""Curvature, or distance of an exponent from a claimed one, that counts as rounding however short its interval is: the
interval over seeds that agree has length 0."""

DONE: Final = "done"
STATUSES: Final = ("done", "diverged", "failed", "running", "pending")
"""Every status of a run, in the order of the tables."""

GROUP_AXES: Final = ("scaling", "gamma", "depth", "activation", "alpha", "step_size", "method")
"""Run coordinates that divide the runs into groups. Within a group a fit runs over widths, and seeds are replicates."""

PROVENANCE_ATTRIBUTES: Final = ("provenance", "versions")
"""Attributes of a dataset that hold its provenance as JSON objects."""
