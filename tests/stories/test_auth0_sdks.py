"""The Auth0 SDKs themselves build up a tenant at a live server, take roles away, and read every answer.

Each story is a program of its own below `tests/sdk/`, written as its SDK's users write, that says what it has done.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from servers import Server
from tenant import CLIENT_ID, CLIENT_SECRET

ROOT = Path(__file__).parents[2]
SDKS = ROOT / ".venv" / "sdk"
PYTHON_STORY = ROOT / "tests" / "sdk" / "story_python.py"
NODE_STORY = ROOT / "tests" / "sdk" / "node" / "story.mjs"
NODE_MIN = (20, 19)
STORY_SECONDS_MAX = 300

STEPS = (
    "client credentials",
    "published keys",
    "wrong secret",
    "unknown audience",
    "forged token",
    "resource_servers.create",
    "resource_servers.get",
    "resource_servers.update",
    "resource_servers.list",
    "resource_servers: conflict",
    "resource_servers.delete",
    "users.create",
    "users: conflict",
    "users.get",
    "users.update",
    "users.list_users_by_email",
    "users.list",
    "users.delete",
    "roles.create",
    "roles: conflict",
    "roles.get",
    "roles.update",
    "roles.list",
    "roles.permissions",
    "roles.users",
    "roles.delete",
    "users.roles.assign",
    "token before",
    "users.roles.delete: insufficient scope",
    "users.roles.delete",
    "token after",
    "users.roles.delete: again",
    "users.roles.delete: unknown user",
    "users.roles.delete: bad body",
    "users.permissions.list",
    "users.permissions.create",
    "users.permissions.delete",
    "clients.create",
    "clients.get",
    "clients.update",
    "clients.list",
    "clients.rotate_secret",
    "clients.delete",
    "client_grants.create",
    "client_grants: conflict",
    "client_grants.update",
    "client_grants.list",
    "client_grants.delete",
    "connections",
    "organizations.create",
    "organizations.get",
    "organizations.update",
    "organizations.list",
    "organizations.members",
    "organizations.members.roles.assign",
    "organizations.roles.members.list",
    "organizations.members.roles.delete",
    "organizations.members.delete",
    "organizations.client_grants",
    "organizations.connections.list",
    "organizations.delete",
    "pages by number",
    "pages by mark",
)
NOT_IN_5 = {"organizations.roles.members.list"}


def test_auth0_python(empty_database: str, tmp_path: Path) -> None:
    """Every step of the story holds with auth0-python 6, on each kind of database."""
    sdk, *steps = tell(empty_database, tmp_path, sys.executable, str(PYTHON_STORY))

    assert sdk.startswith("auth0-python 6.")
    assert steps == [*STEPS]


def test_auth0_python_of_the_generation_before(make_empty: Callable[[str], str], tmp_path: Path) -> None:
    """Every step holds with auth0-python 5, which encodes no paths and always asks for one more page."""
    older = SDKS / "auth0-python-5.8"
    assert older.is_dir(), "run `make setup`"

    sdk, *steps = tell(make_empty("sqlite"), tmp_path, sys.executable, str(PYTHON_STORY), PYTHONPATH=str(older))

    assert sdk.startswith("auth0-python 5.")
    assert steps == [step for step in STEPS if step not in NOT_IN_5]


def test_node_auth0(make_empty: Callable[[str], str], tmp_path: Path) -> None:
    """Every step holds with the SDK of Node."""
    folder = SDKS / "node"
    if node_version() < NODE_MIN:
        pytest.skip("Node 20.19 or newer is missing")
    if shutil.which("npm") is None and not (folder / ".ready").exists():
        pytest.skip("npm is missing")
    assert (folder / ".ready").exists(), "run `make setup`"

    sdk, *steps = tell(make_empty("sqlite"), tmp_path, "node", str(NODE_STORY), folder=folder)

    assert sdk.startswith("node-auth0 7.")
    assert steps == [*STEPS]


def tell(database: str, log: Path, *command: str, folder: Path = ROOT, **environment: str) -> list[str]:
    """Run a story at a node on this empty database, and return the steps that it says it has done."""
    with Server(database, log, tls=True) as server:
        authority = str(server.authority)
        done = subprocess.run(
            command,
            cwd=folder,
            env={
                **os.environ,
                "AUTH0_DOMAIN": server.url.removeprefix("https://"),
                "AUTH0_CLIENT_ID": CLIENT_ID,
                "AUTH0_CLIENT_SECRET": CLIENT_SECRET,
                "SSL_CERT_FILE": authority,  # httpx, of the Management clients
                "REQUESTS_CA_BUNDLE": authority,  # requests, of the Authentication client
                "NODE_EXTRA_CA_CERTS": authority,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=STORY_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{server.log()}"
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(line["ok"] for line in said)
    return [line["step"] for line in said]


def node_version() -> tuple[int, ...]:
    """Of the Node on this machine; nothing where there is none."""
    if shutil.which("node") is None:
        return ()
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in said.strip().removeprefix("v").split(".")[:2])
