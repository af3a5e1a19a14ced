"""What the analysis says of each kind of sweep, with the claims about it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from sweepengine.analysis._claim import BySweep
from sweepengine.analysis._errors import ContractError
from sweepengine.analysis.claims import CLAIMS
from sweepengine.spec import kinds, resolve

if TYPE_CHECKING:
    from sweepengine.analysis._findings import Findings


def findings_of(kind: str) -> Findings:
    """Return what the analysis says of a kind of sweep, with the claims about it.

    Parameters
    ----------
    kind
        The kind's name: a store's attribute ``kind``.

    Raises
    ------
    ContractError
        No such kind is known, or its record names no findings.
    """
    known = {each.name: each.findings for each in kinds()}
    if not known.get(kind):
        found = "whose record names no findings" if kind in known else "which is not known here"
        readable = ", ".join(name for name, findings in known.items() if findings)
        raise ContractError(
            f"Found a sweep of kind {kind!r}, {found}; kinds with findings are {readable}. Use the version that wrote it, or "
            "register its kind."
        )
    return _with_claims(known[kind])


@cache
def _with_claims(reference: object) -> Findings:
    base: Findings = resolve(reference)
    claims = tuple(claim for claim in CLAIMS if isinstance(claim.evidence, BySweep) and claim.evidence.of == base.name)
    # A quantity that several claims share is one object; two that share a name alone are refused.
    named = dict.fromkeys(
        each.quantity for claim in claims if isinstance(claim.evidence, BySweep) for each in claim.evidence.exponents
    )
    return replace(base, claims=claims, claimed=tuple(each for each in named if each not in base.quantities))
