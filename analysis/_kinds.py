"""The findings for each kind of sweep, with the claims about the kind."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from sweepengine.analysis._errors import ContractError
from sweepengine.analysis.claims import CLAIMS
from sweepengine.spec import kinds, resolve

if TYPE_CHECKING:
    from sweepengine.analysis._findings import Findings


def findings_of(kind: str) -> Findings:
    """Return the findings for a kind of sweep, with the claims about the kind.

    Parameters
    ----------
    kind
        Name of the kind: the attribute ``kind`` of a store.

    Raises
    ------
    ContractError
        The kind is not known, or its record names no findings.
    """
    known = {record.name: record.findings for record in kinds()}
    if not known.get(kind):
        reason = "whose record names no findings" if kind in known else "which is not known here"
        readable = ", ".join(name for name, findings in known.items() if findings)
        raise ContractError(
            f"Found a sweep of kind {kind!r}, {reason}; kinds with findings are {readable}. Use the version that wrote "
            "it, or register its kind."
        )
    return _with_claims(known[kind])


def headline_variables(kind: str) -> dict[str, tuple[str, ...]]:
    """Title of each headline quantity of a kind → the recorded variables of which it is made.

    Raises
    ------
    ContractError
        As for :func:`findings_of`.
    """
    findings = findings_of(kind)
    quantities = [findings.quantity(key) for key in findings.headlines]
    return {quantity.title: tuple(quantity.reduction.variables) for quantity in quantities}


@cache
def _with_claims(reference: object) -> Findings:
    base: Findings = resolve(reference)
    about = [claim for claim in CLAIMS if any(evidence.of == base.name for evidence in claim.evidence)]
    base = replace(base, claims=tuple(about))
    # Claims that share a quantity share one object; Findings refuses two quantities of the same name.
    quantities = dict.fromkeys(expectation.quantity for _, expectation in base.expected)
    return replace(base, claimed=tuple(quantity for quantity in quantities if quantity not in base.quantities))
