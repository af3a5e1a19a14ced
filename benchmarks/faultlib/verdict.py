"""What can be wrong with a case."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Defects by name; a case without one is fine."""

    LOST = "record lost"
    WRONG = "wrong number"
    UNDETECTED = "undetected damage"
    UNDETECTED_PLAIN = "undetected damage, seen by plain readers only"
    REFUSED = "refused store"
    TRACEBACK = "traceback"
    HANG = "hang"
    CODE = "wrong exit code"
    MESSAGE = "bad message"
    AGAIN = "committed record computed again"
    LITTER = "litter left"
    OUTSIDE = "changed outside the store"
    INPUT = "bad answer to an input"
    HARNESS = "harness"


FINE = "fine"


class Defect(Exception):  # noqa: N818 -- the word of this package
    """A case that did not end as it must.

    Parameters
    ----------
    kind : Kind
    detail : str
        What was seen, in one line.
    """

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail = kind, " ".join(detail.split())[:600]
