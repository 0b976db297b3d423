"""The composition root: settings → store → service → doors, one ASGI application."""

import asyncio
import gc
import os
import re
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio.to_thread
import uvloop

from rescind.api import metrics
from rescind.api.auth0.face import AUTHENTICATION, MANAGEMENT
from rescind.api.authzen import face as authzen
from rescind.api.body import App, Message, Receive, Scope, Send
from rescind.api.cursors import Cursors
from rescind.api.draining import Draining
from rescind.api.mail import Mail
from rescind.api.native.face import DOOR as NATIVE
from rescind.api.probes import probes
from rescind.api.vultr.face import DOOR as VULTR
from rescind.api.vultr.sts import DOOR as STS
from rescind.engine.activity import Activity
from rescind.engine.decisions import Decisions
from rescind.engine.freshness import Freshness
from rescind.engine.kept import Touches
from rescind.engine.pulse import Pulse
from rescind.logs import configure_logs
from rescind.management import ENDING_SECONDS_MAX, Management, serve
from rescind.secret_key import secret_key
from rescind.settings import Settings
from rescind.store.database import Database
from rescind.store.engines import engine_for
from rescind.store.logins import Logins
from rescind.usecases.issuer import Issuer
from rescind.usecases.requirements import Acting
from rescind.usecases.service import Service
from rescind.usecases.vault import Vault
from rescind.usecases.verbs import Verbs, verbs_of

DOORS = (STS, VULTR, NATIVE, MANAGEMENT, AUTHENTICATION)
"""Every face; where two have a path in common, the first has it."""


@dataclass(frozen=True, slots=True)
class Node:
    """One process of Rescind, put together."""

    store: Database
    freshness: Freshness
    service: Service
    decisions: Decisions
    activity: Activity
    mail: Mail
    logins: Logins
    settings: Settings


def build(settings: Settings) -> Node:
    """Put a node together on a database that has this version's schema."""
    store = Database(engine_for(settings.database))
    freshness = Freshness(store, metrics.FRESHNESS_SECONDS.observe)
    decisions = decisions_of(store, freshness)
    activity = Activity(store)
    issuer = Issuer(settings.reached_at.rstrip("/") + "/", Vault(secret_key(settings)))
    service = Service(
        store,
        freshness,
        issuer,
        faithful_grants=settings.faithful_grants,
        used=activity.note,
        foresee=decisions.foresee,
    )
    mail = Mail.at(settings.smtp_url, settings.mail_from, settings.reached_at)
    return Node(store, freshness, service, decisions, activity, mail, Logins(store), settings)


def decisions_of(store: Database, freshness: Freshness) -> Decisions:
    """The engine of a node on its store."""
    touches = Touches()
    return Decisions(store, Pulse(store, freshness, touches, is_near=store.engine.is_near), touches)


def application(node: Node, management: Management | None = None) -> App:
    """The node as one ASGI application: each face under its prefix, the probes for everything else.

    What is not about decisions is for `management`, if that is given.
    """
    cursors = Cursors(node.store.head().database)
    parts = {
        "rescind.service": node.service,
        "rescind.cursors": cursors,
        "rescind.mail": node.mail,
        "rescind.logins": node.logins,
        "rescind.settings": node.settings,
        "rescind.verbs": VERBS,
    }
    decide = authzen.AuthZen(authzen.Parts(node.store, node.decisions, cursors, node.service.issuer, catalogue()))
    places: list[tuple[str, App]] = [(authzen.PREFIX, decide), (authzen.METADATA, decide)]
    for door in DOORS:
        face = door.open(parts)
        if management is not None:
            face = management.before(face)
        places += [(place, face) for place in (door.prefix, *door.places)]
    faces = [(place, f"{place}/", face) for place, face in places]
    draining = Draining()
    rest = probes(node.freshness, draining)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            draining.begin_with_signal()
            await _live(node, management, receive, send)
            return
        send, path = draining.sender(send), scope["path"]
        for place, below, face in faces:
            if path.startswith(below) or path == place:
                await face(scope, receive, send)
                return
        await rest(scope, receive, send)

    return app


def _verbs() -> Verbs:
    """What every door can do, by its name in the log."""
    rows = [row for door in DOORS for row in door.operations if not row.is_preview]
    named = [(row, re.search(r"{(\w+?)(_id)?}", row.path)) for row in rows]
    found = [(row.usecase, row.requires, match.group(1) if match else "") for row, match in named]
    return verbs_of(found)


VERBS = _verbs()


def catalogue() -> dict[str, set[str]]:
    """The actions of our own doors, by the type of resource that they are about."""
    known: dict[str, set[str]] = {}
    for row in (row for door in DOORS for row in door.operations):
        if row.requires.acting not in (Acting.PLATFORM, Acting.WITHIN):
            known.setdefault(row.requires.on, set()).update(action for group in row.requires.any_of for action in group)
    return known


def create() -> App:
    """What the server calls in each of its processes."""
    configure_logs()
    settings = Settings.handed_over()
    node = build(settings)
    app = application(node, Management(MANAGE, node.freshness) if settings.management_process else None)
    _favour_decisions()
    return app


MANAGE = "rescind.app:manage"
"""What a process does that is for management calls."""


def manage(descriptor: int) -> None:
    """Answer management calls that come through a socket, until its other side ends: that also ends this process."""
    configure_logs()
    node = build(Settings.handed_over())

    async def live() -> None:
        async with _alive(node):
            await serve(descriptor, application(node), node.freshness)
            # Nobody else would end it if something hangs.
            end = threading.Timer(ENDING_SECONDS_MAX, os._exit, (1,))
            end.daemon = True
            end.start()

    uvloop.run(live())


_SWITCH_SECONDS = 0.0005
"""For so long a call of the management API may hold up decisions at a time."""


def _favour_decisions() -> None:
    """Let threads hold the loop up for shorter times, and the collector of circles look less often.

    It does not look among what was there at the start: with much kept, each look is a pause.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


async def _live(node: Node, management: Management | None, receive: Receive, send: Send) -> None:
    """Begin and end with the server."""
    message: Message = await receive()
    assert message["type"] == "lifespan.startup"
    async with _alive(node):
        if management is not None:
            management.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if management is not None:
            await management.stop()
    await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def _alive(node: Node) -> AsyncIterator[None]:
    """A node at work. A handler must never wait for a connection that other handlers hold."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = node.store.engine.connections_max - 1
    node.activity.start()
    settling = asyncio.create_task(metrics.settling())
    yield
    settling.cancel()
    node.mail.close()
    await anyio.to_thread.run_sync(node.activity.stop)
    node.decisions.pulse.close()
    node.store.close()
