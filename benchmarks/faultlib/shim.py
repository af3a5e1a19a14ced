"""The command line in this process, with commits as often as a fault needs them.

Commits are every ten seconds by default and the command line has no option for that; a sweep of two seconds is never
hit between two of them. Nothing else is changed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

NOT_APPLIED = 99


def main(words: list[str], commit_seconds: float) -> int:
    """Run `sweepengine WORDS`; its exit code, or :data:`NOT_APPLIED` where a sweep ran with other commits."""
    sweeps = import_module("sweepengine.sweeps")
    original, called = sweeps.run, []

    def often(*arguments: Any, **options: Any) -> Any:
        called.append(True)
        return original(*arguments, **options | {"commit_seconds": commit_seconds})

    sweeps.run = often
    code: int = import_module("sweepengine.cli").main(words)
    return NOT_APPLIED if words[0] == "run" and code == 0 and not called else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], float(sys.argv[1])))
