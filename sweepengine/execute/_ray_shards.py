"""A pack that several Ray workers, its shards, advance together.

The driver reserves the CPUs of all shards at once by a placement group, so tasks never wait for each other's workers.
The task is the lead and starts the other shards as actors. Actors belong to the task that starts them: they end
with it, however it ends.
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
    """Reserve one CPU and `gpus` GPUs for each shard, for all shards or none, on as few machines as possible."""
    bundle = {"CPU": 1, "GPU": gpus} if gpus else {"CPU": 1}
    return ray.util.placement_group([bundle] * shards, strategy="PACK")


def placed(ray: Any, group: Any, rank: int) -> Any:
    """Return the scheduling strategy that runs a shard on its share of a reservation."""
    strategies = ray.util.scheduling_strategies
    return strategies.PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)


def advance_sharded(ray: Any, task: PackTask, is_leaving: Callable[[], bool]) -> Iterator[Event]:
    """Start the other shards of a pack, and advance the pack as their lead; ``is_leaving`` as for ``advance``.

    Raises
    ------
    ShardError
        Another shard has stopped; all shards end.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    from sweepengine.execute._pack import advance
    from sweepengine.execute._shards import Shards
    from sweepengine.particles import ShardError, ShardGroup

    here, group = ray.util.get_node_ip_address(), ray.util.get_current_placement_group()
    device = _own_device(task)
    on_gpu = int(device.type == "cuda")
    actor = ray.remote(num_cpus=1, num_gpus=on_gpu, max_restarts=0, max_task_retries=0)(_Shard)
    followers = [actor.options(scheduling_strategy=placed(ray, group, k)).remote() for k in range(1, task.workers)]
    try:
        addresses = ray.get([follower.address.remote(ray.util.get_node_ip_address) for follower in followers])
        # A socket of our own: torch would listen on every address of the machine.
        with socket.create_server((here, 0)) as server:
            port = server.getsockname()[1]
            meeting = TCPStore(
                here, port, task.workers, is_master=True, wait_for_workers=False, master_listen_fd=server.detach()
            )
        ends = [
            follower.follow.remote(task, rank, address, here, port)
            for rank, (follower, address) in enumerate(zip(followers, addresses, strict=True), start=1)
        ]
        try:
            with ShardGroup(0, task.workers, meeting, device=device, address=here) as shards:
                yield from advance(task, Shards(shards), is_leaving)
        except ShardError as error:
            raise ShardError(f"{error}; {_last_words(ray, ends)}") from error
    finally:
        for follower in followers:
            ray.kill(follower)


def _last_words(ray: Any, ends: list[Any]) -> str:
    """Return why the other shards have stopped, without those that stopped because they lost another shard."""
    from sweepengine.particles import ShardError

    said = []
    ended, _ = ray.wait(ends, num_returns=len(ends), timeout=_LAST_WORDS_SECONDS)
    for end in ended:
        try:
            ray.get(end)
        except Exception as error:  # noqa: BLE001 -- its text goes into the error that is raised
            cause = getattr(error, "cause", None) or error
            if not isinstance(cause, ShardError):
                said.append(f"shard {ends.index(end) + 1}: {type(cause).__name__}: {cause}")
    return "; ".join(said) or "the other shards say nothing"


class _Shard:
    """The actor of a shard that is not the lead."""

    def address(self, find: Callable[[], str]) -> str:
        """Return the address at which the other shards reach this one."""
        return find()

    def follow(self, task: PackTask, rank: int, address: str, host: str, port: int) -> None:
        """Carry out the lead's orders to the end."""
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        from sweepengine.execute._pack import follow
        from sweepengine.execute._shards import Shards
        from sweepengine.particles import ShardGroup

        meeting = TCPStore(host, port, task.workers, is_master=False, wait_for_workers=False)
        device = _own_device(task)
        with one_thread(), ShardGroup(rank, task.workers, meeting, device=device, address=address) as shards:
            follow(task, Shards(shards))


def _own_device(task: PackTask) -> torch.device:
    """Return the device of this shard; of the GPUs, Ray shows each shard its own alone, as number 0."""
    import torch

    from sweepengine.execute._device import pick_device

    device = pick_device(task.options.device)
    return torch.device("cuda", 0) if device.type == "cuda" else device
