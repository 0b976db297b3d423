"""The rules beyond requirements: no escalation, root, home, credentials, suspension."""

from collections.abc import Callable
from typing import Any

import pytest

from rescind.app import application
from rescind.node import build
from rescind.settings import Settings
from world import Person, World, allow, deny, document, personal_key


@pytest.fixture
def root(small_world: World) -> World:
    return small_world


def admin(root: World, *documents: dict[str, Any]) -> World:
    """A member who administers everything and holds what else the documents say."""
    person = root.person()
    # Without `iam.Escalate`, which `iam.*` would hold.
    root.attach_policy(root.policy(allow("iam.*.*", "account.user.*")), user=person.id)
    for held in documents:
        root.attach_policy(root.policy(held), user=person.id)
    return root.as_(person.key)


def refused(world: World, method: str, path: str, body: object = None) -> None:
    """403, and nothing was written."""
    before = world.call("GET", "/v2/users/me/groups").headers["Rescind-Revision"]
    response = world.call(method, path, body)
    assert response.status_code == 403, response.text
    assert world.call("GET", "/v2/users/me/groups").headers["Rescind-Revision"] == before


# --- no escalation --------------------------------------------------------------------------------------------------

Grant = Callable[[World, World, Person], tuple[str, str, object]]


def attach_policy(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    return "POST", f"/v2/policies/{root.policy(allow('disk.Read'))}/users/{ann.id}", None


def attach_policy_to_group(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    return "POST", f"/v2/policies/{root.policy(allow('disk.Read'))}/groups/{root.group(ann)}", None


def attach_role(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    return "POST", f"/v2/roles/{root.role(root.policy(allow('disk.Read')))}/users/{ann.id}", None


def attach_role_to_group(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    return "POST", f"/v2/roles/{root.role(root.policy(allow('disk.Read')))}/groups/{root.group(ann)}", None


def put_policy_into_role(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    role = root.role()
    root.attach_role(role, user=ann.id)
    return "POST", f"/v2/roles/{role}/policies/{root.policy(allow('disk.Read'))}", None


def edit_policy(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    policy = root.policy(allow("iam.group.List"))
    root.attach_policy(policy, user=ann.id)
    return "PUT", f"/v2/policies/{policy}", {"policy_document": allow("iam.group.List", "disk.Read")}


def add_member(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    group = root.group()
    root.attach_role(root.role(root.policy(allow("disk.Read"))), group=group)
    return "POST", f"/v2/groups/{group}/members", {"user_id": ann.id}


def turn_role_assignable(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    role = root.role(root.policy(allow("disk.Read")), role_type="assumable")
    root.attach_role(role, user=ann.id)
    return "PUT", f"/v2/roles/{role}", {"role_type": "assignable"}


def restore_role(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    role = root.role(root.policy(allow("disk.Read")))
    root.attach_role(role, user=ann.id)
    root.delete(f"/v2/roles/{role}")
    return "PATCH", f"/v2/roles/{role}/restore", None


def restore_policy(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    policy = root.policy(allow("disk.Read"))
    root.attach_policy(policy, user=ann.id)
    root.delete(f"/v2/policies/{policy}")
    return "PATCH", f"/v2/policies/{policy}/restore", None


def unsuspend(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    root.attach_policy(root.policy(allow("disk.Read")), user=ann.id)
    organization = root.organization()
    assert root.call("PUT", f"/v2/organizations/{organization}/user/{ann.id}/suspend").status_code == 204
    return "PUT", f"/v2/organizations/{organization}/user/{ann.id}/unsuspend", None


def enable_api(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    root.attach_policy(root.policy(allow("disk.Read")), user=ann.id)
    assert root.call("PATCH", f"/v2/users/{ann.id}", {"api_enabled": False}).status_code == 202
    return "PATCH", f"/v2/users/{ann.id}", {"api_enabled": True}


def detach_deny(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    policy = root.policy(deny("disk.Read"))
    root.attach_policy(policy, user=ann.id)
    return "DELETE", f"/v2/policies/{policy}/users/{ann.id}", None


def leave_denied_group(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    group = root.group(ann)
    root.attach_role(root.role(root.policy(deny("disk.Read"))), group=group)
    return "DELETE", f"/v2/groups/{group}/members/{ann.id}", None


def delete_denying_policy(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    policy = root.policy(deny("disk.Read"))
    root.attach_policy(policy, user=ann.id)
    return "DELETE", f"/v2/policies/{policy}", None


def delete_denying_group(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    group = root.group(ann)
    root.attach_policy(root.policy(deny("disk.Read")), group=group)
    return "DELETE", f"/v2/groups/{group}", None


def delete_denying_role(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    role = root.role(root.policy(deny("disk.Read")))
    root.attach_role(role, user=ann.id)
    return "DELETE", f"/v2/roles/{role}", None


def drop_deny_by_edit(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    both = document(*allow("iam.group.List")["Statement"], *deny("disk.Read")["Statement"])
    policy = root.policy(both)
    root.attach_policy(policy, user=ann.id)
    return "PUT", f"/v2/policies/{policy}", {"policy_document": allow("iam.group.List")}


def turn_denying_role_assumable(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    role = root.role(root.policy(deny("disk.Read")))
    root.attach_role(role, user=ann.id)
    return "PUT", f"/v2/roles/{role}", {"role_type": "assumable", "max_session_duration": 3600}


def grant_acl(_: World, __: World, ann: Person) -> tuple[str, str, object]:
    return "PATCH", f"/v2/users/{ann.id}", {"acls": ["dns"]}


def create_user_with_acl(_: World, __: World, ann: Person) -> tuple[str, str, object]:
    body = {"email": f"x{ann.email}", "name": "X", "password": "correct horse", "acls": ["dns"]}
    return "POST", "/v2/users", body


def key_for_stronger(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    root.attach_policy(root.policy(allow("disk.Read")), user=ann.id)
    return "POST", f"/v2/users/{ann.id}/apikeys", {"name": "n"}


def password_of_stronger(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    root.attach_policy(root.policy(allow("disk.Read")), user=ann.id)
    return "PATCH", f"/v2/users/{ann.id}", {"password": "another horse"}


def email_of_stronger(root: World, _: World, ann: Person) -> tuple[str, str, object]:
    root.attach_policy(root.policy(allow("disk.Read")), user=ann.id)
    return "PATCH", f"/v2/users/{ann.id}", {"email": f"mine{ann.email}"}


GRANTS = [
    attach_policy,
    attach_policy_to_group,
    attach_role,
    attach_role_to_group,
    put_policy_into_role,
    edit_policy,
    add_member,
    turn_role_assignable,
    restore_role,
    restore_policy,
    unsuspend,
    enable_api,
    detach_deny,
    leave_denied_group,
    delete_denying_policy,
    delete_denying_group,
    delete_denying_role,
    drop_deny_by_edit,
    turn_denying_role_assumable,
    grant_acl,
    create_user_with_acl,
    key_for_stronger,
    password_of_stronger,
    email_of_stronger,
]
HELD = allow("disk.*", "user.acl.DNS")


@pytest.mark.parametrize("grant", GRANTS, ids=lambda grant: grant.__name__)
def test_nobody_grants_what_he_does_not_hold(root: World, grant: Grant) -> None:
    """An administrator without the right in question is refused; one who holds it, or may escalate, is not."""
    ann = root.person()
    weak = admin(root)
    method, path, body = grant(root, weak, ann)

    refused(weak, method, path, body)
    refused(admin(root, allow("disk.Read", "user.acl.DNS", on="disk:d1")), method, path, body)
    conditional = {"Condition": {"Bool": {"context.mfa": True}}}
    refused(admin(root, allow("*", **conditional)), method, path, body)
    refused(admin(root, HELD, deny("*.Read", "user.acl.*", on="disk:d9")), method, path, body)
    assert admin(root, HELD).call(method, path, body).status_code < 300


@pytest.mark.parametrize("grant", GRANTS[::4], ids=lambda grant: grant.__name__)
def test_who_may_escalate_may_grant_anything(root: World, grant: Grant) -> None:
    """`iam.Escalate` lifts the rule for whoever has it."""
    ann = root.person()
    method, path, body = grant(root, root, ann)

    assert admin(root, allow("iam.Escalate")).call(method, path, body).status_code < 300


def test_faithful_grants_switch_the_rule_off(make_database: Callable[[str], str]) -> None:
    """With `--wire-faithful-grants` an administrator grants what he does not hold, as the emulated system lets him."""
    from loopback import Loopback
    from world import ROOT_KEY

    node = build(Settings(database=make_database("sqlite"), faithful_grants=True))
    with Loopback(application(node)) as client:
        root = World(client, ROOT_KEY)
        method, path, body = attach_policy(root, root, root.person())

        assert admin(root).call(method, path, body).status_code == 201


# --- root -----------------------------------------------------------------------------------------------------------


def root_id(root: World) -> str:
    return next(user["id"] for user in root.get("/v2/users")["users"] if user["email"] == "root@example.org")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/v2/users/{root}", None),
        ("DELETE", "/v2/organizations/{organization}/user/{root}", None),
        ("PUT", "/v2/organizations/{organization}/user/{root}/suspend", None),
    ],
)
def test_the_last_root_stays(root: World, method: str, path: str, body: object) -> None:
    """Neither root nor anybody else removes or suspends the last root."""
    path = path.format(root=root_id(root), organization=root.organization())

    refused(root, method, path, body)
    refused(admin(root, allow("*")), method, path, body)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v2/users/{root}/apikeys", {"name": "n"}),
        ("DELETE", "/v2/users/{root}/apikeys/{key}", None),
        ("PATCH", "/v2/users/{root}", {"password": "another horse"}),
        ("PATCH", "/v2/users/{root}", {"email": "mine@example.org"}),
        ("PATCH", "/v2/users/{root}", {"name": "Mine"}),
        ("PATCH", "/v2/users/{root}", {"acls": ["dns"]}),
        ("PATCH", "/v2/users/{root}", {"api_enabled": False}),
    ],
)
def test_nobody_but_root_touches_what_is_roots(root: World, method: str, path: str, body: object) -> None:
    """Keys, password, e-mail, `acls` and API access of root are hers alone, whatever an administrator holds."""
    key = root.get("/v2/apikeys")["api_keys"][0]["id"]
    path = path.format(root=root_id(root), key=key)

    refused(admin(root, allow("*")), method, path, body)
    assert root.call(method, path, body).status_code < 300


def test_nobody_suspends_himself(root: World) -> None:
    """Who did could not take it back."""
    person = root.person()
    root.attach_policy(root.policy(allow("*")), user=person.id)

    refused(root.as_(person.key), "PUT", f"/v2/organizations/{root.organization()}/user/{person.id}/suspend")


# --- accounts and keys ----------------------------------------------------------------------------------------------


def test_who_asks_about_himself_may_change_his_account_and_no_rights(root: World) -> None:
    """Name, e-mail and password are the person's own; `acls` and API access are not."""
    ann = root.person()
    as_ann = root.own(ann)

    for own in ({"name": "Ann Other"}, {"email": f"new{ann.email}"}, {"password": "another horse"}, {}):
        assert as_ann.call("PATCH", f"/v2/users/{ann.id}", own).status_code == 202
    for not_own in ({"acls": ["dns"]}, {"api_enabled": True}, {"api_enabled": False}):
        refused(as_ann, "PATCH", f"/v2/users/{ann.id}", not_own)


def test_a_key_that_somebody_made_for_her_is_not_the_person(root: World) -> None:
    """It changes no account, and acts nowhere but in its organization, however long she has been elsewhere."""
    ann = root.person()
    root.attach_policy(root.policy(allow("iam.organization.*")), user=ann.id)
    made_before = root.as_(ann.key)
    hers = root.own(ann).post("/v2/organizations", {"name": "Hers"})["id"]
    made_after = root.as_(root.post(f"/v2/users/{ann.id}/apikeys", {"name": "n"})["api_key"]["api_key"])
    minted = root.as_(made_before.post("/v2/apikeys", {"name": "n"})["api_key"]["api_key"])

    for somebody in (made_before, made_after, minted):
        for change in ({"name": "Not Ann"}, {"email": f"not{ann.email}"}, {"password": "another horse"}):
            refused(somebody, "PATCH", f"/v2/users/{ann.id}", change)
        assert hers not in [found["id"] for found in somebody.get("/v2/organizations")["orgs"]]
        assert somebody.status(f"/v2/organizations/{hers}") == 404
        assert somebody.status(f"/v2/organizations/{hers}", "DELETE") == 404
    assert root.own(ann).status(f"/v2/organizations/{hers}") == 200


def test_a_key_reaches_the_organizations_that_were_founded_through_it(root: World) -> None:
    """For calls 1 to 6: it shows and changes what it founded, and nothing else of its person's."""
    ann = root.person()
    root.attach_policy(root.policy(allow("iam.organization.*")), user=ann.id)
    as_ann = root.as_(ann.key)
    founded = as_ann.post("/v2/organizations", {"name": "Founded"})["id"]

    assert founded in [found["id"] for found in as_ann.get("/v2/organizations")["orgs"]]
    assert as_ann.status(f"/v2/organizations/{founded}") == 200


def test_a_key_makes_none_that_outlives_it(root: World) -> None:
    """A key with an expiry makes keys that expire no later."""
    ann = root.person()
    limited = {"expire": True, "date_expire": "2999-01-01"}
    as_first = root.as_(root.post(f"/v2/users/{ann.id}/apikeys", limited)["api_key"]["api_key"])

    for asked in ({}, {"expire": True, "date_expire": "2999-01-02"}):
        assert as_first.call("POST", "/v2/apikeys", asked).status_code == 400
    assert as_first.call("POST", "/v2/apikeys", limited).status_code == 202


def test_a_service_user_founds_nothing(root: World) -> None:
    """So its account, which ends with its membership, never owns anything elsewhere."""
    robot = root.person(service=True, password=None)
    root.attach_policy(root.policy(allow("*")), user=robot.id)

    refused(root.as_(robot.key), "POST", "/v2/organizations", {"name": "Its"})


def test_suspending_and_shutting_out_need_no_rights_of_the_one_who_loses_them(root: World) -> None:
    """Taking access away is never a grant: who may suspend or disable API access may do so to the stronger."""
    strong = root.person()
    root.attach_policy(
        root.policy(document(*allow("disk.*")["Statement"], *deny("disk.Format")["Statement"])), user=strong.id
    )
    weak = admin(root)

    assert weak.call("PATCH", f"/v2/users/{strong.id}", {"api_enabled": False}).status_code == 202
    assert weak.call("PUT", f"/v2/organizations/{root.organization()}/user/{strong.id}/suspend").status_code == 204


def test_a_grant_too_intricate_to_judge_is_refused_at_once(root: World) -> None:
    """Patterns made to be slow to compare end in 403, not in minutes under the write lock."""
    weak = admin(root, HELD, deny("disk." + "a*" * 2000 + "Z"))
    policy = root.policy(allow("disk." + "a*" * 2000 + "Y"))

    refused(weak, "POST", f"/v2/policies/{policy}/users/{root.person().id}")


def test_api_access_and_suspension_there_bind_a_person_who_acts_there(root: World) -> None:
    """A key of her own does nothing in an organization where her membership may not use the API or is suspended."""
    ann = root.person()
    root.attach_policy(root.policy(allow("iam.organization.*")), user=ann.id)
    hers = root.own(ann).post("/v2/organizations", {"name": "Hers"})["id"]
    assert root.node is not None
    elsewhere = root.as_(personal_key(root.node, hers, ann.id))
    mine = root.organization()
    assert elsewhere.status(f"/v2/organizations/{mine}") == 200

    root.call("PATCH", f"/v2/users/{ann.id}", {"api_enabled": False})

    assert elsewhere.status(f"/v2/organizations/{mine}") == 403
    assert [found["id"] for found in elsewhere.get("/v2/organizations")["orgs"]] == [hers]


def test_who_may_read_the_log_is_said_of_the_organization(root: World) -> None:
    """An Allow or a Deny on the organization's id decides about its log; the number of a change is no id."""
    ann, ben = root.person(), root.person()
    mine = f"organization:{root.organization()}"
    root.attach_policy(root.policy(allow("iam.change.List", on=mine)), user=ann.id)
    root.attach_policy(root.policy(allow("iam.change.List", on="organization:2")), user=ben.id)

    assert [root.as_(ann.key).status(path) for path in ("/v1/changes", "/v1/changes/2")] == [200, 200]
    assert [root.as_(ben.key).status(path) for path in ("/v1/changes", "/v1/changes/2")] == [403, 403]
    root.attach_policy(root.policy(deny("iam.change.List", on=mine)), user=ann.id)
    assert root.as_(ann.key).status("/v1/changes") == 403


def test_two_spellings_of_an_address_are_one(root: World) -> None:
    """However its letters are composed and cased, an e-mail address has one account."""
    root.post("/v2/users", {"email": "jos\u00e9@example.org", "name": "J", "password": "correct horse"})

    for spelling in ("jose\u0301@example.org", "JOSE\u0301@EXAMPLE.ORG"):
        answer = root.call("POST", "/v2/users", {"email": spelling, "name": "J", "password": "correct horse"})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "query", ["preview", "preview=false", "x=1;preview=true", "preview[]=1", "preview%00=1", "%70review", "PREVIEW=1"]
)
def test_whatever_looks_like_a_preview_is_never_a_removal(root: World, query: str) -> None:
    """400, and nothing is taken; the same for an `If-Match` that cannot be honoured."""
    group = root.group()

    assert root.call("DELETE", f"/v2/groups/{group}?{query}").status_code == 400
    assert root.call("DELETE", f"/v2/groups/{group}", headers={"If-Match": "x"}).status_code == 400
    assert root.status(f"/v2/groups/{group}") == 200


def test_an_account_is_changed_by_its_home_while_she_is_a_member_nowhere_else(root: World) -> None:
    """Once she has an organization of her own, her name, e-mail and password are hers alone."""
    ann = root.person()
    root.attach_policy(root.policy(allow("iam.organization.Create")), user=ann.id)
    changes = ({"name": "Other Name"}, {"email": f"other{ann.email}"}, {"password": "another horse"})
    for change in changes:
        assert root.call("PATCH", f"/v2/users/{ann.id}", change).status_code == 202

    root.own(ann).post("/v2/organizations", {"name": "Hers"})

    for change in ({"name": "Third Name"}, {"email": f"third{ann.email}"}, {"password": "third horse"}):
        refused(root, "PATCH", f"/v2/users/{ann.id}", change)
    assert root.call("PATCH", f"/v2/users/{ann.id}", {"acls": ["dns"]}).status_code == 202, "the membership is ours"


def test_a_suspended_member_is_refused_until_it_is_lifted(root: World) -> None:
    """403 for every call, her own data too; every assignment stays and counts again afterwards."""
    ann = root.person()
    root.attach_policy(root.policy(allow("iam.group.List")), user=ann.id)
    as_ann, organization = root.as_(ann.key), root.organization()
    suspension = f"/v2/organizations/{organization}/user/{ann.id}"

    assert root.call("PUT", f"{suspension}/suspend").status_code == 204
    assert [as_ann.status(path) for path in ("/v2/groups", "/v2/users/me/groups", "/v2/organizations")] == [403] * 3
    suspended = root.get(f"/v2/organizations/{organization}/suspended-users")["users"]
    assert [user["uuid"] for user in suspended] == [ann.id]
    assert root.get(f"/v2/users/{ann.id}/policies")["policies"]["all"] != []

    assert root.call("PUT", f"{suspension}/unsuspend").status_code == 204
    assert as_ann.status("/v2/groups") == 200


def test_a_key_dies_with_its_deletion_its_expiry_and_its_members_api_access(root: World) -> None:
    """401 for an ended key, 403 while API access is off; other keys of the same member live on."""
    ann = root.person()
    root.attach_policy(root.policy(allow("iam.group.List")), user=ann.id)
    as_ann = root.as_(ann.key)
    second = as_ann.post("/v2/apikeys", {"name": "second"})["api_key"]
    as_second = root.as_(second["api_key"])

    assert as_second.status("/v2/groups") == 200
    as_ann.delete(f"/v2/apikeys/{second['id']}")
    assert (as_second.status("/v2/groups"), as_ann.status("/v2/groups")) == (401, 200)

    root.call("PATCH", f"/v2/users/{ann.id}", {"api_enabled": False})
    assert as_ann.status("/v2/groups") == 403
    root.call("PATCH", f"/v2/users/{ann.id}", {"api_enabled": True})
    assert as_ann.status("/v2/groups") == 200


def test_a_service_user_ends_with_its_account(root: World) -> None:
    """Deleting it frees its e-mail address and ends its key."""
    robot = root.person(service=True, password=None)
    assert root.as_(robot.key).status("/v2/users/me/groups") == 200

    root.delete(f"/v2/users/{robot.id}")

    assert root.as_(robot.key).status("/v2/users/me/groups") == 401
    assert root.call("POST", "/v2/users", {"email": robot.email, "name": "R", "service_user": True}).status_code == 201


def test_an_ended_organization_lets_nobody_in_but_its_root_to_restore_it(root: World) -> None:
    """Its keys are dead for everything but the restore by root; after that everything is as it was."""
    founder = root.person()
    root.attach_policy(root.policy(allow("iam.organization.*")), user=founder.id)
    as_founder = root.as_(founder.key)
    hers = as_founder.post("/v2/organizations", {"name": "Hers"})["id"]
    mine = root.organization()

    as_founder.delete(f"/v2/organizations/{hers}")
    assert as_founder.call("GET", f"/v2/organizations/{hers}").json()["error"] == "Organization not found."
    assert [found["id"] for found in as_founder.get("/v2/organizations")["orgs"]] == [mine]
    assert root.call("PATCH", f"/v2/organizations/{hers}/restore").status_code == 404, "a stranger"
    assert as_founder.call("PATCH", f"/v2/organizations/{hers}/restore").status_code == 204
    assert as_founder.status(f"/v2/organizations/{hers}") == 200

    root.delete(f"/v2/organizations/{mine}")
    assert [root.status(path) for path in ("/v2/groups", "/v2/users/me/groups")] == [401, 401]
    assert as_founder.call("PATCH", f"/v2/organizations/{mine}/restore").status_code == 403, "a member, not root"
    assert root.call("PATCH", f"/v2/organizations/{mine}/restore").status_code == 204
    assert root.status("/v2/groups") == 200


def test_managed_objects_are_read_only(root: World) -> None:
    """A platform policy can be attached, and neither changed nor deleted, even by root."""
    managed = next(policy for policy in root.get("/v2/policies")["policies"] if policy["is_system_policy"])
    ann = root.person()

    refused(root, "PUT", f"/v2/policies/{managed['id']}", {"name": "mine"})
    refused(root, "DELETE", f"/v2/policies/{managed['id']}")
    refused(root, "PATCH", f"/v2/policies/{managed['id']}/restore")
    root.attach_policy(managed["id"], user=ann.id)


def test_manage_users_implies_everything_by_its_statement(root: World) -> None:
    """The legacy permission `manage_users` lets its holder administer, and PATCHing it away revokes that."""
    ann = root.person(acls=["manage_users"])
    as_ann = root.as_(ann.key)
    assert as_ann.status("/v2/groups") == 200

    assert root.call("PATCH", f"/v2/users/{ann.id}", {"acls": ["dns"]}).status_code == 202

    assert as_ann.status("/v2/groups") == 403
    assert root.get(f"/v2/users/{ann.id}")["user"]["acls"] == ["dns"]


def test_conditions_read_what_the_server_knows(root: World) -> None:
    """A condition on the source address is judged by the peer's, whatever a header says."""
    ann = root.person()
    condition = {"Condition": {"IpAddress": {"context.source_ip": "192.0.2.0/24"}}}
    root.attach_policy(root.policy(allow("iam.group.List", **condition)), user=ann.id)
    as_ann = root.as_(ann.key)

    response = as_ann.call("GET", "/v2/groups", headers={"X-Forwarded-For": "192.0.2.1"})

    assert response.status_code == 403
