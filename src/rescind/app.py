"""A node behind its doors: one ASGI application, and what the server does with it in each of its processes."""

import asyncio
import gc
import os
import re
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
import uvloop

from rescind.api import metrics
from rescind.api.auth0.face import AUTHENTICATION, MANAGEMENT
from rescind.api.authzen import face as authzen
from rescind.api.body import App, Message, Receive, Scope, Send
from rescind.api.cursors import Cursors
from rescind.api.draining import Draining
from rescind.api.native.face import DOOR as NATIVE
from rescind.api.probes import probes
from rescind.api.vultr.face import DOOR as VULTR
from rescind.api.vultr.sts import DOOR as STS
from rescind.fork_server import ENDING_SECONDS_MAX, ForkServer, call_process
from rescind.logs import configure_logs
from rescind.management import Management, serve
from rescind.node import Node, build
from rescind.settings import Settings
from rescind.usecases.requirements import Acting
from rescind.usecases.verbs import Verbs, verbs_of

DOORS = (STS, VULTR, NATIVE, MANAGEMENT, AUTHENTICATION)
"""Every face; where two have a path in common, the first has it."""


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


def prepare() -> None:
    """Make, in a process that will fork others, what they share."""
    for door in DOORS:
        door.prepare()
    gc.collect()
    # Whoever looks for circles among what all have would no longer share it.
    gc.freeze()


def create(settings: Settings, forks: ForkServer | None = None) -> App:
    """What the server calls in each of its processes. With a fork server another one is for management calls."""
    configure_logs()
    node = build(settings)
    app = application(node, Management(forks, node.freshness) if forks is not None else None)
    _favour_decisions()
    return app


def manage(settings: Settings, descriptor: int) -> None:
    """Answer management calls that come through a socket, until its other side ends: that also ends this process."""
    call_process("rescind-manages")
    configure_logs()
    node = build(settings)

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
