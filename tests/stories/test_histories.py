"""Random histories: the product agrees with the specification at every revision, and nothing taken comes back."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spec
from decision.worlds import said
from rescind.node import build
from rescind.settings import Settings
from rescind.store.verify import verify
from rescind.usecases import groups, policies, roles, users
from stories.histories import History, documents, question

TWO, THREE = st.integers(0, 1), st.integers(0, 2)
Step = tuple[str, tuple[int, ...]]

STEPS: dict[str, tuple[Callable[..., Any], tuple[st.SearchStrategy[int], ...]]] = {
    "attach role to user": (lambda h, u, r: h.act(roles.attach_users, roles=[h.roles[r]], user=h.users[u]), (TWO, TWO)),
    "detach role from user": (
        lambda h, u, r: h.act(roles.detach_users, roles=[h.roles[r]], user=h.users[u]),
        (TWO, TWO),
    ),
    "attach role to group": (lambda h, g, r: h.act(roles.attach_group, role=h.roles[r], group=h.groups[g]), (TWO, TWO)),
    "detach role from group": (
        lambda h, g, r: h.act(roles.detach_group, role=h.roles[r], group=h.groups[g]),
        (TWO, TWO),
    ),
    "attach policy to role": (
        lambda h, r, p: h.act(roles.attach_policy, role=h.roles[r], policy=h.policies[p]),
        (TWO, THREE),
    ),
    "detach policy from role": (
        lambda h, r, p: h.act(roles.detach_policy, role=h.roles[r], policy=h.policies[p]),
        (TWO, THREE),
    ),
    "attach policy to user": (
        lambda h, u, p: h.act(policies.attach_user, policy=h.policies[p], user=h.users[u]),
        (TWO, THREE),
    ),
    "detach policy from user": (
        lambda h, u, p: h.act(policies.detach_user, policy=h.policies[p], user=h.users[u]),
        (TWO, THREE),
    ),
    "attach policy to group": (
        lambda h, g, p: h.act(policies.attach_group, policy=h.policies[p], group=h.groups[g]),
        (TWO, THREE),
    ),
    "detach policy from group": (
        lambda h, g, p: h.act(policies.detach_group, policy=h.policies[p], group=h.groups[g]),
        (TWO, THREE),
    ),
    "add member": (lambda h, g, u: h.act(groups.add_member, group=h.groups[g], user=h.users[u]), (TWO, TWO)),
    "remove member": (lambda h, g, u: h.act(groups.remove_member, group=h.groups[g], user=h.users[u]), (TWO, TWO)),
    "delete role": (lambda h, r: h.act(roles.delete, role=h.roles[r]), (TWO,)),
    "restore role": (lambda h, r: h.act(roles.restore, role=h.roles[r]), (TWO,)),
    "turn role": (
        lambda h, r, t: h.act(roles.update, role=h.roles[r], role_type=("assignable", "assumable")[t]),
        (TWO, TWO),
    ),
    "delete policy": (lambda h, p: h.act(policies.delete, policy=h.policies[p]), (THREE,)),
    "restore policy": (lambda h, p: h.act(policies.restore, policy=h.policies[p]), (THREE,)),
    "edit policy": (
        lambda h, p, d: h.act(policies.update, policy=h.policies[p], document=documents()[d]),
        (THREE, THREE),
    ),
    "delete group": (lambda h, g: h.act(groups.delete, group=h.groups[g]), (TWO,)),
    "remove user": (lambda h, u: h.act(users.remove, user=h.users[u]), (TWO,)),
    "invite again": (lambda h, u: h.join(u), (TWO,)),
    "suspend": (lambda h, u: h.act(h.suspend, user=h.users[u]), (TWO,)),
    "unsuspend": (lambda h, u: h.act(users.unsuspend, user=h.users[u]), (TWO,)),
}
ADDS = [name for name in STEPS if name.startswith(("attach", "add"))]
ACTIONS = ("a0", "a1", "a2", "b")


def steps_of(names: list[str]) -> st.SearchStrategy[Step]:
    """One of the steps of those names, with numbers."""
    return st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), st.tuples(*STEPS[name][1])))


steps = steps_of([*STEPS, *ADDS, *ADDS])


def take(history: History, step: Step) -> None:
    name, numbers = step
    STEPS[name][0](history, *numbers)


@pytest.fixture(params=["sqlite", "postgres"], scope="module")
def make_history(
    request: pytest.FixtureRequest, make_database: Callable[[str], str]
) -> Iterator[Callable[[], History]]:
    """Histories side by side in one database of each kind, each in an organization of its own."""
    node = build(Settings(database=make_database(request.param)))
    yield lambda: History(node)
    report = verify(node.store)
    assert not report.differences, "the log of all histories proves the tables"
    node.store.close()


@settings(max_examples=60)
@given(st.lists(steps, min_size=5, max_size=30), st.data())
def test_the_product_is_the_specification(
    make_history: Callable[[], History], taken: list[Step], data: st.DataObject
) -> None:
    """After any history, decisions loaded from the store are the specification's, now and at any older revision."""
    history = make_history()
    first = history.revision
    for step in taken:
        take(history, step)
    rows, now = history.rows(), history.node.freshness.now()
    # Of a hundred, not of the revisions there are: those differ when an example is tried again.
    older = first - 1 + (now.revision - first + 1) * data.draw(st.integers(0, 100)) // 100

    for revision in (now.revision, older):
        for number in range(2):
            for action in ACTIONS:
                asked = question(history.key(number), history.organization, action)
                expected = spec.decide(rows, asked, revision, now.instant)
                assert said(history.decide(number, action, revision, now.instant)) == tuple(expected)


TAKES = [name for name in STEPS if name.startswith(("detach", "remove", "delete", "suspend"))]
GIVES_BACK = [name for name in STEPS if name.startswith(("restore", "invite", "unsuspend"))]
ENDS = [name for name in STEPS if name.startswith(("delete", "remove user"))]
EVERYTHING_BACK = [(name, (number,)) for name in GIVES_BACK for number in range(3 if name == "restore policy" else 2)]
taking, giving_back, adding = steps_of(TAKES), steps_of([*GIVES_BACK, *ENDS]), steps_of(ADDS)


@settings(max_examples=60)
@given(
    st.lists(adding, min_size=3, max_size=10),
    st.sampled_from(["detach role", "detach policy", "remove member", "remove user"]),
    st.tuples(TWO, TWO, THREE),
    st.lists(giving_back, max_size=4),
    st.lists(st.one_of(giving_back, taking), min_size=1, max_size=10),
)
def test_what_was_taken_stays_taken(
    make_history: Callable[[], History],
    built: list[Step],
    taken: str,
    numbers: tuple[int, int, int],
    before: list[Step],
    after: list[Step],
) -> None:
    """Restore, new invitation and role deletion, in whatever order around a removal, never bring back its edge."""
    history = make_history()
    for step in built:
        take(history, step)
    # What is deleted when the edge is taken may be restored later: the edge must not come with it.
    for step in before:
        take(history, step)
    user, other, policy = numbers
    edges = {
        "detach role": ("detach role from user", (user, other)),
        "detach policy": ("detach policy from user", (user, policy)),
        "remove member": ("remove member", (other, user)),
        "remove user": ("remove user", (user,)),
    }
    before_it = history.standing_edges()
    take(history, edges[taken])
    after_it = history.standing_edges()

    for step in [*after, *EVERYTHING_BACK]:
        take(history, step)

    assert history.standing_edges() <= after_it <= before_it, "only a new grant makes an edge"
