"""Sweeps of a model of the user's own: specs of networks whose section ``network`` names a registered model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from sweepengine.errors import shown
from sweepengine.plugins import canonical_model
from sweepengine.spec._architecture import Architecture
from sweepengine.spec._model import SweepSpec
from sweepengine.spec._run import Run
from sweepengine.spec._swept import axes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.plugins import CodeKind

_BESIDE_A_MODEL = frozenset({"model", "alpha", "centred"})
"""Fields of the section ``network`` that a spec of a model of the user's own may have."""


@dataclass(frozen=True)
class ModelRun(Run):
    """One run of a model of the user's own; its architecture names the model, and nothing is known of its layers."""

    @classmethod
    def reads(cls, content: dict[str, Any]) -> bool:
        """Whether these plain values are what ``to_json`` of this class returns."""
        return super().reads(content) and bool(content["architecture"]["model"])

    @property
    def activation(self) -> str:
        """``name@version`` of the model."""
        return self.architecture.model

    @property
    def limit_id(self) -> str:
        """Empty, because infinite width predicts nothing for a model of the user's own."""
        return ""

    @property
    def shares_turns(self) -> bool:
        """False, because users' code sees one network at a time."""
        return False


class ModelSpec(SweepSpec):
    """One sweep of a model of the user's own."""

    @classmethod
    def reads(cls, content: Mapping[str, Any]) -> bool:
        """Whether a mapping is meant as a spec of this kind."""
        network = content.get("network")
        return super().reads(content) and isinstance(network, dict) and network.get("model") is not None

    @property
    def model(self) -> str:
        """Name of the model, as the spec writes it."""
        return str(self.network.model)

    @model_validator(mode="after")
    def _one_kind_of_network(self) -> Self:
        axes = axes_of(type(self))
        foreign = [
            axis for axis in self.swept if axes[axis].path[0] == "network" and axes[axis].path[1] not in _BESIDE_A_MODEL
        ]
        fixed = self.network.model_fields_set - {axes[axis].path[1] for axis in foreign}
        strange = sorted(fixed - _BESIDE_A_MODEL)
        swept = [f"axes.{axis}" for axis in foreign]
        for path in [*(f"network.{field}" for field in strange), *swept]:
            raise ValueError(
                f"{path}: belongs to the fully connected network, and network.model names {shown(self.model)}; "
                "leave one of them out"
            )
        return self

    def architectures(self, weights: str = "") -> list[Architecture]:  # noqa: ARG002 -- a model draws its own
        """The one architecture: the model. Raises :class:`SpecError` if nobody has registered the model."""
        return [Architecture.of_model(canonical_model(self.model), centred=self.network.centred)]

    def users_parts(self) -> tuple[tuple[CodeKind, str], ...]:
        """Kind and ``name@version`` of the model."""
        return (("model", canonical_model(self.model)),)

    def unlike_steps(self) -> str:
        """See :class:`WholeSpec`: a user's module may do something else at every step."""
        return f"network.model {self.model!r}"

    def to_json(self) -> dict[str, Any]:
        """Plain values from which :func:`sweepengine.spec.make_spec` makes an equal spec."""
        content = super().to_json()
        return content | {"network": {k: v for k, v in content["network"].items() if k in _BESIDE_A_MODEL}}

    def agreed_settings(self, used: Sequence[Mapping[str, str]]) -> dict[str, tuple[Any, ...]]:
        """See :class:`WholeSpec`: the settings of a sweep of networks, and the version of the model."""
        versions = {f"{code['name']}@{code['version']}" for code in used if code["kind"] == "model"}
        return super().agreed_settings(used) | {"network.model": tuple(sorted(versions)) or (self.model,)}
