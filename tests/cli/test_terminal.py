"""Decisions and removals at a terminal."""
import os, json
from collections.abc import Callable
import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient
from rescind.app import application, build
from rescind.cli import main
from rescind.settings import Settings
from world import ROOT_KEY, World, allow, deny

def test_try(make_database):
    database = make_database("sqlite")
    node = build(Settings(database=database))
    with TestClient(application(node), raise_server_exceptions=False) as client:
        w = World(client, ROOT_KEY, node)
        ann, bob = w.person(), w.person()
        zones = w.policy(allow("dns.Read","dns.Write", on="zone:*"), name="Zones [red]x[/red]")
        some = w.policy(allow("dns.Read", on="zone:1", Condition={"IpAddress": {"context.source_ip": "10.0.0.0/8"}}), name="one")
        role = w.role(zones, name="Editor")
        staff = w.group(ann, bob, name="Staff")
        w.attach_role(role, group=staff)
        w.attach_role(role, user=ann.id)
        w.attach_policy(some, user=ann.id)
        org = w.organization()
    def run(*a):
        r = CliRunner().invoke(main, [*a], env={"RESCIND_DATABASE": database, "COLUMNS": "140"})
        print("$", *a, "->", r.exit_code); print(r.output)
        if r.exception and not isinstance(r.exception, SystemExit):
            import traceback; traceback.print_exception(r.exception)
        return r
    O = ("--organization", org)
    run("explain", ann.id, "dns.Read", "zone:1", *O)
    run("explain", f"email:{bob.email}", "dns.Read", "zone:1", *O)
    run("explain", "nobody", "dns.Read", "zone:1", *O)
    run("explain", "email:root@example.org", "dns.Read", "zone:1", *O)
    run("explain", ann.id, "dns.Read", "zone:1", "--type", "session")
    run("access", ann.id, *O)
    run("access", ann.id)
    run("access", "nobody", *O)
    run("who-can", "dns.Read", "zone:1", *O)
    run("preview", "roles.detach_users", f"roles={role}", f"user={ann.id}", *O)
    run("preview", "roles.detach_group", f"role={role}", f"group={staff}", *O)
    run("preview", "roles.detach_group", f"role={role}", f"group={staff}")
    run("preview", "groups.remove_member", f"group={staff}", f"user={bob.id}", *O, "--json")
    run("preview", "organizations.suspend_user", f"organization={org}", f"user={bob.id}")
    run("preview", "nothing.at_all")
    run("preview", "roles.detach_group", "x=1")
    run("preview", "roles.detach_group", *O)
    run("revoke", "roles.detach_group", f"role={role}", f"group={staff}", *O)
    run("revoke", "roles.detach_group", f"role={role}", f"group={staff}", *O, "--yes")
    run("log", *O, "--limit", "3")
    run("log", "--limit", "3")
    rev = str(node.store.head().revision)
    run("log", rev)
    run("explain", f"email:{bob.email}", "dns.Read", "zone:1", *O)
    run("access", bob.id, *O, "--since", str(int(rev)-1))
    run("undo", rev)
    run("undo", rev, "--yes")
    run("undo", rev, "--yes")
    run("access", bob.id, *O, "--since", rev)
    run("revoke", "organizations.remove_user", f"organization=default", f"user={bob.id}", "--yes", "--if-match", "abc")
    run("revoke", "organizations.remove_user", f"organization={org}", f"user={bob.id}", "--yes")
    run("log", "--limit", "1", *O)
    run("log", "1")
    run("log", "9999")
    run("preview", "--list")
    run("access", bob.id, "--help")
