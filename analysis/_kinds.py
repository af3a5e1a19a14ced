"""The kinds of sweeps, and the claims about each of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Final

from sweepengine.analysis._claim import BySweep
from sweepengine.analysis._errors import ContractError
from sweepengine.analysis.claims import CLAIMS

if TYPE_CHECKING:
    from sweepengine.analysis._findings import Findings

KINDS: Final = {
    "networks": "sweepengine.analysis._of_networks:NETWORKS",
    "particles": "sweepengine.analysis._of_particles:PARTICLES",
}
"""Kind → reference to what the analysis says of it."""


@cache
def findings_of(kind: str) -> Findings:
    """Return what the analysis says of a kind of sweep, with the claims about it.

    Parameters
    ----------
    kind
        The kind's name: a store's attribute ``kind``.

    Raises
    ------
    ContractError
        No such kind is known.
    """
    if kind not in KINDS:
        raise ContractError(f"Found a sweep of {kind!r}; known are {', '.join(KINDS)}. Use the version that wrote it.")
    base: Findings = resolve_name(KINDS[kind])
    claims = tuple(claim for claim in CLAIMS if isinstance(claim.evidence, BySweep) and claim.evidence.of == kind)
    # A quantity that several claims share is one object; two that share a name alone are refused.
    named = dict.fromkeys(
        each.quantity for claim in claims if isinstance(claim.evidence, BySweep) for each in claim.evidence.exponents
    )
    return replace(base, claims=claims, claimed=tuple(each for each in named if each not in base.quantities))
