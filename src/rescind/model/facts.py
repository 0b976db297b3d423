"""Facts: everything that a decision reads, each true for an interval of revisions."""

from dataclasses import dataclass
from enum import IntEnum

from rescind.model.objects import PLATFORM


class FactKind(IntEnum):
    """What a fact says of its holder. The numbers are stored: never change one, never use one again.

    | kind              | holder                         | thing        | scope        | value      |
    |-------------------|--------------------------------|--------------|--------------|------------|
    | existence         | any object                     |              |              |            |
    |                   | membership                     | user         | organization |            |
    |                   | api key, session               | membership   | organization |            |
    |                   | token family                   | membership,  | organization |            |
    |                   |                                | user         |              |            |
    |                   | resource                       | organization |              |            |
    | root              | membership                     | organization | organization |            |
    | suspension        | membership                     |              | organization |            |
    | block             | user                           |              |              |            |
    | api_access        | membership                     |              | organization |            |
    | home              | user                           | organization |              |            |
    | group_membership  | membership                     | group        | organization |            |
    | role_attachment   | membership, group, user        | role         | the scope    |            |
    | policy_attachment | membership, group, user        | policy       | the scope    |            |
    |                   | role                           | policy       | role's owner |            |
    | permission_grant  | membership, group, user        | permission   | the scope    |            |
    |                   | role                           | permission   | role's owner |            |
    |                   | client grant                   | permission   |              |            |
    | document          | policy, permission             |              |              | a document |
    | role_definition   | role                           |              |              | JSON       |
    | personal          | api key: of the person herself |              |              |            |
    | reach             | api key: what it founded       | organization | organization |            |
    | service           | user: not a person             |              |              |            |
    | allow_list        | membership                     |              | organization | JSON       |
    | trust             | role trust                     | role         | organization | terms      |
    | trusted_party     | role trust                     | membership,  | organization |            |
    |                   |                                | group        |              |            |
    | assumption        | session                        | role         | organization | role's id  |
    | session_trust     | session: through which trust   | role trust   | organization |            |
    | session_key       | session: opened with which key | api key      | organization |            |
    | invitation        | invitation                     |              | organization | JSON       |
    | acceptance        | invitation                     | membership   | organization |            |
    | decline           | invitation                     |              | organization |            |
    | pending           | membership: not yet a member   | user         | organization |            |
    | api_definition    | api                            |              |              | JSON       |
    | api_scope         | permission                     | api          |              | JSON       |
    | client_definition | client                         |              |              | JSON       |
    | client_grant      | client                         | client grant |              |            |
    | grant_definition  | client grant                   | api          |              | JSON       |
    | grant_usage       | client grant                   | organization | organization |            |
    | signing_key       | signing key                    |              |              | public JWK |
    | token_family      | token family                   | client       | organization | JSON       |
    | properties        | membership, user, resource     |              | the scope    | JSON       |
    """

    EXISTENCE = 1
    ROOT = 2
    SUSPENSION = 3
    BLOCK = 4
    API_ACCESS = 5
    HOME = 6
    GROUP_MEMBERSHIP = 7
    ROLE_ATTACHMENT = 8
    POLICY_ATTACHMENT = 9
    PERMISSION_GRANT = 10
    DOCUMENT = 11
    ROLE_DEFINITION = 12
    PERSONAL = 13
    REACH = 14
    SERVICE = 15
    ALLOW_LIST = 16
    TRUST = 17
    TRUSTED_PARTY = 18
    ASSUMPTION = 19
    SESSION_TRUST = 20
    SESSION_KEY = 21
    INVITATION = 22
    ACCEPTANCE = 23
    DECLINE = 24
    PENDING = 25
    API_DEFINITION = 26
    API_SCOPE = 27
    CLIENT_DEFINITION = 28
    CLIENT_GRANT = 29
    GRANT_DEFINITION = 30
    GRANT_USAGE = 31
    SIGNING_KEY = 32
    TOKEN_FAMILY = 33
    PROPERTIES = 34

    @property
    def label(self) -> str:
        """The name of the kind in the log: `role_attachment`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement of what is so, by keys. At most one live fact has the same kind, holder, thing and scope.

    `thing` and `scope` are `PLATFORM` where the kind has none. `value` is text (JSON) where the kind has one.
    From the instant `expires_at` (microseconds since 1970) the fact is dead, with no sweep.
    """

    kind: FactKind
    holder: int
    thing: int = PLATFORM
    scope: int = PLATFORM
    value: str | None = None
    expires_at: int | None = None

    def alive(self, instant: int) -> bool:
        """Whether time has not ended the fact at `instant`."""
        return self.expires_at is None or self.expires_at > instant

    @property
    def place(self) -> tuple[FactKind, int, int, int]:
        """What only one live fact may occupy."""
        return self.kind, self.holder, self.thing, self.scope


@dataclass(frozen=True, slots=True)
class Interval:
    """A stored fact that holds at the revision that was read, and the revision from which it does.

    When it ends is not said: what is read as of a revision never tells of a later one.
    """

    key: int
    fact: Fact
    revision_from: int
