"""Effective permissions: every statement that reaches a principal, each with every path to it."""

from dataclasses import dataclass

from rescind.decision.snapshot import Path, Snapshot
from rescind.model.documents import Statement


@dataclass(frozen=True, slots=True)
class EffectivePermission:
    """One statement (`index` from 0) of one policy or permission, by key, and the paths by which it is held."""

    policy: int
    index: int
    statement: Statement
    paths: tuple[Path, ...]


def effective_permissions(snapshot: Snapshot) -> list[EffectivePermission]:
    """All statements that reach the principal. States and root ownership are not looked at: see `decide`."""
    paths: dict[int, list[Path]] = {}
    for reach in snapshot.reaches:
        paths.setdefault(reach.policy, []).append(reach.path)
    return [
        EffectivePermission(policy, index, statement, tuple(found))
        for policy, found in paths.items()
        for index, statement in enumerate(snapshot.statements(policy))
    ]
