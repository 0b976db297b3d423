"""The AWS SDK itself assumes a role at a live server, and what it gets works as a Bearer token."""

import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from servers import Server
from world import Person, World, allow

STS = "/v2/assumed-roles/compatibility/aws/sts"
NAMESPACE = {"sts": "https://sts.amazonaws.com/doc/2011-06-15/"}


@dataclass
class Story:
    root: World
    ann: Person
    role: str
    organization: str
    url: str

    def sdk(self, token: str, **options: Any) -> Any:
        """A client of the SDK whose session token is a credential of ours."""
        return boto3.client(
            "sts",
            endpoint_url=self.url + STS,
            region_name="us-east-1",
            aws_access_key_id="unused",
            aws_secret_access_key="unused",
            aws_session_token=token,
            config=Config(retries={"max_attempts": 0}, **options),
        )

    def arn(self, partition: str = "aws") -> str:
        return f"arn:{partition}:iam::{self.organization}:role/{self.role}"

    def form(self, **parameters: str) -> Any:
        asked = {"Action": "AssumeRole", "RoleArn": self.arn(), "RoleSessionName": "n", **parameters}
        headers = {"Authorization": f"Bearer {self.ann.key}", "Content-Type": "application/x-www-form-urlencoded"}
        return self.root.client.post(STS, data={name: value for name, value in asked.items() if value}, headers=headers)


