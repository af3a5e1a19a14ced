"""The kinds of sweeps: which spec and which run each has."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from sweepengine.spec._model import SweepSpec
from sweepengine.spec._particle_run import ParticleRun
from sweepengine.spec._particles import ParticleSpec
from sweepengine.spec._run import Run

AnySpec = SweepSpec | ParticleSpec
AnyRun = Run | ParticleRun

SPECS: dict[str, type[AnySpec]] = {"networks": SweepSpec, "particles": ParticleSpec}
"""What a spec's key ``kind`` may say; without it the spec is one of networks."""


def run_from_json(content: dict[str, Any]) -> AnyRun:
    """The run that ``to_json`` of either kind made these plain values of."""
    return ParticleRun.from_json(content) if content.get("kind") == ParticleRun.kind else Run.from_json(content)


def spec_schema() -> dict[str, Any]:
    """JSON schema of a spec of any kind, for editors."""
    return TypeAdapter(AnySpec).json_schema()
