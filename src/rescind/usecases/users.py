"""Users: accounts of persons and services, and their memberships of organizations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rescind.decision.snapshot import Principal
from rescind.engine.principals import snapshot_of
from rescind.model.emails import folded
from rescind.model.errors import Forbidden, Invalid
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import keys, limits
from rescind.usecases.escalation import refuse_credential
from rescind.usecases.keys import NewKey
from rescind.usecases.managed import ACL_NAMES, ACLS
from rescind.usecases.unit import Member, Unit, View

PASSWORD = "password"  # noqa: S105 - the kind of a credential
_UPDATE = "account.user.Update"


@dataclass(frozen=True, slots=True)
class UserView:
    """A member as people see her. Times are in microseconds; `suspended_at` is None unless she is suspended.

    `added_by` is the id of the user who made her account or invited her, or the name of the command that did; `used_at`
    is when she last used the API here, None for never, a few seconds behind.
    """

    user: Object
    membership: Object
    name: str
    first_name: str
    last_name: str
    email: str
    is_service: bool
    is_root: bool
    api_enabled: bool
    acls: Sequence[str]
    suspended_at: int | None
    updated_at: int
    added_by: str
    used_at: int | None


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user just made; a service user comes with the one sight of its key."""

    id: str
    key: NewKey | None


def page(view: View, window: Window, *, suspended: bool = False) -> Page[UserView]:
    """The organization's members, persons and service users together, or the suspended ones."""
    found = view.reader.page_objects(
        ObjectKind.MEMBERSHIP,
        (view.organization,),
        window,
        with_fact=FactKind.SUSPENSION if suspended else None,
    )
    return Page(describe(view, view.members(found.items)), found.total, found.before, found.after)


def get(view: View, user: str) -> UserView:
    """One member."""
    return describe(view, [view.member(user)])[0]


def account(view: View) -> UserView:
    """The member who asks; of a session, the user whose it is."""
    return get(view, view.actor.user.id)


def create(
    unit: Unit,
    *,
    name: str,
    first_name: str,
    last_name: str,
    email: str,
    password_verifier: str | None,
    api_enabled: bool,
    acls: Sequence[str],
    is_service: bool,
) -> NewUser:
    """Make an account whose home is this organization, with a membership of it that grants nothing but `acls`."""
    if unit.reader.find_user(limits.email(email)) is not None:
        raise Invalid("`email` belongs to an account already: send that person an invitation instead")
    user = _open_account(
        unit,
        name=name,
        first_name=first_name,
        last_name=last_name,
        email=email,
        password_verifier=password_verifier,
    )
    unit.open(Fact(FactKind.HOME, user.key, unit.organization))
    if is_service:
        unit.open(Fact(FactKind.SERVICE, user.key))
    member = join(unit, user, api_enabled=api_enabled)
    _set_acls(unit, member.membership, acls)
    return NewUser(user.id, keys.create(unit, member, name="default") if is_service else None)


def register(unit: Unit, *, name: str, email: str, password_verifier: str) -> Object:
    """Make an account that is the person's own: no organization is its home."""
    first, _, last = name.rpartition(" ")
    return _open_account(
        unit, name=name, first_name=first, last_name=last, email=email, password_verifier=password_verifier
    )


def join(unit: Unit, user: Object, *, api_enabled: bool) -> Member:
    """Make a membership of this organization that starts from nothing, whatever the user had here before.

    What an administrator of the platform assigned for when she joins counts from now on.
    """
    membership = unit.pending_of(user)
    if membership is None:
        membership = unit.create(ObjectKind.MEMBERSHIP, thing=user.key, scope=unit.organization)
    else:
        unit.close(Fact(FactKind.PENDING, membership.key, user.key, unit.organization))
        unit.open(Fact(FactKind.EXISTENCE, membership.key, user.key, unit.organization))
    if api_enabled:
        unit.open(Fact(FactKind.API_ACCESS, membership.key, scope=unit.organization))
    return Member(user, membership)


def update(
    unit: Unit,
    *,
    user: str,
    name: str | None = None,
    email: str | None = None,
    password_verifier: str | None = None,
    api_enabled: bool | None = None,
    acls: Sequence[str] | None = None,
) -> str:
    """Change what is given: name, e-mail and password of the account, `acls` and API access of the membership."""
    member = unit.member(user)
    profile = unit.reader.profiles([member.user.key])[member.user.key]
    if name is not None and name != profile.get("name"):
        _refuse_foreign_account(unit, member)
        first, _, last = limits.name(name).rpartition(" ")
        unit.write_profile(member.user, name=name, first_name=first, last_name=last)
    if email is not None and email != profile.get("email"):
        _refuse_foreign_account(unit, member)
        holder = unit.reader.find_user(limits.email(email))
        if holder is not None and holder.key != member.user.key:
            raise Invalid("`email` belongs to another account")
        unit.write_profile(member.user, email=email, email_folded=folded(email))
    if password_verifier is not None:
        _refuse_foreign_account(unit, member)
        unit.write_credential(member.user, PASSWORD, password_verifier)
    if api_enabled is not None or acls is not None:
        _update_membership(unit, member, api_enabled, acls)
    return member.user.id


