"""A cluster file against Ray's own schema, and against what that misses and `ray up` would find out too late."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sweepengine.cluster._checks import Check, judged
from sweepengine.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROVIDERS: dict[str, tuple[str, ...]] = {
    "aws": ("region",),
    "gcp": ("region", "availability_zone", "project_id"),
    "azure": ("location", "resource_group"),
    "vsphere": (),
    "aliyun": ("region",),
    "local": ("head_ip", "worker_ips"),
    "external": ("module",),
    "kuberay": (),
    "spark": (),
    "fake_multinode": (),
    "fake_multinode_docker": (),
    "readonly": (),
}
"""Provider of Ray's → the settings without which it starts no machine."""
_TOKEN_AT = "~/.ray/auth_token"  # noqa: S105 -- a path


def check_file(path: str | Path) -> list[Check]:
    """Look a cluster file through. Nothing is started and nobody is asked.

    Parameters
    ----------
    path : str or Path
        A file for ``ray up``. Its local paths are relative to the current folder, as Ray takes them.
    """
    subject = f"file {path}"
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        return [Check("fail", subject, f"cannot be read: {error}", "name a cluster file, such as cluster.yaml")]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return [Check("fail", subject, f"is no YAML: {' '.join(str(error).split())}", "mend the line that is named")]
    wrong = list(_against_schema(content))
    if wrong:
        return [Check("fail", subject, each, "mend it; `ray up` refuses the file") for each in wrong]
    checks = [Check("pass", subject, "agrees with Ray's schema")]
    for part in (_provider, _node_types, _paths, _token):
        checks += part(content)
    return checks


def _against_schema(content: Any) -> Iterator[str]:
    import jsonschema

    # Found and not imported: in a process that has imported Ray without our settings no private cluster starts.
    found = importlib.util.find_spec("ray")
    if found is None or found.origin is None:
        yield "cannot be compared with Ray's schema, because ray is not installed"
        return
    schema = json.loads((Path(found.origin).parent / "autoscaler" / "ray-schema.json").read_text(encoding="utf-8"))
    for error in jsonschema.Draft7Validator(schema).iter_errors(content):
        place = ".".join(str(part) for part in error.absolute_path)
        yield f"{place or 'the whole'}: {error.message}"


def _provider(content: dict[str, Any]) -> list[Check]:
    provider = content["provider"]
    kind = provider["type"]
    if kind not in _PROVIDERS:
        near = did_you_mean(kind, _PROVIDERS)
        return [Check("fail", "provider.type", f"found {kind!r}.{near}", f"Ray knows {', '.join(_PROVIDERS)}")]
    checks = [
        Check("fail", f"provider.{name}", "missing", f"{kind} needs it: add provider.{name}")
        for name in _PROVIDERS[kind]
        if not provider.get(name)
    ]
    if kind == "local":
        machines, most = len(provider.get("worker_ips") or ()), content.get("max_workers", 0)
        if most < machines:
            checks.append(
                Check("warn", "max_workers", f"{most}, with {machines} workers named", f"set max_workers: {machines}")
            )
    return checks or [Check("pass", "provider", kind)]


def _node_types(content: dict[str, Any]) -> list[Check]:
    types = content.get("available_node_types")
    head = content.get("head_node_type")
    if not types:
        needed = content["provider"]["type"] not in {"local", "external", "readonly"}
        cure = "add available_node_types and head_node_type, as cluster.yaml has them" if needed else ""
        return [judged("available_node_types", "missing", warn=cure)] if needed else []
    checks = []
    if head not in types:
        found = f"found {head!r}.{did_you_mean(head, types)}" if head else "missing"
        checks.append(Check("fail", "head_node_type", found, f"name one of {', '.join(types)}"))
    most, least = content.get("max_workers", 2), 0
    for name, node in types.items():
        low, high = node.get("min_workers", 0), node.get("max_workers", most)
        least += low
        if low > high:
            found = f"min_workers {low} is more than max_workers {high}"
            checks.append(Check("fail", f"node type {name}", found, "lower the one or raise the other"))
        if name != head and high == 0:
            checks.append(
                Check("warn", f"node type {name}", "max_workers 0: never started", "raise it, or remove the type")
            )
        if high > most:
            found = f"max_workers {high}, and of all types together {most}"
            checks.append(Check("warn", f"node type {name}", found, f"raise max_workers of the file to {high}"))
    if least > most:
        found = f"{most}, and the types' min_workers are {least} together"
        checks.append(Check("fail", "max_workers", found, f"raise it to {least}, or lower min_workers"))
    return checks or [Check("pass", "node types", ", ".join(types))]


def _paths(content: dict[str, Any]) -> list[Check]:
    """The local files that travel must be there."""
    mounts = dict(content.get("file_mounts") or {})
    missing = {at: path for at, path in mounts.items() if not Path(str(path)).expanduser().exists()}
    checks = []
    for at, path in missing.items():
        cure = "make it: sweepengine cluster token" if at == _TOKEN_AT else "make it, or run this where it is"
        checks.append(Check("fail", f"file_mounts {at}", f"{path} is not on this machine", cure))
    key = (content.get("auth") or {}).get("ssh_private_key")
    if key and not Path(key).expanduser().exists():
        checks.append(Check("fail", "auth.ssh_private_key", f"{key} is not on this machine", "name your key's file"))
    return checks or [Check("pass", "files", f"{len(mounts)} that travel are here")]


def _token(content: dict[str, Any]) -> list[Check]:
    checks = []
    for which in ("head_start_ray_commands", "worker_start_ray_commands"):
        starts = [each for each in content.get(which) or () if "ray start" in each]
        if not all("RAY_AUTH_MODE=token" in each for each in starts) or not starts:
            cure = "put RAY_AUTH_MODE=token before `ray start`, as cluster.yaml does"
            found = "ray starts without a token: who reaches the head may run programs"
            checks.append(Check("warn", which, found, cure))
    if not checks and _TOKEN_AT not in (content.get("file_mounts") or {}):
        cure = f'mount it: file_mounts: {{"{_TOKEN_AT}": "{_TOKEN_AT}"}}'
        checks.append(Check("fail", "token", "RAY_AUTH_MODE=token, and no machine is given a token", cure))
    return checks or [Check("pass", "token", "mounted on every machine")]
