"""A simulated cluster with a store in a bucket, as a program: S3 behind a proxy, and a head with nodes of Ray.

It reads orders as lines of JSON, `[name, arguments …]`, and answers each by a line of JSON. So threads and Ray stay out
of the process of a case, which forks.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from tests.support.object_stores import Proxy

ROOT = Path(__file__).resolve().parents[2]
NODES = 2
_BYTES = 80 * 2**20
"""Of Ray's object store on every node; tasks do not use it."""


class Stage:
    """What stands, and what may happen to it.

    Parameters
    ----------
    proxy : Proxy
    port : int
        Of the head.
    """

    def __init__(self, proxy: Proxy, port: int) -> None:
        self._proxy, self._port, self._made = proxy, port, 0
        self.restart()

    def restart(self) -> str:
        """Start a head at the same port, which has no CPUs, and nodes of one CPU; return the address."""
        from ray.cluster_utils import Cluster

        head = {
            "num_cpus": 0,
            "gcs_server_port": self._port,
            "node_ip_address": "127.0.0.1",
            "object_store_memory": _BYTES,
        }
        self._cluster = Cluster(initialize_head=True, head_node_args=head | {"include_dashboard": False})
        for _ in range(NODES):
            self.add_node({})
        return str(self._cluster.address)

    def add_node(self, settings: dict[str, str]) -> None:
        """Add a node of one CPU, with environment variables of its own."""
        self._made += 1
        address, saved = f"127.0.0.{1 + self._made}", dict(os.environ)
        os.environ |= settings
        try:
            self._cluster.add_node(
                num_cpus=1, node_ip_address=address, object_store_memory=_BYTES, include_dashboard=False
            )
        finally:
            os.environ.clear()
            os.environ.update(saved)

    def lose_node(self, *, raylet_alone: bool) -> None:
        """SIGKILL what a node has started, or its raylet, in which Ray's object store is."""
        self._lose(min(self._cluster.worker_nodes, key=lambda node: str(node.node_ip_address)), raylet_alone)

    def lose_head(self) -> None:
        """SIGKILL what the head has started; the nodes find that out by themselves."""
        self._lose(self._cluster.head_node, raylet_alone=False)

    def _lose(self, node: Any, raylet_alone: bool) -> None:
        names = ["raylet"] if raylet_alone else list(node.all_processes)
        roots = [psutil.Process(each.process.pid) for name in names for each in node.all_processes[name]]
        family = [] if raylet_alone else [child for each in roots for child in each.children(recursive=True)]
        for each in [*roots, *family]:
            with contextlib.suppress(psutil.Error):
                each.kill()
        with contextlib.suppress(Exception):  # of a dead node Ray has much to say
            self._cluster.remove_node(node, allow_graceful=False)

    def seen(self, method: str, part: str) -> int:
        """How many requests with a method have had a text in their path."""
        return sum(found == method and part in path for found, path in self._proxy.requests)

    def weather(self, settings: dict[str, float]) -> None:
        """Set attributes of the proxy."""
        for name, value in settings.items():
            setattr(self._proxy, name, value)

    def close(self) -> None:
        """End the nodes."""
        with contextlib.suppress(Exception):
            self._cluster.shutdown()


def main() -> None:
    """Set the stage up in the current folder, and carry out orders until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints
    sys.path.insert(0, str(ROOT))
    from tests.support.object_stores import Proxy, free_port, new_bucket, s3_server, settings_of

    with s3_server() as server:
        proxy = Proxy(server)
        settings = settings_of(proxy.port)
        os.environ |= settings
        stage, bucket, port = None, new_bucket(server), free_port()
        try:
            stage = Stage(proxy, port)
            said: Any = {"bucket": bucket, "address": f"127.0.0.1:{port}", "settings": settings}
            print(json.dumps(said), file=answers, flush=True)
            for line in sys.stdin:
                name, arguments = json.loads(line)
                print(json.dumps(getattr(stage, name)(**arguments)), file=answers, flush=True)
        finally:
            if stage is not None:
                stage.close()
            proxy.close()


if __name__ == "__main__":
    main()
