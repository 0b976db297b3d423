"""Registered APIs: what a scope of one is as a statement, and what a client was granted on one."""

import json
from dataclasses import dataclass
from functools import lru_cache

from rescind.model.conditions import Effect
from rescind.model.documents import Statement
from rescind.model.literals import literal

RESOURCE_TYPE = "resource_server"
SYSTEM_API = "urn:rescind:management"
"""The identifier, in the database and in decisions, of the API that manages this server.

Clients name it by the address under which they reach the server, which an operator may change.
"""


def scope_value(scope: str, identifier: str) -> str:
    """What is stored of a scope of the API with that identifier."""
    return json.dumps([scope, identifier], ensure_ascii=False, separators=(",", ":"))


def scope_of(value: str) -> str:
    """The scope that was stored so."""
    return str(json.loads(value)[0])


@lru_cache(maxsize=8192)
def statement_of_scope(value: str) -> Statement:
    """What a permission to a stored scope says: that action on that API, to the letter."""
    scope, identifier = json.loads(value)
    return Statement(Effect.ALLOW, (literal(scope),), (f"{RESOURCE_TYPE}:{literal(identifier)}",))


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What a client grant says besides its permissions. `subject` is `client` or `user`: on whose behalf it counts.

    `identifier` is that of the API; with `all_scopes` the grant holds each scope of it, now and later. `order` keeps
    the scopes as they were written; the others are None where they were not said.
    """

    identifier: str
    subject: str = "client"
    all_scopes: bool = False
    order: tuple[str, ...] = ()
    organization_usage: str | None = None
    any_organization: bool | None = None
    says_all_scopes: bool = False

    def stored(self) -> str:
        """The terms as text."""
        members = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def grant_terms(value: str) -> GrantTerms:
    """The terms that were stored so."""
    members = json.loads(value)
    return GrantTerms(**{**members, "order": tuple(members["order"])})


def statement_of_grant(value: str) -> Statement | None:
    """What a client grant says by itself: every scope of its API, if it was given them all."""
    terms = grant_terms(value)
    if not terms.all_scopes:
        return None
    return Statement(Effect.ALLOW, ("*",), (f"{RESOURCE_TYPE}:{literal(terms.identifier)}",))
