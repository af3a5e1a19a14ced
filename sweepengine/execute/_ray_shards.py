"""A pack that several Ray workers advance together: a placement group reserves them, the task starts the others as actors.

All CPUs of a pack are reserved at once, so tasks never wait for each other's workers. Actors belong to the task that
starts them: they end with it, however it ends.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from sweepengine.execute._executor import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from sweepengine.execute._events import Event
    from sweepengine.execute._task import PackTask

_LAST_WORDS_SECONDS = 5.0


def reserve(ray: Any, shards: int, gpus: float) -> Any:
    """One CPU for each shard, and as many GPUs, all or none, on as few machines as can be."""
    bundle = {"CPU": 1, "GPU": gpus} if gpus else {"CPU": 1}
    return ray.util.placement_group([bundle] * shards, strategy="PACK")


def placed(ray: Any, group: Any, rank: int) -> Any:
    """Where a shard runs."""
    strategies = ray.util.scheduling_strategies
    return strategies.PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)


def advance_sharded(ray: Any, task: PackTask) -> Iterator[Event]:
    """Advance a pack as the lead of its shards, in the task that was placed first.

    Raises
    ------
    ShardError
        Another shard has stopped; all of them end.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    from sweepengine.execute._pack import advance
    from sweepengine.execute._shards import Shards
    from sweepengine.particles import ShardError, ShardGroup

    here, group = ray.util.get_node_ip_address(), ray.util.get_current_placement_group()
    device = _own_device(task)
    on_gpu = int(device.type == "cuda")
    actor = ray.remote(num_cpus=1, num_gpus=on_gpu, max_restarts=0, max_task_retries=0)(_Shard)
    others = [actor.options(scheduling_strategy=placed(ray, group, rank)).remote() for rank in range(1, task.workers)]
    try:
        addresses = ray.get([each.address.remote(ray.util.get_node_ip_address) for each in others])
        # A socket of our own: torch would listen on every address of the machine.
        with socket.create_server((here, 0)) as server:
            port = server.getsockname()[1]
            meeting = TCPStore(
                here, port, task.workers, is_master=True, wait_for_workers=False, master_listen_fd=server.detach()
            )
        done = [
            each.follow.remote(task, rank, address, here, port)
            for rank, (each, address) in enumerate(zip(others, addresses, strict=True), start=1)
        ]
        try:
            with ShardGroup(0, task.workers, meeting, device=device, address=here) as shards:
                yield from advance(task, Shards(shards))
        except ShardError as error:
            raise ShardError(f"{error}; {_last_words(ray, done)}") from error
    finally:
        for each in others:
            ray.kill(each)


def _last_words(ray: Any, done: list[Any]) -> str:
    """Why the other shards have stopped, those that only lost the others left out."""
    from sweepengine.particles import ShardError

    said = []
    ended, _ = ray.wait(done, num_returns=len(done), timeout=_LAST_WORDS_SECONDS)
    for each in ended:
        try:
            ray.get(each)
        except Exception as error:  # noqa: BLE001 -- told, beside the error that is raised
            cause = getattr(error, "cause", None) or error
            if not isinstance(cause, ShardError):
                said.append(f"shard {done.index(each) + 1}: {type(cause).__name__}: {cause}")
    return "; ".join(said) or "the other shards say nothing"


class _Shard:
    """An actor: one of the shards that are not the lead."""

    def address(self, find: Callable[[], str]) -> str:
        """Where the others can reach it."""
        return find()

    def follow(self, task: PackTask, rank: int, address: str, host: str, port: int) -> None:
        """Do what the lead says, to the end."""
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        from sweepengine.execute._pack import follow
        from sweepengine.execute._shards import Shards
        from sweepengine.particles import ShardGroup

        meeting = TCPStore(host, port, task.workers, is_master=False, wait_for_workers=False)
        device = _own_device(task)
        with one_thread(), ShardGroup(rank, task.workers, meeting, device=device, address=address) as shards:
            follow(task, Shards(shards))


def _own_device(task: PackTask) -> torch.device:
    """Where this shard computes: of the GPUs, Ray shows each the one that is its own."""
    import torch

    from sweepengine.execute._device import pick_device

    device = pick_device(task.options.device)
    return torch.device("cuda", 0) if device.type == "cuda" else device
