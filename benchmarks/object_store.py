"""The time of a sweep in a bucket of S3 against the time on the local disk, and its requests.

    make s3-server && python benchmarks/object_store.py [SPEC] [--delay-ms 20] [--repeats 5] [--cores CHILD,SERVER]
                                                         [--only {sweep,command}]

The server is moto's, on loopback behind a proxy that counts requests and makes each wait. Every row is from two
processes: on the disk, then the same in a bucket. The first table has a sweep of the in-process executor, timed from
spec to finished store without imports; the second the whole command ``sweepengine run``, as a user types it: imports,
Ray's start and end, the sweep and the report. The ratio is of the medians. Server and proxy need a core of their own to
stand for a machine far away; ``--cores 0,1`` (Linux) gives them one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
CHILD = """
import sys, time, sweepengine
start = time.perf_counter()
sweepengine.run(*sys.argv[1:], executor="inline")
print(time.perf_counter() - start)
"""


def sweep_seconds(spec: str, store: str, environment: dict[str, str], core: str) -> float:
    """Return the seconds of a sweep in a process of its own, which has imported everything."""
    return float(output(["-c", CHILD, spec, store], environment, core))


def command_seconds(spec: str, store: str, environment: dict[str, str], core: str) -> float:
    """Return the seconds of the command ``run``."""
    start = time.perf_counter()
    output(["-m", "sweepengine", "run", spec, "--store", store], environment, core)
    return time.perf_counter() - start


def output(words: list[str], environment: dict[str, str], core: str) -> str:
    """Return what Python prints, started with some words on a core."""
    pinned = ["taskset", "-c", core] if core else []
    settings = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run([*pinned, sys.executable, *words], capture_output=True, text=True, check=True, env=settings)
    return done.stdout


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", default=str(ROOT / "jobs" / "quickstart.yaml"))
    parser.add_argument("--delay-ms", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cores", default=",")
    parser.add_argument("--only", choices=("sweep", "command"))
    options = parser.parse_args()
    sys.path.append(str(ROOT))  # the server and the proxy are those of the tests
    from tests.support.object_stores import Proxy, new_bucket, s3_server, settings_of

    of_child, of_server = options.cores.split(",")
    if of_server:
        os.sched_setaffinity(0, {int(of_server)})
    with s3_server() as port, tempfile.TemporaryDirectory() as folder:
        proxy = Proxy(port)
        proxy.delay = options.delay_ms / 1000
        bucket, environment = new_bucket(port), settings_of(proxy.port)
        spec = str(Path(options.spec).resolve())
        os.chdir(folder)  # the reports of buckets lie below the folder at hand
        tables: dict[str, Callable[[str, str, dict[str, str], str], float]]
        tables = {"sweep": sweep_seconds, "command": command_seconds}
        for name, seconds in tables.items():
            if options.only not in (None, name):
                continue
            local: list[float] = []
            remote: list[float] = []
            print(f"{name:>10}{'local s':>10}{'bucket s':>10}{'requests':>10}")
            for number in range(options.repeats):
                proxy.requests.clear()
                local.append(seconds(spec, f"{folder}/{name}-{number}.zarr", {}, of_child))
                remote.append(seconds(spec, f"s3://{bucket}/{name}-{number}.zarr", environment, of_child))
                print(f"{'':10}{local[-1]:10.2f}{remote[-1]:10.2f}{len(proxy.requests):10}", flush=True)
            print(f"bucket / local: {statistics.median(remote) / statistics.median(local):.2f}", flush=True)
        proxy.close()


if __name__ == "__main__":
    main()
