"""Claims decided from end to end: the jobs that measure them are run where they are missing, then analysed."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sweepengine.analysis import CLAIMS, decide, decided_together
from sweepengine.errors import RunError, SpecError, StoreError, did_you_mean
from sweepengine.execute import Session
from sweepengine.files import replace_file
from sweepengine.options import RunOptions
from sweepengine.plan import MachineRate, make_plan
from sweepengine.spec import job_spec
from sweepengine.store import SweepStore, local_folder, name_of_url, open_sweep, open_theory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import xarray as xr

    from sweepengine.analysis import Claim, Decision
    from sweepengine.execute import Progress

Size = Literal["quick", "full"]
STORE_DIR = "results/claims"
_SECONDS = "seconds.json"


def chosen_claims(ids: Sequence[str] = ()) -> tuple[Claim, ...]:
    """The claims with these ids, in the order of the ids; all claims where none is named.

    Raises
    ------
    SpecError
        There is no claim with one of the ids.
    """
    known = {claim.id: claim for claim in CLAIMS}
    for name in ids:
        if name not in known:
            hint = did_you_mean(name, known)
            raise SpecError(f"claims: found {name!r}, which is no claim.{hint} Claims: {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(ids)) if ids else CLAIMS


def jobs_of(claims: Sequence[Claim]) -> tuple[str, ...]:
    """Names of the jobs that claims need, each once."""
    return tuple(dict.fromkeys(job for claim in claims for job in claim.jobs))


def store_of(job: str, size: Size = "quick", store_dir: str = STORE_DIR) -> str:
    """Address of the store of a job."""
    return f"{store_dir.rstrip('/')}/{size}/{job}.zarr"


def report_folder(size: Size = "quick", store_dir: str = STORE_DIR) -> str:
    """Folder of the report: beside local stores; for those of a URL one of its own in the results folder."""
    folder = local_folder(store_dir.rstrip("/"))
    return str(Path(f"{STORE_DIR}-{name_of_url(store_dir)}" if folder is None else folder, size))


def decide_claims(
    ids: Sequence[str] = (),
    *,
    size: Size = "quick",
    store_dir: str = STORE_DIR,
    progress: Callable[[str], Progress] | None = None,
    **options: Any,
) -> tuple[Decision, ...]:
    """Decide claims: run what is missing of their jobs, then judge them, as rows of one table.

    Parameters
    ----------
    ids : sequence of str
        Ids of the claims; all claims where none is named.
    size : {"quick", "full"}
        Sizes of the jobs: for a laptop, or for a cluster.
    store_dir : str
        Folder or URL under which each job has a store.
    progress : callable, optional
        From the name of a job to what shows its progress.
    **options
        How to run: the attributes of :class:`sweepengine.options.RunOptions` by name.

    Returns
    -------
    tuple of Decision
        In the order of the ids. A row is refuted only by an interval that covers together with those of all rows.

    Raises
    ------
    SpecError
        There is no claim with one of the ids.
    RunError
        Runs of a job failed, so that its claims cannot be decided.
    DataError, StoreError
        As for :func:`sweepengine.run`.
    """
    claims = chosen_claims(ids)
    seconds = _read_seconds(store_dir, size)
    sweeps: dict[str, tuple[xr.Dataset, xr.Dataset]] = {}
    decisions: list[Decision] = []
    RunOptions.shared(options, "claims")
    with Session(**options) as session:
        for claim in claims:
            for job in (job for job in claim.jobs if job not in sweeps):
                address, begun = store_of(job, size, store_dir), time.monotonic()
                outcome = session.run(job_spec(job, size), address, progress=progress(job) if progress else None)
                if outcome.failed:
                    raise RunError(
                        f"{job}: {outcome.failed} of {outcome.runs} runs failed, so {claim.id} cannot be decided; "
                        f"`sweepengine failures {address}` says why"
                    )
                if outcome.skipped < outcome.runs:
                    seconds[job] = seconds.get(job, 0.0) + time.monotonic() - begun
                    _write_seconds(store_dir, size, seconds)
                sweeps[job] = (open_sweep(address), open_theory(address))
            decisions.append(decide(claim, sweeps, sum(seconds.get(job, math.nan) for job in claim.jobs)))
    return decided_together(decisions)


def costs(ids: Sequence[str] = (), *, size: Size = "quick", store_dir: str = STORE_DIR) -> Iterator[tuple[str, str]]:
    """For each job of the claims its name and one line on what it would cost; nothing is run or written."""
    for job in jobs_of(chosen_claims(ids)):
        spec = job_spec(job, size)
        plan = make_plan(spec, SweepStore(store_of(job, size, store_dir)))
        hours = sum(pack.seconds for pack in plan.packs(MachineRate.measure(spec.precision))) / 3600
        missing = len(plan.missing())
        yield (
            job,
            (
                f"{missing} of {len(plan.runs)} runs to do, about {hours:.2g} CPU-hours, "
                f"{plan.memory_bytes() / 1e9:.2g} GB a worker, at most {plan.disk_bytes() / 1e9:.2g} GB on disk"
            ),
        )


def _seconds_file(store_dir: str, size: Size) -> Path:
    return Path(report_folder(size, store_dir), _SECONDS)


def _read_seconds(store_dir: str, size: Size) -> dict[str, float]:
    """Job → the seconds that it took; empty where the file is lost or damaged, since the times are for show only."""
    try:
        known = json.loads(_seconds_file(store_dir, size).read_text(encoding="utf-8"))
        return {str(job): float(value) for job, value in known.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write_seconds(store_dir: str, size: Size, seconds: dict[str, float]) -> None:
    path = _seconds_file(store_dir, size)
    try:
        replace_file(path, json.dumps(seconds, indent=1).encode())
    except OSError as error:
        raise StoreError(f"store: cannot write {path}: {error}") from error
