"""Threads and arrays that outlive a pass: they change no number, and nothing that was possible without them."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import torch

from sweepengine import particles as pt

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

CLOUD = pt.gaussian_cloud(1, 60, 4)
INPUTS = pt.gaussian_cloud(2, 7, 3)
TARGETS = INPUTS[:, 0]


def risk(unit: pt.Neuron | None = None, inputs: Tensor = INPUTS) -> pt.Risk:
    return pt.Risk(unit or pt.Neuron(3, "tanh"), inputs, inputs[:, 0])


def test_an_error_leaves_a_pass_when_every_thread_has_ended() -> None:
    ended, begun = [], threading.Event()

    def work(chunk: slice) -> None:
        if chunk.start == 0:
            assert begun.wait(60)
            raise ValueError("the first chunk")
        begun.set()
        time.sleep(0.2)
        ended.append(chunk.start)

    with pytest.raises(ValueError, match="the first chunk"):
        pt.Partition(chunk=30, threads=2).each(60, work)
    assert ended == [30]


def test_a_pass_within_a_pass_ends() -> None:
    partition, here, found = pt.Partition(chunk=10, threads=2), risk(), []
    outputs = here.outputs(CLOUD, partition)

    def nested() -> None:
        found.append(partition.mean(60, lambda chunk: here.outputs(CLOUD, partition) * (chunk.stop - chunk.start)))

    thread = threading.Thread(target=nested, daemon=True)
    thread.start()
    thread.join(60)
    torch.testing.assert_close(found[0], outputs)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_has_threads_of_its_own() -> None:
    partition = pt.Partition(chunk=10, threads=2)
    outputs = risk().outputs(CLOUD, partition)
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # ends a child that waits for threads which it does not have
        os._exit(0 if torch.equal(risk().outputs(CLOUD, partition), outputs) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_threads_end_with_their_passes() -> None:
    before, partition = set(threading.enumerate()), pt.Partition(chunk=10, threads=2)
    risk().outputs(CLOUD, partition)
    own = set(threading.enumerate()) - before
    assert own
    del partition
    for thread in own:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])  # noqa: S301 -- ours
def test_what_has_been_used_can_be_copied(copied: Callable[[Any], Any]) -> None:
    here, partition = risk(), pt.Partition(chunk=10, threads=2)
    outputs = here.outputs(CLOUD, partition)
    assert torch.equal(copied(here).outputs(CLOUD, copied(partition)), outputs)
    assert (copied(here.unit), copied(partition)) == (here.unit, partition)


def test_a_unit_used_in_inference_mode_can_be_used_outside() -> None:
    here = risk()
    with torch.inference_mode():
        inside = here.outputs(CLOUD)
    assert torch.equal(here.outputs(CLOUD), inside)


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_outputs_have_a_gradient_that_is_the_pull(name: str) -> None:
    unit, cloud = pt.Neuron(3, name), CLOUD.clone().requires_grad_()
    here = risk(unit)
    [found] = torch.autograd.grad(here.outputs(cloud, pt.Partition(chunk=7)) @ TARGETS, cloud)
    pull = unit.pull(here.prepared, TARGETS)(CLOUD) / len(CLOUD)
    torch.testing.assert_close(found, pull)
    assert not torch.allclose(found, pull * 1.001)


@pytest.mark.parametrize("activation", ["relu", "gelu", lambda h: (h, torch.ones_like(h)), lambda h: (h * h / 2, h)])
def test_risks_that_share_a_unit_do_not_see_each_other(activation: Any) -> None:
    shared = pt.Neuron(3, activation)
    sizes = (5, 7)
    both = [risk(shared, INPUTS[:size]) for size in sizes]
    fields = [each.field(CLOUD, pt.Partition(chunk=16)) for each in both]
    chunks = (slice(0, 9), slice(9, 40), slice(40, 42))
    alternating = [[field.velocity(CLOUD[chunk]) for field in fields] for chunk in chunks]
    for chunk, pair in zip(chunks, alternating, strict=True):
        for size, found in zip(sizes, pair, strict=True):
            alone = risk(pt.Neuron(3, activation), INPUTS[:size])
            assert torch.equal(found, alone.field(CLOUD, pt.Partition(chunk=16)).velocity(CLOUD[chunk]))