def delete(unit: Unit, *, user: str) -> None:
    """Take a person out of the organization, or end a service user with its account."""
    member = unit.member(user)
    refuse_root(unit, member)
    unit.end(member.membership)
    if is_service(unit, member.user) and len(unit.memberships_of(member.user)) == 1:
        unit.end(member.user)


def is_service(view: View, user: Object) -> bool:
    """Whether the account is not a person's."""
    return bool(view.facts(user.key, FactKind.SERVICE))


def remove(unit: Unit, *, user: str) -> None:
    """End a membership for good, and with it all that hangs on it; the account and other organizations stay."""
    member = unit.member(user)
    refuse_root(unit, member)
    unit.end(member.membership)


def suspend(unit: Unit, *, user: str) -> bool:
    """Take all access here until it is lifted, and say whether it was not so before. Every assignment stays."""
    member = unit.member(user)
    if unit.asks is not None and unit.actor.is_user(member.user):
        raise Forbidden("nobody suspends himself")
    refuse_root(unit, member)
    return unit.open(Fact(FactKind.SUSPENSION, member.membership.key, scope=unit.organization))


def unsuspend(unit: Unit, *, user: str) -> bool:
    """Give back what a suspension took, and say whether there was one."""
    membership = unit.member(user).membership
    return unit.close(Fact(FactKind.SUSPENSION, membership.key, scope=unit.organization))


def is_suspended(view: View, member: Member) -> bool:
    """Whether all access here is taken from the member until it is lifted."""
    return bool(view.facts(member.membership.key, FactKind.SUSPENSION))


def refuse_root(unit: Unit, member: Member) -> None:
    """Refuse to end or suspend a root: never the last one, and another only by a root."""
    if not unit.is_root(member.membership):
        return
    if unit.asks is not None and not unit.actor.is_root and not unit.is_administered:
        raise Forbidden("only root may remove or suspend root")
    roots = {root.fact.holder for root in unit.intervals_on(unit.organization, FactKind.ROOT)}
    if not any(_can_act(unit, root) for root in roots - {member.membership.key}):
        raise Forbidden("the last root cannot be removed or suspended: transfer the ownership first")


def _can_act(view: View, membership: int) -> bool:
    """Whether a member, by key, is there, not suspended, and her account not blocked."""
    joined = view.facts(membership, FactKind.EXISTENCE)
    is_free = not view.facts(membership, FactKind.SUSPENSION)
    return is_free and any(view.exists(fact.thing) and not view.facts(fact.thing, FactKind.BLOCK) for fact in joined)


def describe(view: View, members: Sequence[Member]) -> list[UserView]:
    """Members as people see them, in their order."""
    users = [member.user.key for member in members]
    memberships = [member.membership.key for member in members]
    profiles = view.reader.profiles(users)
    times = view.reader.profile_times(users)
    facts: dict[int, list[Fact]] = {key: [] for key in memberships}
    inviters = _inviters(view, memberships)
    used = view.reader.last_uses(memberships)
    since: dict[int, int] = {}
    suspended: dict[int, int] = {}
    for interval in view.reader.intervals(memberships):
        if not interval.fact.alive(view.reader.instant):
            continue
        facts[interval.fact.holder].append(interval.fact)
        if interval.fact.kind is FactKind.EXISTENCE:
            since[interval.fact.holder] = interval.revision_from
        if interval.fact.kind is FactKind.SUSPENSION:
            suspended[interval.fact.holder] = interval.revision_from
    origins = view.reader.origins({*since.values(), *suspended.values()})
    services = {interval.fact.holder for interval in view.reader.intervals(users, FactKind.SERVICE)}
    permissions = view.reader.objects({fact.thing for held in facts.values() for fact in _granted(held)})
    described = []
    for user, membership in ((member.user, member.membership) for member in members):
        profile, held = profiles[user.key], facts[membership.key]
        kinds = {fact.kind for fact in held}
        described.append(
            UserView(
                user,
                membership,
                profile.get("name", ""),
                profile.get("first_name", ""),
                profile.get("last_name", ""),
                profile.get("email", ""),
                user.key in services,
                FactKind.ROOT in kinds,
                FactKind.API_ACCESS in kinds,
                [
                    ACL_NAMES[permissions[fact.thing].id]
                    for fact in _granted(held)
                    if permissions[fact.thing].id in ACL_NAMES
                ],
                origins[suspended[membership.key]][0] if membership.key in suspended else None,
                times.get(user.key, user.created_at),
                inviters.get(membership.key, origins[since[membership.key]][1]),
                used.get(membership.key),
            )
        )
    return described


