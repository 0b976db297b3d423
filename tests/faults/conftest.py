"""Nodes that start fast enough to be killed often."""

from collections.abc import Callable, Iterator

import pytest

from faults.nursery import ForkedServer, Nursery
from servers import Server


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def serve(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start nodes on a database, each in a folder of its own; all are killed at the end."""
    started: list[Server] = []

    def start(database: str, *options: str) -> Server:
        server = ForkedServer(nursery, database, tmp_path_factory.mktemp("node"), *options)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.__exit__(None, None, None)
