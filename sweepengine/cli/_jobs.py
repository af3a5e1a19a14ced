"""What the commands for jobs do: call the library and print what it says."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweepengine.cli._sweep import Sweep
    from sweepengine.cluster import Jobs


def submit_command(sweep: Sweep, address: str, store: str, options: dict[str, Any], *, follow: bool) -> int:
    """Submit a sweep; print the id of its job, and with ``follow`` what the job prints."""
    from sweepengine.cluster import Jobs, submit
    from sweepengine.options import RunOptions

    spec = sweep.spec()
    jobs = Jobs(address)
    submitted = submit(jobs, spec, store, sweep.plugins, RunOptions.of(options))
    print(f"job:    {submitted.job}{'' if submitted.is_new else ' (runs already)'}")
    print(f"store:  {submitted.store}", flush=True)
    if follow:
        return _follow(jobs, submitted.job)
    for verb in ("logs --follow", "cancel"):
        print(f"        {shlex.join(['sweepengine', *verb.split(), submitted.job, '--address', jobs.address])}")
    return 0


def logs_command(job: str, address: str, *, follow: bool) -> int:
    """Print what a job has printed."""
    from sweepengine.cluster import Jobs

    jobs = Jobs(address)
    found = jobs.find(job)
    if follow:
        return _follow(jobs, found.id)
    print(jobs.logs(found.id), end="")
    return 0


def _follow(jobs: Jobs, job: str) -> int:
    """Print what a job prints until it is over; return its exit code."""
    for text in jobs.follow(job):
        print(text, end="", flush=True)
    end = jobs.get(job)
    if end.code and end.exit_code is None:  # the driver itself has said nothing
        print(f"job {job}: {end.status}: {end.message}", file=sys.stderr)
    return end.code


def cancel_command(job: str, address: str) -> None:
    """Stop a job and print how it has ended."""
    from sweepengine.cluster import Jobs

    jobs = Jobs(address)
    found = jobs.find(job)
    end = found if found.is_over else jobs.stop(found.id)
    kept = "; what was committed is kept, and submitting the sweep again goes on from there"
    print(f"job:    {end.id}: {end.status}{kept if end.status == 'STOPPED' else ''}")


def store_of(word: str, address: str) -> str:
    """The store that a word names: its own address, or the id of the job that drives it.

    Raises
    ------
    StoreError
        The word is no address of a store, and no cluster is named that may know a job of this id; or the job's store
        cannot be read from here.
    RunError
        The cluster knows no such job, or the job drives no store.
    """
    from sweepengine.errors import RunError, StoreError
    from sweepengine.store import SweepStore, is_address

    if is_address(word):
        return word
    if not address:
        raise StoreError(
            f"store: found {word!r}; a store's name ends in .zarr, and for the id of a job --address names the "
            "cluster's dashboard, such as http://head:8265"
        )
    from sweepengine.cluster import Jobs

    job = Jobs(address).find(word)
    if not job.store:
        raise RunError(f"job: {job.id} drives no store; it was not submitted by `sweepengine submit`")
    if not SweepStore(job.store).exists:
        raise StoreError(
            f"store: job {job.id} is {job.status}, and there is nothing at its store {job.store}: it has not written "
            f"there yet (`sweepengine logs {job.id} --address {address}` says how far it is), or only the cluster sees "
            "that place"
        )
    return job.store
