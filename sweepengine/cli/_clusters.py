"""The commands for clusters and their options, as Typer reads them."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from sweepengine.cli._annotations import AddressOption, PluginOption, SetOption, SpecArgument, option, with_options
from sweepengine.cli._app import app
from sweepengine.options import OF_PRIVATE_CLUSTERS

JobArgument = Annotated[
    str, typer.Argument(metavar="STORE|JOB", help="A store, of which the newest job is meant; or the id of a job.")
]
FollowOption = Annotated[bool, typer.Option("--follow", help="Print what the job prints until it is over.")]


@app.command()
@with_options(
    inspect.Parameter("spec", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=SpecArgument),
    inspect.Parameter("address", inspect.Parameter.KEYWORD_ONLY, annotation=AddressOption),
    inspect.Parameter(
        "store",
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[
            str, typer.Option(metavar="URL", help="A store that every machine of the cluster can write.")
        ],
    ),
    option("settings", SetOption, None),
    option("plugin", PluginOption, None),
    option("follow", FollowOption, False),
    is_run=True,
    without=OF_PRIVATE_CLUSTERS,
)
def submit(
    spec: str,
    *,
    address: str,
    store: str,
    settings: list[str] | None,
    plugin: list[str] | None,
    follow: bool,
    **options: Any,
) -> None:
    """Run a sweep on a cluster by a job; the same sweep again attaches to the job that runs it."""
    from sweepengine.cli._jobs import submit_command
    from sweepengine.cli._sweep import Sweep

    sweep = Sweep(spec, settings or (), plugin or (), store)
    raise typer.Exit(submit_command(sweep, address, store, options, follow=follow))


@app.command()
def logs(job: JobArgument, *, address: AddressOption, follow: FollowOption = False) -> None:
    """Print what a job has printed; with --follow until it is over, with its exit code."""
    from sweepengine.cli._jobs import logs_command

    raise typer.Exit(logs_command(job, address, follow=follow))


@app.command()
def cancel(job: JobArgument, *, address: AddressOption) -> None:
    """Stop a job: its driver commits what it has and leaves."""
    from sweepengine.cli._jobs import cancel_command

    cancel_command(job, address)


@app.command()
def doctor(
    *,
    cluster: Annotated[
        str, typer.Option("--cluster", metavar="FILE", help="A cluster file, for `ray up`.", show_default=False)
    ] = "",
    address: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="A running cluster: auto, head:6379, or its dashboard http://head:8265.",
            show_default=False,
        ),
    ] = "",
    store: Annotated[
        str, typer.Option(metavar="URL", help="A store that this machine and all nodes must reach.", show_default=False)
    ] = "",
) -> None:
    """Say what would keep a sweep from running here, or on a cluster, and the cure; exit code 1 if anything fails."""
    from sweepengine.cli._doctor import doctor_command

    raise typer.Exit(doctor_command(cluster, address, store))


cluster = typer.Typer(help="What a cluster needs.", no_args_is_help=True)
app.add_typer(cluster, name="cluster")


@cluster.command()
def token() -> None:
    """Make the token that clusters ask for, for your eyes alone, unless there is one."""
    from sweepengine.cli._doctor import token_command

    token_command()
