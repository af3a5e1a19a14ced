"""A sweep from its spec to its end: the runs of its axes, and the refinement that its section ``refine`` asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sweepengine.errors import about_file
from sweepengine.execute import Session
from sweepengine.plugins import install, read_plugin
from sweepengine.spec import as_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sweepengine.execute import Outcome, Progress
    from sweepengine.refine import Decided
    from sweepengine.spec import AnySpec


def run(
    spec: AnySpec | Mapping[str, Any] | str | Path,
    store: str | Path | None = None,
    *,
    plugins: Sequence[str | Path] = (),
    progress: Progress | None = None,
    decided: Callable[[Decided], None] | None = None,
    **options: Any,
) -> Outcome:
    """Run a sweep: compute the runs missing from its store, and refine it if its spec has a section ``refine``.

    Parameters
    ----------
    spec : AnySpec, mapping, or path of a YAML file
    store : str or Path, optional
        Local path or URL ending in ``.zarr``; ``results/<name>.zarr`` by default.
    plugins : sequence of str or Path
        Files of user code, executed here and on the workers before anything else; their top level registers models and
        observables, which the spec may then name. Code that this process has registered before needs no file.
    progress : Progress, optional
        Shows the progress of the sweep; by default nothing is shown.
    decided : callable, optional
        Hears each decision of the refinement before its runs are computed.
    **options
        How to run: the attributes of :class:`sweepengine.options.RunOptions` by name, such as ``executor="inline"``.

    Returns
    -------
    Outcome
        How the sweep ended; its numbers of runs include those that the refinement added. A sweep of which runs failed
        is not refined, and none is with ``retry_failed``.

    Raises
    ------
    SpecError, DataError, StoreError
        The sweep cannot be run as asked, or a plugin raised; nothing has been created. The section ``refine`` names no
        quantity that the sweep has an exponent of; the runs of the axes are done.
    RunError
        There is no such device or cluster, the device cannot multiply in the precision asked for, or another driver has
        taken the store over.
    """
    with Session(**options) as session:
        for path in plugins:
            install(read_plugin(path))
        read = as_spec(spec)
        with about_file(spec):
            outcome = session.run(read, store, progress=progress)
            if read.refine is None or outcome.failed or options.get("retry_failed"):
                return outcome
            from sweepengine.refine import rounds  # imports the analysis, which other sweeps do without

            for decision, added in rounds(session, outcome.store, read.refine, lambda _: progress):
                if added is not None:
                    outcome = _joined(outcome, added)
                elif decided is not None:
                    decided(decision)
    return outcome


def _joined(first: Outcome, added: Outcome) -> Outcome:
    """How two sweeps of one store ended that have no run in common."""
    counts = ("runs", "skipped", "done", "diverged", "failed")
    return replace(first, **{name: getattr(first, name) + getattr(added, name) for name in counts})
