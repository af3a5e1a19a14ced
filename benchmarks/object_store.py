"""The time of a sweep in a bucket of S3 against the time on the local disk, and its requests.

    make s3-server && python benchmarks/object_store.py [SPEC] [--delay-ms 20] [--repeats 5] [--cores CHILD,SERVER]

The server is moto's, on loopback behind a proxy that counts requests and makes each wait. Every row is from two
processes: a sweep of the in-process executor on the disk, then the same in a bucket, timed from spec to finished store
without imports. The ratio is of the medians. Server and proxy need a core of their own to stand for a machine far away;
``--cores 0,1`` (Linux) gives them one.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sweepengine

ROOT = Path(__file__).parent.parent


def child(spec: str, store: str) -> None:
    """Run a sweep and print its seconds."""
    start = time.perf_counter()
    sweepengine.run(spec, store, executor="inline")
    print(time.perf_counter() - start)


def seconds(spec: str, store: str, environment: dict[str, str], core: str) -> float:
    """Return the seconds of a sweep in a process of its own."""
    pinned = ["taskset", "-c", core] if core else []
    command = [*pinned, sys.executable, __file__, "--child", spec, store]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}
    )
    return float(said.stdout)


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", default=str(ROOT / "jobs" / "quickstart.yaml"))
    parser.add_argument("--delay-ms", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cores", default=",")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    sys.path.append(str(ROOT))  # the server and the proxy are those of the tests
    from tests.support.object_stores import Proxy, new_bucket, s3_server, settings_of

    of_child, of_server = options.cores.split(",")
    if of_server:
        os.sched_setaffinity(0, {int(of_server)})
    with s3_server() as port, tempfile.TemporaryDirectory() as folder:
        proxy = Proxy(port)
        proxy.delay = options.delay_ms / 1000
        bucket, environment = new_bucket(port), settings_of(proxy.port)
        local: list[float] = []
        remote: list[float] = []
        print(f"{'local s':>10}{'bucket s':>10}{'requests':>10}")
        for number in range(options.repeats):
            proxy.requests.clear()
            local.append(seconds(options.spec, f"{folder}/{number}.zarr", {}, of_child))
            remote.append(seconds(options.spec, f"s3://{bucket}/{number}.zarr", environment, of_child))
            print(f"{local[-1]:10.2f}{remote[-1]:10.2f}{len(proxy.requests):10}", flush=True)
        proxy.close()
    print(f"bucket / local: {statistics.median(remote) / statistics.median(local):.2f}")


if __name__ == "__main__":
    main()
