"""The jobs of a cluster, by Ray's job server: submit, list, follow, stop."""

from __future__ import annotations

import importlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweepengine.errors import RunError, SpecError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STORE, SWEEP = "sweepengine_store", "sweepengine_sweep"
"""Keys of a job's metadata: the address of the store that it drives, and the name of its sweep."""
_POLL_SECONDS = 1.0
STOP_SECONDS = 60
"""Seconds that a driver has from SIGTERM on to commit and to leave; Ray itself would give it three."""
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Job:
    """A job as the cluster describes it.

    Attributes
    ----------
    id : str
    status : {"PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED"}
    store, sweep : str
        Empty if the job was not submitted by this package.
    began : int
        When it was submitted, in milliseconds since 1970.
    exit_code : int or None
        With which its driver ended; None where the cluster does not know.
    message : str
        What the cluster says of its end.
    """

    id: str
    status: str
    store: str
    sweep: str
    began: int
    exit_code: int | None
    message: str

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status in {"STOPPED", "SUCCEEDED", "FAILED"}

    @property
    def code(self) -> int:
        """The exit code that says how it ended: that of its driver; 143 if it was cancelled; 1 if it never began."""
        if self.status == "STOPPED":
            return 143
        return self.exit_code if self.exit_code is not None else int(self.status != "SUCCEEDED")


class TakenError(RunError):
    """There is a job of this id already."""


class Jobs:
    """The job server of a cluster's head.

    Parameters
    ----------
    address : str
        ``http://head:8265``, the address of the dashboard.

    Raises
    ------
    RunError
        No job server answers there, or it asks for a token that this process has not.
    """

    def __init__(self, address: str) -> None:
        if not address.startswith(("http://", "https://")):
            raise SpecError(
                f"address: found {address!r}; expected the address of the cluster's dashboard, such as http://head:8265"
            )
        self.address = address.rstrip("/")
        sdk = importlib.import_module("ray.job_submission")
        for noisy in ("ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._client: Any = self._ask(lambda: sdk.JobSubmissionClient(self.address))

    def _ask(self, question: Any) -> Any:
        """Ask the job server, and say in one line what keeps it from answering."""
        from ray.exceptions import AuthenticationError, RayError

        try:
            return question()
        except AuthenticationError as error:
            first = str(error).splitlines()[0].rstrip(".")
            raise RunError(
                f"address: {self.address} asks for the token of its cluster ({first}); set RAY_AUTH_MODE=token, and "
                "have the token of the cluster in ~/.ray/auth_token, or in RAY_AUTH_TOKEN (docs/clusters.md, Token)"
            ) from error
        except (OSError, RuntimeError, ValueError, RayError) as error:  # ValueError: more bytes than Ray takes
            text = " ".join(str(error).split())
            if "already exists" in text:
                raise TakenError(text) from error
            if isinstance(error, OSError) or "404" in text:
                raise RunError(
                    f"address: no job server answers at {self.address} ({text}); start the head by `ray start --head` "
                    "with sweepengine[cluster] installed, forward its port by `ray dashboard FILE`, or mend --address"
                ) from error
            raise RunError(f"address: {self.address}: {text[-500:]}") from error

    def all(self) -> list[Job]:
        """The submitted jobs, the oldest first; programs that joined the cluster by themselves are no jobs."""
        found = (_job(each) for each in self._ask(self._client.list_jobs) if each.submission_id)
        return sorted(found, key=lambda job: job.began)

    def get(self, job: str) -> Job:
        """The job of an id, as it is now."""
        return _job(self._ask(lambda: self._client.get_job_info(job)))

    def find(self, word: str) -> Job:
        """The job of an id, or the newest job that drives a store.

        Parameters
        ----------
        word : str
            The id, or the address of the store.

        Raises
        ------
        RunError
            There is no such job; the message lists those of this package.
        """
        from sweepengine.store import is_address, normalise_address

        jobs = self.all()
        store = normalise_address(word) if is_address(word) else ""
        fitting = [job for job in jobs if (job.store == store if store else job.id == word)]
        if not fitting:
            known = [job.id for job in jobs if job.store]
            raise RunError(
                f"job: {self.address} knows no job of {store or repr(word)}.{did_you_mean(word, known)} "
                f"Jobs of sweepengine there: {', '.join(known[-10:]) or 'none'}"
            )
        return max(fitting, key=lambda job: (not job.is_over, job.began))

    def start(self, job: str, command: str, folder: Path, metadata: Mapping[str, str]) -> None:
        """Submit a job, whose driver runs a shell command in a copy of a folder.

        Raises
        ------
        TakenError
            There is a job of this id already.
        """
        environment = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}
        runtime = {"working_dir": str(folder), "env_vars": environment}
        self._ask(
            lambda: self._client.submit_job(
                entrypoint=command, submission_id=job, runtime_env=runtime, metadata=dict(metadata)
            )
        )

    def follow(self, job: str) -> Iterator[str]:
        """Yield what a job has printed and prints, piece by piece, until the job is over."""
        shown, silent_since = 0, time.monotonic()
        while True:
            try:
                is_over = self.get(job).is_over  # asked first, so that nothing is printed after the last look
                text = self.logs(job)
                silent_since = time.monotonic()
            except RunError:
                if time.monotonic() - silent_since > _PATIENCE_SECONDS:
                    raise
                time.sleep(_POLL_SECONDS)  # a network that was away for a moment
                continue
            if text[shown:]:
                yield text[shown:]
                shown = len(text)
            if is_over:
                return
            time.sleep(_POLL_SECONDS)

    def logs(self, job: str) -> str:
        """What a job has printed so far."""
        text: str = self._ask(lambda: self._client.get_job_logs(job))
        return text

    def stop(self, job: str) -> Job:
        """Send SIGTERM to the driver of a job, wait until it has left, and return how it ended."""
        self._ask(lambda: self._client.stop_job(job))
        end = time.monotonic() + STOP_SECONDS + _PATIENCE_SECONDS
        while not (now := self.get(job)).is_over:
            if time.monotonic() > end:
                raise RunError(
                    f"job: {job} does not stop; see `ray job logs {job}` and the dashboard at {self.address}"
                )
            time.sleep(_POLL_SECONDS)
        return now


def _job(details: Any) -> Job:
    metadata = details.metadata or {}
    status = getattr(details.status, "value", details.status)
    return Job(
        id=details.submission_id,
        status=status,
        store=metadata.get(STORE, ""),
        sweep=metadata.get(SWEEP, ""),
        began=details.start_time or 0,
        exit_code=details.driver_exit_code,
        message=details.message or "",
    )