def _inviters(view: View, memberships: Sequence[int]) -> dict[int, str]:
    """Who invited those members who accepted an invitation."""
    accepted = {
        interval.fact.holder: interval.fact.thing
        for interval in view.reader.intervals_on(memberships, FactKind.ACCEPTANCE)
    }
    made = {
        accepted[interval.fact.holder]: interval.revision_from
        for interval in view.reader.intervals(accepted, FactKind.EXISTENCE)
    }
    origins = view.reader.origins(made.values())
    return {membership: origins[revision][1] for membership, revision in made.items()}


def _open_account(
    unit: Unit, *, name: str, first_name: str, last_name: str, email: str, password_verifier: str | None
) -> Object:
    user = unit.create(ObjectKind.USER, owner=PLATFORM)
    unit.write_profile(
        user,
        name=limits.name(name),
        first_name=first_name,
        last_name=last_name,
        email=email,
        email_folded=folded(email),
    )
    if password_verifier is not None:
        unit.write_credential(user, PASSWORD, password_verifier)
    return user


def grant_acl(unit: Unit, *, user: str, acl: str, expires_at: int | None = None) -> None:
    """Give a member one more legacy permission. With `expires_at` time ends it then."""
    member = unit.member(user)
    _refuse_on_root(unit, member)
    grant = _grant_of(unit, member.membership, acl)
    unit.open(replace(grant, expires_at=limits.end(expires_at, unit.now)))


def revoke_acl(unit: Unit, *, user: str, acl: str) -> None:
    """Take one legacy permission from a member, if she has it."""
    member = unit.member(user)
    _refuse_on_root(unit, member)
    unit.close(_grant_of(unit, member.membership, acl))


def _granted(facts: Sequence[Fact]) -> list[Fact]:
    return [fact for fact in facts if fact.kind is FactKind.PERMISSION_GRANT]


def _update_membership(unit: Unit, member: Member, api_enabled: bool | None, acls: Sequence[str] | None) -> None:
    """Change what belongs to the membership. Asking about oneself is no right to do this."""
    if not unit.actor.may(_UPDATE, "user", member.user.id):
        raise Forbidden(f"not permitted: `{_UPDATE}`")
    _refuse_on_root(unit, member)
    if api_enabled is not None:
        access = Fact(FactKind.API_ACCESS, member.membership.key, scope=unit.organization)
        (unit.open if api_enabled else unit.close)(access)
    if acls is not None:
        _set_acls(unit, member.membership, acls)


def _refuse_on_root(unit: Unit, member: Member) -> None:
    if unit.is_root(member.membership) and not unit.actor.is_root:
        raise Forbidden("only root may change what root has")


def _set_acls(unit: Unit, membership: Object, acls: Sequence[str]) -> None:
    """Make `acls` the legacy permissions of a membership: what is more is granted, what is less is revoked.

    What time will end stays so: to name it again is not to give it for good.
    """
    held = {fact.thing: fact for fact in unit.facts(membership.key, FactKind.PERMISSION_GRANT)}
    wanted = {grant.thing: grant for grant in (_grant_of(unit, membership, acl) for acl in acls)}
    for thing in sorted(wanted.keys() - held.keys()):
        unit.open(wanted[thing])
    for thing, permission in sorted(unit.reader.objects(held.keys() - wanted.keys()).items()):
        if permission.id in ACL_NAMES:
            unit.close(held[thing])


def _grant_of(unit: Unit, membership: Object, acl: str) -> Fact:
    if acl not in ACLS:
        raise Invalid(f"unknown acl `{acl}`")
    permission = unit.get(ObjectKind.PERMISSION, ACLS[acl].id)
    return Fact(FactKind.PERMISSION_GRANT, membership.key, permission.key, unit.organization)


def _refuse_foreign_account(unit: Unit, member: Member) -> None:
    """An account is changed by the person, or by its home while she is a member nowhere else.

    A key that somebody made for her is not the person.
    """
    if unit.actor.is_user(member.user) and unit.actor.is_personal:
        return
    if not unit.actor.may(_UPDATE, "user", member.user.id):
        raise Forbidden(f"not permitted: `{_UPDATE}`")
    if snapshot_of(unit.reader, Principal(member.user.key)).reaches:
        raise Forbidden("the account of somebody with rights outside of organizations is changed by the person alone")
    home = {fact.thing for fact in unit.facts(member.user.key, FactKind.HOME)}
    if home != {unit.organization} or len(unit.memberships_of(member.user)) != 1:
        raise Forbidden("name, e-mail and password of this account are changed by the person alone")
    refuse_credential(unit, member)
