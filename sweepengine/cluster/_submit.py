"""Submit a sweep: one live job for one sweep in one store."""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from sweepengine.cluster._jobs import STORE, SWEEP, Job, TakenError
from sweepengine.cluster._parcel import pack, pack_package
from sweepengine.errors import SpecError
from sweepengine.options import OF_PRIVATE_CLUSTERS, RunOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.cluster._jobs import Jobs
    from sweepengine.spec import AnySpec

_DIGITS = 12


@dataclass(frozen=True)
class Submitted:
    """What has become of a submission.

    Attributes
    ----------
    job : str
        The id of the job that runs the sweep.
    store : str
        The store as the cluster sees it.
    is_new : bool
        Whether this call has started the job; else the same sweep was running already.
    """

    job: str
    store: str
    is_new: bool


def submit(
    jobs: Jobs, spec: AnySpec, store: str, plugins: Sequence[str | Path] = (), options: RunOptions | None = None
) -> Submitted:
    """Run a sweep on a cluster, or attach to the job that runs it.

    The id of the job follows from the store, the spec, its files and the plugins. So the same sweep is not started
    twice at a time; a later submission, when the job is over, has the same id with the next number.

    Parameters
    ----------
    jobs : Jobs
    spec : spec of any kind
        Paths in it can be opened from here; the files travel along.
    store : str
        Address of the store, as every machine of the cluster can use it: a URL, or an absolute path.
    plugins : sequence of str or Path
    options : RunOptions, optional
        How to run, without the options of a private cluster.

    Raises
    ------
    SpecError
        The store is a path that only this machine understands, or an option is for this machine only.
    DataError
        A file that the spec names cannot be read.
    RunError
        The cluster does not take the job.
    """
    address, options = shared_address(store), options or RunOptions()
    with tempfile.TemporaryDirectory(prefix="sweepengine-") as folder:
        parcel = pack(spec, plugins, Path(folder))
        key = hashlib.sha256(f"{address} {parcel.digest}".encode()).hexdigest()
        base = f"{spec.name}-{key[:_DIGITS]}"
        earlier = [job for job in jobs.all() if re.fullmatch(rf"{re.escape(base)}(-\d+)?", job.id)]
        live = _live(earlier)
        if live is not None:
            return Submitted(live.id, address, is_new=False)
        job = base if not earlier else f"{base}-{len(earlier) + 1}"
        try:
            jobs.start(job, _command(parcel.words, address, options), parcel.folder, {STORE: address, SWEEP: spec.name})
        except TakenError:  # by somebody who has submitted the same sweep meanwhile
            return Submitted(job, address, is_new=False)
    return Submitted(job, address, is_new=True)


def examine_by_job(jobs: Jobs, store: str = "") -> str:
    """Have a cluster examine itself, by the program ``doctor`` as it is here; return the id of the job."""
    words = ["python", "-m", "sweepengine", "doctor", "--address", "auto"]
    words += ["--store", shared_address(store)] if store else []
    with tempfile.TemporaryDirectory(prefix="sweepengine-") as folder:
        pack_package(Path(folder))
        job = f"sweepengine-doctor-{secrets.token_hex(4)}"
        jobs.start(job, f"exec {shlex.join(words)}", Path(folder), {})
    return job


def _live(jobs: list[Job]) -> Job | None:
    return next((job for job in jobs if not job.is_over), None)


def shared_address(store: str) -> str:
    """The address of a store as a cluster can use it.

    Raises
    ------
    SpecError
        It is a path relative to a folder of this machine, or lives in the memory of one process.
    """
    from sweepengine.store import is_of_this_process, local_folder, normalise_address

    if is_of_this_process(store):
        raise SpecError(
            f"store: {store} lives in one process; name a URL or a path that every machine of the cluster shares"
        )
    folder = local_folder(store)
    if folder is not None and not folder.is_absolute():
        raise SpecError(
            f"store: found {store!r}, a path of this machine's; the job runs on the cluster: name a URL, or an "
            "absolute path that every machine of the cluster shares"
        )
    return normalise_address(store)


def _command(words: Sequence[str], store: str, options: RunOptions) -> str:
    """The command that a job runs; `exec` leaves one process, which gets the signals."""
    chosen: list[str] = []
    for option in fields(RunOptions):
        value, flag = getattr(options, option.name), f"--{option.name.replace('_', '-')}"
        if value == option.default:
            continue
        if option.name in OF_PRIVATE_CLUSTERS:
            raise SpecError(
                f"{option.name}: is for a cluster on this machine; a submitted sweep has the cluster's CPUs"
            )
        chosen += [flag] if value is True else [flag, str(value)]
    run = ["python", "-m", "sweepengine", "run", *words, "--store", store, "--address", "auto", "--no-report", *chosen]
    return f"exec {shlex.join(run)}"
