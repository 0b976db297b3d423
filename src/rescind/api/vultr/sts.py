"""The call that AWS SDKs make to assume a role, call 91: a form in, XML out.

The credential is a Bearer token, or what the SDK has as its session token: signatures are not looked at, so that
`AWS_SESSION_TOKEN` set to an API key is all that an SDK or the AWS command line needs.
"""

import re
import secrets
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from fastapi import Body, Header, Response
from pydantic import RootModel

from rescind.api.door import Door, Forms, Manners
from rescind.api.exchange import Here, Operation
from rescind.api.refusals import status_of, with_headers
from rescind.model.errors import Invalid, Refusal
from rescind.usecases import sessions
from rescind.usecases.requirements import needs
from rescind.usecases.sessions import NewSession, SessionView

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_PARAMETERS = {"Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds"}
_ROLE_ARN = re.compile(r"arn:(?:aws|vultr):iam::([^:/]+):role/([^/]+)")
_CODES = {
    400: "ValidationError",
    401: "InvalidClientTokenId",
    403: "AccessDenied",
    404: "NoSuchEntity",
    503: "ServiceUnavailable",
}


class XmlDocument(RootModel[str]):
    """An answer in the XML of AWS STS."""


def assume_role_as_aws(
    exchange: Here,
    form: Annotated[bytes, Body(media_type="application/x-www-form-urlencoded")] = b"",
    x_amz_security_token: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    exchange.present(x_amz_security_token)
    asked = _parameters(form)
    organization, role = _role(asked.get("RoleArn", ""))
    exchange.target(role)
    opened = exchange.write(
        sessions.assume,
        role=role,
        organization=organization,
        name=asked.get("RoleSessionName", ""),
        seconds=_seconds(asked.get("DurationSeconds")),
    )
    return exchange.reply_text(_answer(exchange.look(sessions.get, opened.id), opened))


def _parameters(form: bytes) -> dict[str, str]:
    """The form's members. Raises `Invalid` for what is not known: it may be meant as a restriction."""
    try:
        pairs = parse_qsl(form.decode(), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise Invalid("the body is not a form") from None
    asked = dict(pairs)
    if len(asked) != len(pairs):
        raise Invalid("a parameter is there twice")
    if any("\0" in value for value in asked.values()):
        raise Invalid("a parameter holds what cannot be stored")
    if asked.get("Action") != "AssumeRole":
        raise Invalid("`Action` must be `AssumeRole`")
    unknown = sorted(asked.keys() - _PARAMETERS)
    if unknown:
        raise Invalid(f"`{unknown[0][:60]}` is not supported: only {', '.join(sorted(_PARAMETERS))} are")
    return asked


def _role(arn: str) -> tuple[str | None, str]:
    """Organization and role of an ARN; an id alone is a role's."""
    found = _ROLE_ARN.fullmatch(arn)
    if found:
        return found[1], found[2]
    if not arn or ":" in arn:
        raise Invalid("`RoleArn` must be arn:aws:iam::ORGANIZATION:role/ROLE, or the role's id")
    return None, arn


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Invalid("`DurationSeconds` must be a number of seconds")
    return int(text)


def _answer(session: SessionView, opened: NewSession) -> str:
    ends = datetime.fromtimestamp(session.expires_at // 1_000_000, UTC)
    organization = session.organization_id
    root = ET.Element("AssumeRoleResponse", xmlns=_NAMESPACE)
    result = ET.SubElement(root, "AssumeRoleResult")
    _members(
        ET.SubElement(result, "Credentials"),
        # SDKs want a key id and a secret; the token alone is a credential here.
        AccessKeyId=f"ASIA{session.session.id.replace('-', '')[-16:].upper()}",
        SecretAccessKey=secrets.token_urlsafe(30),
        SessionToken=opened.token,
        Expiration=ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    _members(
        ET.SubElement(result, "AssumedRoleUser"),
        AssumedRoleId=f"{session.role.id}:{session.name}",
        Arn=f"arn:aws:sts::{organization}:assumed-role/{session.role.id}/{session.name}",
    )
    _members(ET.SubElement(root, "ResponseMetadata"), RequestId=session.session.id)
    return _text(root)


def _error(status: int, code: str, message: str) -> Response:
    root = ET.Element("ErrorResponse", xmlns=_NAMESPACE)
    _members(ET.SubElement(root, "Error"), Type="Receiver" if status >= 500 else "Sender", Code=code, Message=message)
    return Response(_text(root), status, media_type="text/xml")


def _members(parent: ET.Element, **texts: str) -> None:
    for name, text in texts.items():
        ET.SubElement(parent, name).text = text


def _text(root: ET.Element) -> str:
    return ET.tostring(root, encoding="unicode")


def _refusal(refusal: Refusal) -> Response:
    status = status_of(refusal)
    return with_headers(_error(status, _CODES.get(status, "ValidationError"), refusal.message), refusal)


def _plain(status: int, text: str) -> Response:
    return _error(status, "InternalFailure" if status >= 500 else "InvalidAction", text)


PATH = "/v2/assumed-roles/compatibility/aws/sts"

OPERATIONS = (
    Operation(
        91,
        "POST",
        PATH,
        sessions.assume,
        needs("iam.role.AssumeRole", on="role"),
        assume_role_as_aws,
        200,
        XmlDocument,
        "text/xml",
        body_names=True,
    ),
)

DOOR = Door(
    "Rescind: assuming a role with an AWS SDK",
    PATH,
    OPERATIONS,
    Manners(_refusal, _plain, XmlDocument, "text/xml"),
    forms=Forms.ONLY,
)
