"""Nodes that start fast enough to be killed often."""

from collections.abc import Callable, Iterator

import pytest

from servers import Server


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start nodes, each in a folder of its own, that manage where they decide; all are killed at the end."""
    started: list[Server] = []

    def start(database: str, *options: str) -> Server:
        server = Server(database, tmp_path_factory.mktemp("node"), "--no-management-process", *options)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.__exit__(None, None, None)
