"""Bodies of the Auth0 face: strict where access is controlled, keeping what they get where they grow."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


class Strict(BaseModel):
    """These members and no others; types are strict."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Tolerant(BaseModel):
    """These members, and others that are kept as they are; types are strict."""

    model_config = ConfigDict(strict=True, extra="allow")

    def members(self) -> dict[str, Any]:
        """What was said, and nothing that was not."""
        return self.model_dump(exclude_unset=True)


MANY = 1000
"""So many things can be named in one call: each is looked up while others wait for the lock."""

Text = Annotated[str, Field(min_length=1)]
Identifier = Annotated[str, Field(min_length=1, max_length=600)]
Short = Annotated[str, Field(min_length=1, max_length=255)]
Flag = bool | None
Metadata = dict[str, Any]


class Roles(Strict):
    roles: Annotated[list[str], Field(min_length=1, max_length=MANY)]


class Permission(Strict):
    resource_server_identifier: Text
    permission_name: Text


class Permissions(Strict):
    permissions: Annotated[list[Permission], Field(min_length=1, max_length=MANY)]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each API's identifier with a scope of it."""
        return [(asked.resource_server_identifier, asked.permission_name) for asked in self.permissions]


class Users(Strict):
    users: Annotated[list[str], Field(min_length=1, max_length=MANY)]


class Groups(Strict):
    groups: Annotated[list[str], Field(min_length=1, max_length=MANY)]


class Members(Strict):
    members: Annotated[list[str], Field(min_length=1, max_length=100)]


class RoleNew(Strict):
    name: Short
    description: Annotated[str, Field(max_length=1000)] | None = None
    type: Literal["tenant", "organization"] | None = None
    owner_id: str | None = None


class RoleChange(Strict):
    name: Short | None = None
    description: Annotated[str, Field(max_length=1000)] | None = None


class UserMembers(Tolerant):
    email: str | None = None
    username: Short | None = None
    phone_number: str | None = None
    password: Annotated[str | None, Field(repr=False)] = None
    name: Short | None = None
    given_name: str | None = None
    family_name: str | None = None
    nickname: str | None = None
    picture: str | None = None
    blocked: bool | None = None
    email_verified: bool | None = None
    phone_verified: bool | None = None
    verify_email: bool | None = None
    user_metadata: Metadata | None = None
    app_metadata: Metadata | None = None


class UserNew(UserMembers):
    connection: Text
    user_id: str | None = None


class UserChange(UserMembers):
    connection: str | None = None
    client_id: str | None = None


class Scope(Tolerant):
    value: Annotated[str, Field(min_length=1, max_length=280)]
    description: Annotated[str, Field(max_length=500)] | None = None


class Policy(Tolerant):
    policy: Literal["deny_all", "require_client_grant", "allow_all"] | None = None


class SubjectTypes(Tolerant):
    client: Policy | None = None
    user: Policy | None = None


class ResourceServer(Tolerant):
    name: Annotated[str, Field(max_length=200)] | None = None
    scopes: list[Scope] | None = None
    signing_alg: Literal["HS256", "RS256", "RS512", "PS256"] | None = None
    signing_secret: Annotated[str | None, Field(repr=False)] = None
    token_lifetime: Annotated[int, Field(ge=0, le=2_592_000)] | None = None
    token_lifetime_for_web: Annotated[int, Field(ge=0, le=2_592_000)] | None = None
    token_dialect: Literal["access_token", "access_token_authz", "rfc9068_profile", "rfc9068_profile_authz"] | None = (
        None
    )
    enforce_policies: bool | None = None
    allow_offline_access: bool | None = None
    skip_consent_for_verifiable_first_party_clients: bool | None = None
    subject_type_authorization: SubjectTypes | None = None


class ResourceServerNew(ResourceServer):
    identifier: Identifier


class ResourceServerChange(ResourceServer):
    """The identifier stays for ever."""


class ClientMembers(Tolerant):
    grant_types: list[str] | None = None
    token_endpoint_auth_method: str | None = None
    app_type: str | None = None
    is_first_party: bool | None = None
    organization_usage: Literal["deny", "allow", "require"] | None = None
    organization_require_behavior: str | None = None
    client_metadata: Metadata | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_secret(cls, members: Any) -> Any:
        if isinstance(members, dict) and "client_secret" in members:
            raise PydanticCustomError("secret", "Additional properties not allowed: client_secret")
        return members


class ClientNew(ClientMembers):
    name: Short


class ClientChange(ClientMembers):
    name: Short | None = None


Usage = Literal["deny", "allow", "require"]


class ClientGrantNew(Tolerant):
    client_id: Text
    audience: Identifier
    scope: list[str] | None = None
    subject_type: Literal["client", "user"] | None = None
    organization_usage: Usage | None = None
    allow_any_organization: bool | None = None
    allow_all_scopes: bool | None = None


class ClientGrantChange(Tolerant):
    scope: list[str] | None = None
    organization_usage: Usage | None = None
    allow_any_organization: bool | None = None
    allow_all_scopes: bool | None = None


class GrantNamed(Strict):
    grant_id: Text


class OrganizationMembers(Tolerant):
    display_name: Short | None = None
    branding: Metadata | None = None
    metadata: Annotated[dict[str, Annotated[str, Field(max_length=255)] | None], Field(max_length=25)] | None = None


class OrganizationNew(OrganizationMembers):
    name: Annotated[str, Field(min_length=1, max_length=50)]
    enabled_connections: list[Any] | None = None


class OrganizationChange(OrganizationMembers):
    name: Annotated[str, Field(min_length=1, max_length=50)] | None = None


class Named(Tolerant):
    name: Text


class Invitee(Tolerant):
    email: Text


class InvitationNew(Strict):
    inviter: Named
    invitee: Invitee
    client_id: Text
    connection_id: str | None = None
    roles: Annotated[list[str], Field(min_length=1)] | None = None
    ttl_sec: Annotated[int, Field(ge=0, le=2_592_000)] | None = None
    app_metadata: Metadata | None = None
    user_metadata: Metadata | None = None
    send_invitation_email: bool | None = None


class AccessRevocation(Strict):
    session_id: str | None = None
    preserve_refresh_tokens: bool = False


class RefreshTokensEnded(Strict):
    ids: Annotated[list[str], Field(min_length=1, max_length=MANY)] | None = None
    user_id: Text | None = None
    client_id: Text | None = None
    audience: Text | None = None


class TokenAsked(BaseModel):
    """What `/oauth/token` takes, as JSON or as a form; what is not known is passed over."""

    model_config = ConfigDict(strict=True, extra="ignore")

    grant_type: str | None = None
    client_id: str | None = None
    client_secret: Annotated[str | None, Field(repr=False)] = None
    client_assertion: Annotated[str | None, Field(repr=False)] = None
    audience: str | None = None
    scope: str | None = None
    organization: str | None = None
    username: str | None = None
    password: Annotated[str | None, Field(repr=False)] = None
    realm: str | None = None
    refresh_token: Annotated[str | None, Field(repr=False)] = None


class TokenNamed(BaseModel):
    """What introspection and revocation take."""

    model_config = ConfigDict(strict=True, extra="ignore")

    token: Annotated[str | None, Field(repr=False)] = None
    client_id: str | None = None
    client_secret: Annotated[str | None, Field(repr=False)] = None
    client_assertion: Annotated[str | None, Field(repr=False)] = None


class RefreshTokenChange(Strict):
    refresh_token_metadata: Metadata | None


class SessionChange(Strict):
    session_metadata: Metadata | None
