"""What the documentation says is so."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click import Group

from rescind import cli
from rescind.app import DOORS
from servers import Server
from tenant import CLIENT_ID, CLIENT_SECRET
from world import ROOT_KEY

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [page for page in sorted(ROOT.glob("**/*.md")) if ".venv" not in page.parts and ".tools" not in page.parts]


STORY = (
    "The four removals",
    "Invite a person",
    "Roles for an hour",
    "Remove roles from a user, the Auth0 way",
    "Ask, and look before you take",
)
ASSUME = """
import boto3
boto3.client('sts').assume_role(RoleArn='arn:aws:iam::$ORG:role/$READER', RoleSessionName='work')
"""


def blocks(heading: str) -> str:
    """The shell commands under a heading of the README, as one script."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


def test_the_story_of_the_readme_is_true(server: Server) -> None:
    """Every command of these sections succeeds, and every status said in a comment is the one that is printed."""
    script = "\n".join(blocks(heading) for heading in STORY).replace("http://127.0.0.1:8480", server.url)
    script = script.replace("choose-a-secret-of-at-least-32-characters", ROOT_KEY)
    script = script.replace("FirstClient", CLIENT_ID).replace("choose-another-secret-of-32-characters", CLIENT_SECRET)
    checked, said = re.subn(
        r"^((?:ann|session) .*?) +# ([\d ]+)$", r'test "$(echo $(\1))" = "\2"', script, flags=re.MULTILINE
    )
    assert said == 8
    checked, listed = re.subn(
        r"^((?:api|introspect|bo|echo|ask) .*?) +# ?([^\n]*)$", r"""test "$(\1)" = '\2'""", checked, flags=re.MULTILINE
    )
    assert listed == 14
    # The command is the AWS command line's; the SDK beneath it does the same.
    checked, commands = re.subn(
        r"^# aws sts .*$", lambda _: f'"{sys.executable}" -c "{ASSUME}"', checked, flags=re.MULTILINE
    )
    assert commands == 1

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", checked],
        cwd=ROOT,
        env={**os.environ, "RESCIND_DATABASE": server.database},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "The log proves the tables" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    """Every relative link and every path of the source or the tests that a page names exists."""
    text = page.read_text()
    named = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    named += re.findall(r"`((?:src|tests|docs|bench)/[\w./-]*)`", text)

    assert [name for name in named if not (ROOT / name).exists() and not (page.parent / name).exists()] == []


def test_every_command_and_make_target_of_the_readme_exists() -> None:
    """`rescind …` and `make …` in the pages are commands that there are."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = page.read_text()
        assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets
        for command in set(re.findall(r"rescind ([a-z]+)(?: ([a-z]+))?", " ".join(re.findall(r"`([^`]+)`", text)))):
            found = cli.main.commands.get(command[0])
            assert found is not None, command
            assert not command[1] or not isinstance(found, Group) or command[1] in found.commands, command


def test_every_option_of_serve_is_a_variable_too() -> None:
    """`--public-url` is `RESCIND_PUBLIC_URL`, and so for every other."""
    for option in cli.serve.params:
        assert option.name is not None
        long = max(option.opts, key=len).removeprefix("--").replace("-", "_")
        assert getattr(option, "envvar", None) == f"RESCIND_{long.upper()}"


def test_every_call_says_what_it_does() -> None:
    """The one sentence that a call's use case promises is its summary in the OpenAPI document."""
    for door in DOORS:
        for operation in door.operations:
            assert (operation.usecase.__doc__ or "").strip(), operation.name
