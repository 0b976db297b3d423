"""Recorded exchanges with the real service: sent again to ours, they say what ours answers differently."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import yaml

from tenant import DOMAIN, Tenant

ROOT = Path(__file__).parents[3]
FIXTURES = Path(os.environ.get("RESCIND_FIXTURES") or ROOT.parent / "shared" / "fixtures")
FOLDER = FIXTURES / "auth0-recordings"

# What there is below /api/v2; a star is one segment. What is recorded elsewhere is not ours to answer.
PATHS = """
users users/* users-by-email users/*/roles users/*/permissions users/*/organizations users/*/groups users/*/logs
users/*/effective-roles users/*/effective-roles/sources/groups users/*/effective-permissions
users/*/effective-permissions/sources/effective-roles users/*/sessions users/*/refresh-tokens users/*/revoke-access
roles roles/* roles/*/permissions roles/*/users roles/*/groups resource-servers resource-servers/*
clients clients/* clients/*/rotate-secret client-grants client-grants/* client-grants/*/organizations
organizations organizations/* organizations/name/* organizations/*/members organizations/*/members/*/roles
organizations/*/members/*/effective-roles organizations/*/members/*/effective-roles/sources/groups
organizations/*/client-grants organizations/*/client-grants/* organizations/*/connections organizations/*/connections/*
organizations/*/enabled_connections organizations/*/enabled_connections/* organizations/*/invitations
organizations/*/invitations/* organizations/*/roles/*/members organizations/*/roles/*/groups organizations/*/groups
organizations/*/groups/*/roles connections connections/* groups groups/* groups/*/members groups/*/roles
user-blocks user-blocks/* sessions/* sessions/*/revoke refresh-tokens refresh-tokens/revoke refresh-tokens/*
grants grants/* logs logs/* tickets/password-change
"""
CONTRACT = re.compile("|".join(re.escape(path).replace(r"\*", "[^/]+") for path in PATHS.split()))

# The forms of ids that a server makes, each with the part of it that is its own.
GENERATED = re.compile(
    r"(?:rol_|org_|con_|cgr_|uinv_|grp_)([A-Za-z0-9]{14,22})|(?:auth0\|)?([0-9a-f]{24})|([A-Za-z0-9]{32})(?:@clients)?"
)
CLIENT = 3
CLIENTS = {"client_id", "clientID", "sub"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
INSTANTS = {"last_login", "last_password_reset", "last_exchanged_at", "date"}
ADDRESSES = {"picture", "invitation_url", "ticket"}
SECRETS = {"client_secret", "signing_secret", "ticket_id", "cert", "pkcs7", "subject"}

Json = Any


@dataclass(frozen=True)
class Exchange:
    """A request as a client sent it, and what the real service answered. `target` is the path with its query."""

    number: int
    method: str
    target: str
    body: str
    content_type: str
    status: int
    answer: str

    @property
    def cursor(self) -> str | None:
        """The `from` of the request."""
        return next(iter(parse_qs(urlsplit(self.target).query).get("from", [])), None)

    @property
    def is_ours(self) -> bool:
        """Whether the contract knows the path."""
        path = urlsplit(self.target).path
        return path.startswith("/api/v2/") and CONTRACT.fullmatch(path.removeprefix("/api/v2/")) is not None


@dataclass
class Replay:
    """One file sent to one node: what differs, and how many requests were skipped for which reason."""

    tenant: Tenant
    exchanges: list[Exchange]
    differences: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    _ids: dict[str, str] = field(default_factory=dict)
    _cursors: dict[str, str] = field(default_factory=dict)

    def run(self) -> "Replay":
        """Send everything in order."""
        for exchange in self.exchanges:
            if not exchange.is_ours:
                self.skipped["outside the contract"] += 1
            elif exchange.status == 429:
                self.skipped["the real service was busy"] += 1
            elif exchange.cursor is not None and exchange.cursor not in self._cursors:
                self.skipped["a cursor that was not issued here"] += 1
            else:
                self._repeat(exchange)
        return self

    def compare(self, recorded: Json, ours: Json, exchange: Exchange, key: str = "", at: str = "$") -> Iterator[str]:
        """Say every way in which our answer is not the recorded one, learning the ids that both made on the way."""
        if isinstance(recorded, dict) and isinstance(ours, dict):
            yield from self._compare_members(recorded, ours, exchange, at)
        elif isinstance(recorded, list) and isinstance(ours, list):
            if len(recorded) != len(ours):
                yield f"{at}: has {len(ours)} elements, should have {len(recorded)}: {ours!r}, {recorded!r}"
            for index, (one, other) in enumerate(zip(recorded, ours, strict=False)):
                yield from self.compare(one, other, exchange, key, f"{at}[{index}]")
        elif not self._is_same(recorded, ours, key):
            yield f"{at}: is {ours!r}, should be {recorded!r}"

    def _repeat(self, exchange: Exchange) -> None:
        self.sent += 1
        response = self.tenant.call(
            exchange.method,
            self._translated(exchange.target).removeprefix("/api/v2"),
            content=self._translated(exchange.body).encode(),
            headers={"Content-Type": exchange.content_type},
        )
        said = f"#{exchange.number} {exchange.method} {exchange.target}"
        if response.status_code != exchange.status:
            self.differences.append(f"{said}: {response.status_code}, should be {exchange.status}: {response.text}")
            return
        for difference in self._bodies(exchange, response):
            self.differences.append(f"{said}: {difference}")

    def _bodies(self, exchange: Exchange, response: httpx2.Response) -> Iterator[str]:
        if not exchange.answer.strip():
            if response.content:
                yield f"has a body, should have none: {response.text}"
            return
        try:
            ours = response.json()
        except ValueError:
            yield f"is no JSON: {response.text!r}"
            return
        yield from self.compare(json.loads(exchange.answer), ours, exchange)

    def _compare_members(
        self, recorded: dict[str, Json], ours: dict[str, Json], exchange: Exchange, at: str
    ) -> Iterator[str]:
        for name, value in recorded.items():
            if value is None:
                if ours.get(name) is not None:
                    yield f"{at}.{name}: should be absent, is {ours[name]!r}"
            elif name == "next":
                yield from self._compare_next(value, ours, exchange, at)
            elif name not in ours:
                yield f"{at}.{name}: is missing, should be {value!r}"
            else:
                yield from self.compare(value, ours[name], exchange, name, f"{at}.{name}")
        if at == "$" and "take=" in exchange.target and "next" in ours and "next" not in recorded:
            yield f"{at}.next: promises more where nothing is left"

    def _compare_next(self, recorded: str, ours: dict[str, Json], exchange: Exchange, at: str) -> Iterator[str]:
        if isinstance(cursor := ours.get("next"), str):
            self._cursors[recorded] = cursor
        elif self._leads_further(recorded, exchange):
            yield f"{at}.next: is missing, though there is more"

    def _leads_further(self, cursor: str, exchange: Exchange) -> bool:
        following = (later for later in self.exchanges[exchange.number + 1 :] if later.cursor == cursor)
        page = next(following, None)
        if page is None:
            return False
        answer = json.loads(page.answer)
        return any(isinstance(items, list) and items for items in answer.values())

    def _is_same(self, recorded: Json, ours: Json, key: str) -> bool:
        if type(recorded) is not type(ours):
            return False
        if not isinstance(recorded, str):
            return bool(recorded == ours)
        if key.endswith("_at") or key in INSTANTS:
            return INSTANT.fullmatch(ours) is not None
        if key in ADDRESSES:
            return ours.startswith("https://")
        if key in SECRETS:
            return bool(ours)
        return self._translated(recorded) == ours or self._learned(recorded, ours, key)

    def _learned(self, recorded: str, ours: str, key: str) -> bool:
        one, other = GENERATED.fullmatch(recorded), GENERATED.fullmatch(ours)
        if one is None or other is None or one.lastindex != other.lastindex:
            return False
        if one.lastindex == CLIENT and key not in CLIENTS:
            return False  # a name may well look like a client's id
        theirs, made = str(one[one.lastindex or 0]), str(other[other.lastindex or 0])
        if recorded.replace(theirs, "") != ours.replace(made, "") or theirs in self._ids or made in self._ids.values():
            return False
        self._ids[theirs] = made
        return True

    def _translated(self, text: str) -> str:
        """The text with our ids, our cursors and our domain in it. All at once: what was put in is not read again."""
        known = self._ids | self._cursors
        if not known:
            return text
        found = re.compile("|".join(re.escape(name) for name in sorted(known, key=len, reverse=True)))
        return found.sub(lambda match: known[match[0]], text)


def recorded(path: Path) -> list[Exchange]:
    """The exchanges of a file, in which the real domain is replaced by ours."""
    found = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["interactions"]
    if not found:
        return []
    domain = urlsplit(found[0]["request"]["url"]).netloc

    def exchange(number: int, request: dict[str, Json], response: dict[str, Json]) -> Exchange:
        url = urlsplit(request["url"])
        return Exchange(
            number,
            request["method"],
            f"{url.path}?{url.query}" if url.query else url.path,
            (request.get("body") or "").replace(domain, DOMAIN),
            next(iter((request.get("headers") or {}).get("Content-Type", [])), "application/json"),
            int(response.get("code") or str(response["status"]).split()[0]),
            (response.get("body") or "").replace(domain, DOMAIN),
        )

    return [exchange(number, one["request"], one["response"]) for number, one in enumerate(found)]
