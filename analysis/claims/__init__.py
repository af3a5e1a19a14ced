"""The claims of theory.md §7. Each claim has a file, whose name is the claim's id and whose ``CLAIM`` is the claim.

A claim is added by adding its file. The claims about networks are stated for ½ ≤ γ ≤ 1: below ½ the uncentred output
grows like m^(½−γ), and with it the residuals that move the network. In a group of runs of many widths α is fixed, so it
changes no exponent of the limit; where the widths are too small to show the limit, no claim is contradicted
(:meth:`sweepengine.analysis.Setting.before_its_limit`).
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sweepengine.analysis._claim import Claim


def _claim_of(module: str) -> Claim:
    claim: Claim = import_module(f"{__name__}.{module}").CLAIM
    if claim.id.replace("-", "_") != module:
        raise ValueError(f"claims/{module}.py holds the claim {claim.id!r}; call the file like its claim")
    return claim


CLAIMS: Final = tuple(_claim_of(module.name) for module in iter_modules(__path__))
"""Every claim, in the order of the ids."""
