"""What an examination finds: one line each, which passes, warns or fails and says the cure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One line of an examination.

    Attributes
    ----------
    verdict : {"pass", "warn", "fail"}
    subject : str
        What was looked at.
    found : str
    cure : str
        What to do; empty where nothing has to be done.
    """

    verdict: Verdict
    subject: str
    found: str
    cure: str = ""


def judged(subject: str, found: str, *, fail: str = "", warn: str = "") -> Check:
    """A line that fails or warns with its cure if there is one, and passes else."""
    verdict: Verdict = "fail" if fail else "warn" if warn else "pass"
    return Check(verdict, subject, found, fail or warn)
