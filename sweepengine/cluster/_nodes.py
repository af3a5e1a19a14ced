"""Ask every node of a running cluster."""

from __future__ import annotations

import importlib
import logging
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sweepengine.cluster import _probe
from sweepengine.cluster._checks import Check
from sweepengine.cluster._machine import compare, judge, judge_clock
from sweepengine.execute import cannot_join, reach
from sweepengine.store import delete_token, open_address, write_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sweepengine.cluster._probe import Facts

_ANSWER_SECONDS = 120.0
"""Time that a node has to answer: a worker process starts there and imports PyTorch."""


def check_nodes(address: str, here: Facts, store: str = "") -> list[Check]:
    """The lines about all nodes of a cluster.

    Parameters
    ----------
    address : str
        Address by which this process joins the cluster, such as ``auto`` or ``head:6379``.
    here : Facts
        Of this machine, with which the nodes are compared.
    store : str
        Address of the store that every node must reach; empty for none.

    Raises
    ------
    ClusterError
        The cluster cannot be joined.
    """
    reach(address)
    with _joined(address) as ray, _shown(store) as token:
        nodes = ray.nodes()
        checks = []
        for node in nodes:
            if node["Alive"]:
                checks += _check_node(ray, node, here, store, token)
            else:
                cause = "it left, or was lost; the cluster goes on without it"
                checks.append(Check("warn", f"node {node['NodeManagerAddress']}", "dead", cause))
    return checks


@contextmanager
def _joined(address: str) -> Iterator[Any]:
    """Ray's module, while this process belongs to a cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray: Any = importlib.import_module("ray")
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True)
    except (Exception, SystemExit) as error:
        raise cannot_join(address, error) from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _shown(store: str) -> Iterator[str]:
    """A token that lies in a store meanwhile; empty if there is no store, or this machine cannot write it."""
    token = ""
    if store and not _probe.try_store(store):
        token = write_token(open_address(store, read_only=False))
    try:
        yield token
    finally:
        if token:
            delete_token(open_address(store, read_only=False), token)


def _check_node(ray: Any, node: dict[str, Any], here: Facts, store: str, token: str) -> list[Check]:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ray.cloudpickle.register_pickle_by_value(_probe)  # the node may have another version of this package, or none
    there = {
        "num_cpus": 0,
        "max_retries": 0,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
    }
    try:
        asked = ray.remote(**there)(_probe.probe).remote(store, token)
        facts: Facts = ray.get(asked, timeout=_ANSWER_SECONDS)
        skew, uncertainty = _skew(ray, ray.remote(**there)(_probe.clock))
    except Exception as error:  # noqa: BLE001 -- one node must not hide the others
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        cure = "see the logs of Ray on that node, and `ray status`"
        return [Check("fail", f"node {node['NodeManagerAddress']}", f"does not answer ({said})", cure)]
    finally:
        ray.cloudpickle.unregister_pickle_by_value(_probe)
    return [
        *judge(facts, store=store, ray_gpus=node["Resources"].get("GPU", 0.0)),
        *compare(facts, here),
        judge_clock(facts["host"], skew, uncertainty),
    ]


def _skew(ray: Any, clock: Any) -> tuple[float, float]:
    """How far a node's clock is ahead of ours in seconds, and how uncertain that is: half of the way there and back."""
    best = (0.0, float("inf"))
    for _ in range(3):
        before = time.time()
        there = ray.get(clock.remote(), timeout=_ANSWER_SECONDS)
        after = time.time()
        if (after - before) / 2 < best[1]:
            best = (there - (before + after) / 2, (after - before) / 2)
    return best
