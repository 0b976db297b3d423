"""Draining: a node that is told to end answers on for a moment, and sends its clients elsewhere.

An idle connection that a client keeps alive cannot be ended without the risk that a request is on its way. So each that
is still used is ended with an answer that says so; and the node says that it is not ready any more.
"""

import asyncio
import signal
import threading
from collections.abc import Awaitable
from typing import Any

from rescind.api.body import Message, Send

DRAIN_SECONDS = 1.0
"""For so long requests are answered after the node was told to end."""


class Draining:
    """Whether the node has been told to end."""

    def __init__(self) -> None:
        self.is_on = False

    def begin_with_signal(self) -> None:
        """Let SIGTERM begin it, and only afterwards do what it did.

        It may come twice, to the group and from the parent. To be called in the event loop of the server; where that
        does not run in the main thread, signals are not its business.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        loop, end = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
        if not callable(end):
            return

        def told(number: int, _: Any) -> None:
            if not self.is_on:
                self.is_on = True
                loop.call_soon_threadsafe(loop.call_later, DRAIN_SECONDS, end, number, None)

        signal.signal(signal.SIGTERM, told)

    def sender(self, send: Send) -> Send:
        """Sends as that does; what is sent when the node is about to end is the last answer of its connection."""

        def sending(message: Message) -> Awaitable[None]:
            if self.is_on and message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            return send(message)

        return sending