def tell(root: World, url: str) -> Story:
    ann = root.person()
    role = root.role(root.policy(allow("iam.group.List")), role_type="assumable")
    root.post("/v2/role-trusts", {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": ann.id})
    root.attach_policy(root.policy(allow("iam.role.AssumeRole", on=f"role:{role}")), user=ann.id)
    return Story(root, ann, role, root.organization(), url)


@pytest.fixture
def story(server: Server) -> Story:
    """At a live server, on each kind of database."""
    return tell(server.world(), server.url)


@pytest.fixture
def in_process(small_world: World) -> Story:
    return tell(small_world, "")


def test_the_sdk_assumes_a_role_and_the_token_works(story: Story) -> None:
    """By an ARN of either form; the session has the role's rights, for as long as was asked and no longer."""
    for partition in ("aws", "vultr"):
        answer = story.sdk(story.ann.key).assume_role(
            RoleArn=story.arn(partition), RoleSessionName=f"work-{partition}", DurationSeconds=900
        )
        credentials = answer["Credentials"]
        session = story.root.as_(credentials["SessionToken"])
        assert session.status("/v2/groups") == 200
        assert session.status("/v2/policies") == 403
        seen = session.get(f"/v2/assumed-roles/{credentials['SessionToken']}")
        assert seen["session_name"] == f"work-{partition}"
        assert 0 < seen["remaining_duration"] <= 900
        assert seen["expires_at"] == credentials["Expiration"].isoformat()
        assert credentials["AccessKeyId"].startswith("ASIA")
        assert answer["AssumedRoleUser"]["AssumedRoleId"] == f"{story.role}:work-{partition}"
        assert answer["AssumedRoleUser"]["Arn"].endswith(f":assumed-role/{story.role}/work-{partition}")
        story.root.delete(f"/v2/assumed-roles/{credentials['SessionToken']}")
        assert session.status("/v2/groups") == 401


def test_the_sdk_understands_every_refusal(story: Story) -> None:
    """Errors come in the SDK's own form, with a code that it raises, never retried as if it were an outage."""
    stranger = story.root.person()
    cases = {
        "AccessDenied": (stranger.key, story.arn()),
        "InvalidClientTokenId": ("no such token", story.arn()),
        "NoSuchEntity": (story.root.key, story.arn().replace(story.role, story.organization)),
        "ValidationError": (story.ann.key, "arn:aws:sts::1:not-a-role"),
    }
    for code, (token, arn) in cases.items():
        with pytest.raises(ClientError) as refused:
            story.sdk(token).assume_role(RoleArn=arn, RoleSessionName="work")
        assert refused.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError) as refused:
        story.sdk(story.ann.key).assume_role(
            RoleArn=story.arn(), RoleSessionName="work", Policy='{"Version": "2012-10-17", "Statement": []}'
        )
    assert refused.value.response["Error"]["Code"] == "ValidationError", "a restriction is never left out"


def test_a_bearer_token_is_the_credential_where_there_is_one(in_process: Story) -> None:
    answer = in_process.form()
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    token = ET.fromstring(answer.text).findtext(".//sts:SessionToken", namespaces=NAMESPACE)
    assert token is not None
    assert re.fullmatch(r"ars-[A-Za-z0-9_-]+", token)
    assert in_process.root.as_(token).status("/v2/groups") == 200


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"Action": ""}, 400),
        ({"Action": "GetCallerIdentity"}, 400),
        ({"Action": "AssumeRoleWithWebIdentity", "WebIdentityToken": "x.y.z"}, 400),
        ({"RoleArn": ""}, 400),
        ({"RoleArn": "arn:aws:iam::x"}, 400),
        ({"RoleArn": "arn:aws:iam::someone-else:role/unknown"}, 403),
        ({"RoleSessionName": ""}, 400),
        ({"RoleSessionName": "a\u0007b"}, 400),
        ({"RoleSessionName": "a\uffffb"}, 400),
        ({"DurationSeconds": "soon"}, 400),
        ({"DurationSeconds": "-1"}, 400),
        ({"DurationSeconds": "0"}, 400),
        ({"DurationSeconds": "9" * 30}, 400),
        ({"Policy": "{}"}, 400),
        ({"PolicyArns.member.1.arn": "x"}, 400),
    ],
)
def test_a_bad_form_is_refused_and_nothing_is_written(
    in_process: Story, parameters: dict[str, str], status: int
) -> None:
    before = in_process.root.call("GET", "/v2/groups").headers["Rescind-Revision"]

    answer = in_process.form(**parameters)

    assert answer.status_code == status, answer.text
    assert ET.fromstring(answer.text).findtext(".//sts:Message", namespaces=NAMESPACE)
    assert in_process.root.call("GET", "/v2/groups").headers["Rescind-Revision"] == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"Action": "AssumeRole"}',
        b"Action=AssumeRole&Action=AssumeRole",
        b"\xff\xfe",
        b"Action",
        b"Action=%ff",
        b"Action=AssumeRole&RoleArn=%00&RoleSessionName=n",
    ],
)
def test_what_is_no_form_is_refused(in_process: Story, content: bytes) -> None:
    headers = {"Authorization": f"Bearer {in_process.ann.key}"}
    answer = in_process.root.client.post(STS, content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert ET.fromstring(answer.text).tag.endswith("ErrorResponse")


def test_the_role_of_another_organization_is_unknown(in_process: Story) -> None:
    arn = in_process.arn().replace(in_process.organization, "01890000-0000-7000-8000-000000000000")
    assert in_process.form(RoleArn=arn).status_code == 404


def test_a_duration_beyond_the_roles_is_cut_without_a_word(in_process: Story) -> None:
    token = ET.fromstring(in_process.form(DurationSeconds="999999").text).findtext(
        ".//sts:SessionToken", namespaces=NAMESPACE
    )
    assert 3590 <= in_process.root.get(f"/v2/assumed-roles/{token}")["remaining_duration"] <= 3600


def test_a_session_is_no_credential_for_another(in_process: Story) -> None:
    token = ET.fromstring(in_process.form().text).findtext(".//sts:SessionToken", namespaces=NAMESPACE)
    headers = {"X-Amz-Security-Token": token, "Authorization": "AWS4-HMAC-SHA256 Credential=x"}
    form = {"Action": "AssumeRole", "RoleArn": in_process.arn(), "RoleSessionName": "n"}
    assert in_process.root.client.post(STS, data=form, headers=headers).status_code == 403


def test_the_other_doors_do_not_take_the_sdks_header(in_process: Story) -> None:
    headers = {"X-Amz-Security-Token": in_process.ann.key}
    assert in_process.root.client.get("/v2/groups", headers=headers).status_code == 401
