"""What the commands ``doctor`` and ``cluster token`` do: call the library and print what it says."""

from __future__ import annotations

import os

from rich.console import Console

_MARKS = {"pass": "ok  ", "warn": "warn", "fail": "FAIL"}


def doctor_command(file: str, address: str, store: str) -> int:
    """Print a line for each thing that was looked at; the exit code is 1 if one fails."""
    from sweepengine.cluster import Jobs, examine, examine_by_job

    console, worst = Console(), 0
    is_remote = address.startswith(("http://", "https://"))
    parts = examine(os.environ, file=file, address="" if is_remote else address, store="" if is_remote else store)
    for checks in parts:
        for check in checks:
            worst |= check.verdict == "fail"
            cure = f" → {check.cure}" if check.cure else ""
            line = f"{_MARKS[check.verdict]} {check.subject}: {check.found}{cure}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    if is_remote:
        jobs = Jobs(address)
        job = examine_by_job(jobs, store)
        for text in jobs.follow(job):
            print(text, end="", flush=True)
        worst |= jobs.get(job).code != 0
    return int(worst)


def token_command() -> None:
    """Make a token and say where it is."""
    from sweepengine.cluster import make_token

    path, is_new = make_token(os.environ)
    print(f"token:  {path}{'' if is_new else ' (was there)'}; clusters that ask for it: export RAY_AUTH_MODE=token")
