"""What the operator does for tokens: clients, signing keys, the key that secrets are sealed under, older databases."""

import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from uuid_utils import uuid7

from loopback import Loopback
from rescind.app import application
from rescind.model.changes import Origin, Plan, ProfileEntry
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.node import build
from rescind.settings import Settings
from rescind.store import migrate
from rescind.store.database import Database
from rescind.store.engines import engine_for
from servers import rescind
from tenant import PUBLIC_URL, SECRET_KEY, Tenant


def said(done: "subprocess.CompletedProcess[str]") -> dict[str, object]:
    """What a command that must succeed says to machines."""
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def published(tenant: Tenant) -> list[str]:
    return [key["kid"] for key in tenant.http.get("/.well-known/jwks.json").json()["keys"]]


def test_a_new_key_signs_and_the_old_one_is_published_until_its_tokens_have_expired(tenant: Tenant) -> None:
    """On a running node: tokens of before stay good, those of after are by the new key; so for every rotation."""
    assert tenant.node is not None
    before = tenant.issue()["access_token"]
    (first,) = published(tenant)
    rotated = said(rescind("keys", "rotate", "--json", RESCIND_DATABASE=tenant.node.settings.database))
    second, kept = published(tenant)
    assert (second, kept) == (rotated["signs"], first)
    after = tenant.issue()["access_token"]
    for token in (before, after):
        assert tenant.with_token(token).call("GET", "/roles").status_code == 200
    rescind("keys", "rotate", RESCIND_DATABASE=tenant.node.settings.database)
    assert published(tenant)[1:] == [second, first]


@pytest.mark.parametrize("scopes", [(), ("read:roles", "read:users")])
def test_a_client_of_the_operator_may_do_what_it_was_made_for(tenant: Tenant, scopes: tuple[str, ...]) -> None:
    assert tenant.node is not None
    asked = [part for scope in scopes for part in ("--scope", scope)]
    made = said(rescind("clients", "create", "ci", *asked, "--json", RESCIND_DATABASE=tenant.node.settings.database))
    client = Tenant(tenant.http, tenant.node, str(made["client_id"]), str(made["client_secret"]))
    granted = set(client.issue()["scope"].split())
    assert granted == set(scopes) if scopes else {"delete:users", "read:roles"} < granted
    assert client.call("GET", "/roles").status_code == 200
    listed = rescind("clients", "list", "--json", RESCIND_DATABASE=tenant.node.settings.database)
    assert made["client_id"] in [one["client_id"] for one in json.loads(listed.stdout)]
    assert str(made["client_secret"]) not in listed.stdout


def test_a_scope_that_there_is_not_makes_no_client(small_tenant: Tenant) -> None:
    assert small_tenant.node is not None
    done = rescind(
        "clients", "create", "ci", "--scope", "no:such", RESCIND_DATABASE=small_tenant.node.settings.database
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(small_tenant.get("/clients")) == 1


def test_another_secret_key_is_said_at_once(make_database: Callable[[str], str]) -> None:
    """A node never starts with a key that opens nothing, and what is sealed stays as it is."""
    database = make_database("sqlite")
    done = rescind("init", RESCIND_DATABASE=database, RESCIND_SECRET_KEY="x" * 40)
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: the secrets of this database are sealed under another RESCIND_SECRET_KEY"
    assert rescind("init", RESCIND_DATABASE=database).returncode == 0


def test_a_short_or_missing_secret_key_is_refused(make_empty: Callable[[str], str]) -> None:
    assert "fewer than 32" in rescind("init", RESCIND_DATABASE=make_empty("sqlite"), RESCIND_SECRET_KEY="short").stderr
    done = rescind("init", RESCIND_DATABASE=make_empty("postgres"), RESCIND_SECRET_KEY="")
    assert done.returncode == 1
    assert "set RESCIND_SECRET_KEY" in done.stderr


def test_beside_a_file_a_key_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/rescind.db"
    assert rescind("init", RESCIND_DATABASE=database, RESCIND_SECRET_KEY="").returncode == 0
    key = tmp_path / "rescind.db.secret"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_text().strip()) >= 32
    named = tmp_path / "elsewhere"
    named.write_text(key.read_text())
    key.unlink()
    done = rescind("init", RESCIND_DATABASE=database, RESCIND_SECRET_KEY="", RESCIND_SECRET_KEY_FILE=str(named))
    assert done.returncode == 0
    assert not key.exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_database_from_before_tokens_gets_what_it_lacks(make_empty: Callable[[str], str], kind: str) -> None:
    """Migrated and started by this version it has keys, the Management API, the first client, and public ids."""
    database = make_empty(kind)
    _migrate_to(database, "0002")
    _found_as_then(database)
    assert rescind("migrate", RESCIND_DATABASE=database).returncode == 0
    client = {"RESCIND_AUTH0_CLIENT_ID": "Upgraded", "RESCIND_AUTH0_CLIENT_SECRET": SECRET_KEY}
    assert rescind("init", RESCIND_DATABASE=database, **client).returncode == 0
    assert said(rescind("verify", "--json", RESCIND_DATABASE=database))["verified"] is True
    built = build(Settings(database=database, public_url=PUBLIC_URL))
    with Loopback(application(built), base_url=PUBLIC_URL) as http:
        tenant = Tenant(http, built, "Upgraded", SECRET_KEY)
        (user,) = tenant.get("/users")
        assert user["user_id"].startswith("auth0|")
        (organization,) = tenant.get("/organizations")
        assert organization["name"].startswith("old-")
    built.store.close()
    before = said(rescind("verify", "--json", RESCIND_DATABASE=database))["revision"]
    assert rescind("init", RESCIND_DATABASE=database, **client).returncode == 0
    assert said(rescind("verify", "--json", RESCIND_DATABASE=database))["revision"] == before, "once is enough"


def _migrate_to(database: str, version: str) -> None:
    """Bring an empty database to an older schema."""
    engine = engine_for(database)
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with engine.pool.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        connection.exec_driver_sql(f"UPDATE head SET schema_version = {int(version)}")
        connection.commit()
    engine.pool.dispose()


def _found_as_then(database: str) -> None:
    """An organization with a member, written as nobody had a public id."""
    store = Database(engine_for(database))
    # What this version writes with a change, and that one did not.
    with store.engine.pool.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE changes ADD COLUMN touched TEXT")
    with store.writing() as writer:
        first, now = writer.next_key, writer.head.clock
        organization, user, membership = (
            Object(first + place, str(uuid7()), kind, owner, now)
            for place, (kind, owner) in enumerate(
                [(ObjectKind.ORGANIZATION, PLATFORM), (ObjectKind.USER, PLATFORM), (ObjectKind.MEMBERSHIP, first)]
            )
        )
        opened = [Fact(FactKind.EXISTENCE, organization.key), Fact(FactKind.EXISTENCE, user.key)]
        opened.append(Fact(FactKind.EXISTENCE, membership.key, user.key, organization.key))
        profile = [ProfileEntry(organization.key, "name", "Old"), ProfileEntry(user.key, "name", "Ann")]
        plan = Plan([organization, user, membership], opened, profile=profile)
        writer.commit(plan, Origin("test.found", str(uuid7())))
    with store.engine.pool.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE changes DROP COLUMN touched")
    store.close()
