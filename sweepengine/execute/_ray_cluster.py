"""The cluster that a sweep runs on: a private one on this machine's loopback, or one that the user names.

The module ``ray`` is an argument here.
"""

from __future__ import annotations

import secrets
import socket
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from sweepengine.errors import RunError
from sweepengine.store import read_token

if TYPE_CHECKING:
    from sweepengine.options import DeviceName

_REACH_SECONDS = 5.0
_QUESTIONS, _PAUSE_SECONDS = 10, 1.0
"""How often a node that does not answer is asked, and the time between."""


class ClusterError(RunError):
    """A cluster that cannot be started, joined or used."""


@cache
def token() -> str:
    """Return the token of all private clusters of this process: Ray's core reads it once and keeps it."""
    return secrets.token_hex(32)


def local_environment() -> dict[str, str]:
    """Return Ray's settings for a private cluster: no statistics sent, loopback only, a token that only we know."""
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token(),
        # Makes Ray take 127.0.0.1 as this node's address and listen there only, on Linux too.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # The future default, which Ray otherwise announces with a warning in every worker.
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }


def reach(address: str) -> None:
    """Raise unless a cluster listens at host:port; Ray itself would try for minutes."""
    place = address.rsplit("://", 1)[-1]
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit():
        return  # "auto" and the like name no place
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"address: no cluster answers at {address} ({error}); start one, or leave --address out"
        ) from error


def cannot_join(address: str, error: BaseException) -> ClusterError:
    """Return the error of a cluster that does not let this process in; Ray names no reason where a token is wrong."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    way_out = (
        "if it asks for a token, set RAY_AUTH_MODE=token here too, and have the token of the cluster in "
        "~/.ray/auth_token or in RAY_AUTH_TOKEN (docs/clusters.md, Token); `ray status` says whether the cluster lives"
    )
    return ClusterError(f"the cluster at {address} cannot be joined ({what}); {way_out}")


def blind_nodes(ray: Any, address: str, token: str) -> list[str]:
    """Return the addresses of the nodes that do not find a token in a store.

    Nodes that are lost meanwhile do not count.

    Raises
    ------
    ClusterError
        A node lives and does not answer.
    """
    on = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    read = ray.remote(num_cpus=0, max_retries=0)(read_token)
    answered: dict[str, bool] = {}
    trouble = ""
    for question in range(_QUESTIONS):
        time.sleep(_PAUSE_SECONDS if question else 0.0)
        nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
        asked = {
            node: read.options(scheduling_strategy=on(node, soft=False)).remote(address, token)
            for node in nodes
            if node not in answered
        }
        for node, answer in asked.items():
            try:
                answered[node] = ray.get(answer)
            except ray.exceptions.RayTaskError:
                raise  # the question itself has failed there
            except ray.exceptions.RayError as error:
                trouble = f"{nodes[node]}: {next(iter(str(error).splitlines()), type(error).__name__)}"
        if nodes.keys() <= answered.keys():
            return [nodes[node] for node in nodes if not answered[node]]
    raise ClusterError(
        f"a node cannot be asked whether it sees the store ({trouble}); see `ray status`, and run the same command "
        "again"
    )


def check_shards(shards: int, cpus: int) -> None:
    """Raise unless all workers of one run can work at the same time; Ray itself would wait for ever."""
    if shards > cpus:
        raise ClusterError(
            f"shards: found {shards}, and the cluster has {cpus} CPUs, one for each; "
            f"use at most {cpus}, or more workers"
        )


def check_device(device: DeviceName, gpus: float, shards: int) -> None:
    if device == "cuda" and not gpus:
        raise ClusterError("device: found cuda, but the cluster has no GPU; use cpu or auto")
    if device == "cuda" and 1 < shards > gpus:
        raise ClusterError(
            f"device: found cuda with {shards} shards, one GPU for each, but the cluster has {gpus:g}; "
            "use cpu, auto, or fewer shards"
        )


def at_a_time(cpus: int, gpus: float, shards: int, gpus_of_a_worker: float) -> int:
    """Return the number of tasks for which a cluster has room at the same time."""
    by_cpus = cpus // shards
    # Shares of GPUs are rounded down to ten-thousandths: so many of them fit.
    return min(by_cpus, int(gpus / gpus_of_a_worker + 1e-3) // shards) if gpus_of_a_worker else by_cpus


def divided(cpus: int, gpus: float, shards: int) -> tuple[int, float]:
    """Return the number of tasks at the same time, and the GPUs of each worker of a task."""
    if shards == 1:
        return cpus, min(1.0, int(1e4 * gpus / cpus) / 1e4)  # Ray counts resources in ten-thousandths
    return (min(cpus, int(gpus)) // shards, 1.0) if gpus >= shards else (cpus // shards, 0.0)
