"""Verify finds every difference between the log and the tables, and says where they part."""

import gc
import random
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from rescind.model.changes import CredentialEntry, Plan, ProfileEntry, chain
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import ObjectKind
from rescind.node import Node
from rescind.store.database import Database
from rescind.store.schema import changes
from rescind.store.verify import DIFFERENCES_MAX, Report, verify
from store.histories import EARLY, TABLES, History, commit, contents, existence, id_of, made, opened, write_at_random
from world import World, allow

ACME, ANN, MEMBER, POLICY, ROLE, KEY = 1, 2, 3, 4, 5, 6
LAST = 8

POLICY_EDGE = Fact(FactKind.POLICY_ATTACHMENT, MEMBER, POLICY, ACME, expires_at=15)
ROLE_EDGE = Fact(FactKind.ROLE_ATTACHMENT, MEMBER, ROLE, ACME)


def write_small_history(store: Database) -> None:
    """Eight changes with something of everything; the tampering below knows them by number."""
    history = History(store)
    history.commit(  # 1
        [made(ACME, ObjectKind.ORGANIZATION), made(ANN, ObjectKind.USER), made(MEMBER, ObjectKind.MEMBERSHIP, ACME)],
        [existence(ACME), existence(ANN), existence(MEMBER, ANN, ACME)],
        profile=[ProfileEntry(ANN, "name", "Ann"), ProfileEntry(ANN, "email_folded", "ann@example.org")],
        credentials=[CredentialEntry(ANN, "password", "argon2-of-ann")],
    )
    history.commit(  # 2
        [made(POLICY, ObjectKind.POLICY, ACME), made(ROLE, ObjectKind.ROLE, ACME)],
        [existence(POLICY), existence(ROLE), Fact(FactKind.DOCUMENT, POLICY, value='{"Statement":[]}')],
        organization=ACME,
    )
    history.commit(opened=[POLICY_EDGE, ROLE_EDGE], organization=ACME)  # 3
    history.commit(closed=[ROLE_EDGE], organization=ACME)  # 4
    history.commit(  # 5
        [made(KEY, ObjectKind.API_KEY, ACME)],
        [existence(KEY, MEMBER, ACME)],
        profile=[ProfileEntry(ANN, "name", "Anna")],
        credentials=[CredentialEntry(KEY, "api_key", "aa" * 32)],
        organization=ACME,
    )
    history.commit(closed=[existence(ROLE)], organization=ACME)  # 6
    history.commit(profile=[ProfileEntry(ANN, "email_folded", None)])  # 7
    history.commit(opened=[Fact(FactKind.BLOCK, ANN)])  # 8


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def small_history(request: pytest.FixtureRequest, make_migrated: Callable[[str], str]) -> str:
    with opened(url := make_migrated(request.param)) as store:
        write_small_history(store)
    return url


@pytest.fixture(scope="module")
def copied(small_history: str, make_copy: Callable[[str], str]) -> str:
    return make_copy(small_history)


@pytest.fixture
def untampered(small_history: str, copied: str, make_copy: Callable[[str], str]) -> Iterator[Database]:
    """A store with the small history. SQLite: of the test's own; PostgreSQL: whoever tampers puts it back."""
    with opened(copied if copied.startswith("postgresql") else make_copy(small_history)) as store:
        yield store


def verified(store: Database, *, differences: bool = False) -> Report:
    report = verify(store)
    assert bool(report.differences) is differences, report.differences
    assert report.difference_count >= len(report.differences)
    return report


def verified_or_failed(store: Database) -> Report:
    """The report, or a failure that holds on to nothing that verify had open when it crashed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return verify(store)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no report
            crash = repr(error)
        gc.collect()
    pytest.fail(f"verify ended with {crash}")


# --- what is untouched verifies ---------------------------------------------------------------------------------------


def test_an_empty_database_verifies(store: Database) -> None:
    report = verified(store)
    assert (report.revision, report.objects, report.intervals, report.difference_count) == (0, 0, 0, 0)


def test_an_untouched_history_verifies_to_its_end(untampered: Database) -> None:
    report = verified(untampered)
    head = untampered.head()
    assert (report.revision, report.digest) == (head.revision, head.digest)
    assert (report.objects, report.intervals, report.difference_count) == (6, 10, 0)


def test_whatever_is_written_at_random_verifies(store: Database) -> None:
    history, dice = History(store), random.Random(11)
    for _ in range(40):
        write_at_random(history, dice)
    report = verified(store)
    assert (report.revision, report.objects, report.intervals) == (40, len(history.objects), len(history.held))


def test_what_people_did_over_http_verifies(world: World, node: Node) -> None:
    policy = world.post("/v2/policies", {"name": "p", "policy_document": allow("disk.Read")})
    assert policy
    report = verified(node.store)
    assert report.revision == node.store.head().revision >= 2


def test_verify_tells_of_each_change_as_it_goes(untampered: Database) -> None:
    heard: list[tuple[int, int]] = []
    verify(untampered, lambda done, of: heard.append((done, of)))
    assert heard == [(revision, LAST) for revision in range(1, LAST + 1)]


def test_a_write_during_verify_is_no_difference(small_history: str, make_copy: Callable[[str], str]) -> None:
    with opened(make_copy(small_history)) as store:

        def interfere(done: int, _: int) -> None:
            if done in (2, 5):
                commit(store, Plan(profile=[ProfileEntry(ANN, "name", f"Ann {done}")]))

        report = verify(store, interfere)
        assert report.differences == []
        assert report.revision == LAST
        assert verified(store).revision == LAST + 2


# --- what was tampered with is named ----------------------------------------------------------------------------------


class Tampering(NamedTuple):
    """What someone did to the tables, and the place that verify must name. None: it may not be noticed."""

    name: str
    sql: str
    expected: str | None


INSERT_INTERVAL = (
    "INSERT INTO intervals (key, kind, holder, thing, scope, value, expires_at, revision_from, revision_to) "
)

TAMPERING = [
    # The log. `{body}` is the body of change 3 with another expiry, `{digest}` what its digest would be then.
    Tampering("a body", "UPDATE changes SET body = '{body}' WHERE revision = 3", "change 3: its digest"),
    Tampering(
        "a body with its digest",
        "UPDATE changes SET body = '{body}', digest = '{digest}' WHERE revision = 3",
        "change 4: its digest",
    ),
    Tampering(
        "a body with its digest, against the tables",
        "UPDATE changes SET body = '{body}', digest = '{digest}' WHERE revision = 3",
        "change 3: opened says",
    ),
    Tampering(
        "the last body with its digest",
        "UPDATE changes SET body = '{last_body}', digest = '{last_digest}' WHERE revision = 8",
        "head: digest",
    ),
    Tampering("a body that is no JSON", "UPDATE changes SET body = 'x' WHERE revision = 3", "change 3: its digest"),
    Tampering("a body that is no object", "UPDATE changes SET body = '[]' WHERE revision = 3", "change 3: its digest"),
    Tampering(
        "a body with other members",
        "UPDATE changes SET body = '{{\"profile\":[{{}}]}}' WHERE revision = 3",
        "change 3: its digest",
    ),
    Tampering("a digest", f"UPDATE changes SET digest = '{'ab' * 32}' WHERE revision = 3", "change 3: its digest"),
    Tampering(
        "a digest, against the next", f"UPDATE changes SET digest = '{'ab' * 32}' WHERE revision = 3", "change 4"
    ),
    Tampering("a digest that is none", "UPDATE changes SET digest = 'x' WHERE revision = 3", "change 3: its digest"),
    Tampering("a time", "UPDATE changes SET time = time + 1 WHERE revision = 3", "change 3: its time is"),
    Tampering("a time that falls", "UPDATE changes SET time = 1 WHERE revision = 3", "change 3: its time is not after"),
    Tampering("an actor", "UPDATE changes SET actor = 'eve' WHERE revision = 3", "change 3: its actor is eve"),
    Tampering("a request", "UPDATE changes SET request = 'eve' WHERE revision = 3", "change 3: its request is eve"),
    Tampering("a scope", "UPDATE changes SET organization = 0 WHERE revision = 3", "change 3: its organization"),
    Tampering("a change less", "DELETE FROM changes WHERE revision = 4", "change 5: stands after change 3"),
    Tampering("a change less, against the tables", "DELETE FROM changes WHERE revision = 4", "role_attachment"),
    Tampering("the first change less", "DELETE FROM changes WHERE revision = 1", "change 2: stands after change 0"),
    Tampering("the last change less", "DELETE FROM changes WHERE revision = 8", "head: revision is 8"),
    Tampering(
        "the last change less, against the tables", "DELETE FROM changes WHERE revision = 8", "revision 8: an int"
    ),
    Tampering(
        "the last change less, and the head set back",
        "DELETE FROM changes WHERE revision = 8;"
        "UPDATE head SET revision = 7, digest = (SELECT digest FROM changes WHERE revision = 7)",
        "revision 8: an interval that no change says",
    ),
    Tampering(
        "two changes in each other's place",
        "UPDATE changes SET revision = 100 WHERE revision = 3;"
        "UPDATE changes SET revision = 3 WHERE revision = 4;"
        "UPDATE changes SET revision = 4 WHERE revision = 100",
        "change 3: its revision is 3, its body says 4",
    ),
    Tampering(
        "a change more",
        "INSERT INTO changes VALUES (9, 9000000000000000, 0, 'eve', 'eve', '{{}}', '{digest}', '[]')",
        "change 9: its digest",
    ),
    Tampering(
        "a body with an object where an id should be",
        'UPDATE changes SET body = \'{{"profile":[{{"object":[]}}],"opened":[{{"holder":[],"thing":{{}}}}]}}\' '
        "WHERE revision = 3",
        "change 3: its digest",
    ),
    Tampering(
        "a body of endless depth", f"UPDATE changes SET body = '{'[' * 9999}' WHERE revision = 3", "change 3: its"
    ),
    # What changes say that they touched. Change 3 gave member 3 policy 4 and role 5; change 5 made a key of hers and
    # a name of Ann's.
    *(
        Tampering(f"touched {name}", f"UPDATE changes SET touched = {said} WHERE revision = {revision}", expected)
        for name, revision, said, expected in (
            ("without a holder", 3, "'[-5,-4]'", f"change 3: its body names {id_of(MEMBER)}, touched does not"),
            ("without a thing", 3, "'[-5,3]'", f"change 3: its body names the thing {id_of(POLICY)}, touched does not"),
            ("without the thing of an end", 4, "'[3]'", f"change 4: its body names the thing {id_of(ROLE)}, touched"),
            (
                "without the holder of an end",
                4,
                "'[-5]'",
                f"change 4: its body names {id_of(MEMBER)}, touched does not",
            ),
            ("without a profile", 5, "'[-3,6]'", f"change 5: its body names {id_of(ANN)}, touched does not"),
            ("without what took a field away", 7, "'[]'", f"change 7: its body names {id_of(ANN)}, touched does not"),
            ("nothing", 8, "'[]'", f"change 8: its body names {id_of(ANN)}, touched does not"),
            ("a holder more", 3, "'[-5,-4,2,3]'", f"change 3: touched names {id_of(ANN)}, its body does not"),
            ("a thing more", 3, "'[-5,-4,-3,3]'", f"change 3: touched names the thing {id_of(MEMBER)}, its body does"),
            ("the platform more", 3, "'[-5,-4,0,3]'", f"change 3: touched names {id_of(0)}, its body does not"),
            ("a stranger more", 3, "'[-5,-4,3,99]'", "change 3: touched names unknown object 99, its body does not"),
            ("a strange thing more", 3, "'[-99,-5,-4,3]'", "change 3: touched names the thing unknown object 99, its"),
            ("a key twice", 3, "'[-5,-4,3,3]'", f"change 3: touched names {id_of(MEMBER)}, its body does not"),
            ("a thing for a holder", 3, "'[-5,-4,-3]'", f"change 3: its body names {id_of(MEMBER)}, touched does not"),
            ("another's", 3, "(SELECT touched FROM changes WHERE revision = 5)", "change 3: touched names the thing"),
            ("in another order", 3, "'[3,-4,-5]'", None),
            ("that is no JSON", 3, "'x'", "change 3: touched is no list of keys"),
            ("that is empty text", 3, "''", "change 3: touched is no list of keys"),
            ("that is no list", 3, "'{{}}'", "change 3: touched is no list of keys"),
            ("that is JSON's null", 3, "'null'", "change 3: touched is no list of keys"),
            ("of text", 3, '\'["-5","-4","3"]\'', "change 3: touched is no list of keys"),
            ("of what only equals keys", 3, "'[-5.0,-4,3]'", "change 3: touched is no list of keys"),
            ("of truths", 1, "'[-2,true,2,3]'", "change 1: touched is no list of keys"),
            ("of endless depth", 3, f"'{'[' * 9999}'", "change 3: touched is no list of keys"),
            ("that is gone", 3, "NULL", "change 3: touched is missing, though change 1 has it"),
            ("that is gone at the end", 8, "NULL", "change 8: touched is missing, though change 1 has it"),
        )
    ),
    Tampering(
        "touched as before there was a place for it", "UPDATE changes SET touched = NULL WHERE revision <= 3", None
    ),
    Tampering("touched as if no newer version had written", "UPDATE changes SET touched = NULL", None),
    Tampering(
        "touched gone after a version that wrote it",
        "UPDATE changes SET touched = NULL WHERE revision IN (1, 2, 5)",
        "change 5: touched is missing, though change 3 has it",
    ),
    Tampering(
        "a credential's owner less, though it was replaced and nothing shows it",
        "UPDATE changes SET touched = '[-3]' WHERE revision = 5; DELETE FROM credentials WHERE object = 6",
        f"change 5: its body names {id_of(KEY)}, touched does not",
    ),
    Tampering(
        "a profile's owner less, though all that is personal was erased",
        "UPDATE changes SET touched = '[-3,6]' WHERE revision = 5; DELETE FROM commitments; DELETE FROM profiles",
        f"change 5: its body names {id_of(ANN)}, touched does not",
    ),
    # The head.
    Tampering("the head back", "UPDATE head SET revision = 7", "head: revision is 7, the log ends with 8"),
    Tampering("the head forward", "UPDATE head SET revision = 9", "head: revision is 9, the log ends with 8"),
    Tampering("the head's digest", "UPDATE head SET digest = '{digest}'", "head: digest is"),
    Tampering("the head's time", "UPDATE head SET time = time + 1", "head: time"),
    Tampering("the head's last key", "UPDATE head SET last_key = 1", "head: last_key"),
    # Intervals.
    Tampering("a kind", "UPDATE intervals SET kind = 8 WHERE kind = 9", "change 3: "),
    Tampering("a kind that is none", "UPDATE intervals SET kind = 99 WHERE kind = 9", "change 3: "),
    Tampering("a holder", "UPDATE intervals SET holder = 1 WHERE kind = 9", "change 3: the tables say"),
    Tampering("a thing", "UPDATE intervals SET thing = 5 WHERE kind = 9", "change 3: the tables say"),
    Tampering("a scope of a fact", "UPDATE intervals SET scope = 0 WHERE kind = 9", "change 3: the tables say"),
    Tampering("a value", "UPDATE intervals SET value = '{{}}' WHERE kind = 11", "change 2: the tables say"),
    Tampering("a value more", "UPDATE intervals SET value = 'x' WHERE kind = 9", "change 3: the tables say"),
    Tampering("an expiry", "UPDATE intervals SET expires_at = 16 WHERE kind = 9", "change 3: the tables say"),
    Tampering("an expiry less", "UPDATE intervals SET expires_at = NULL WHERE kind = 9", "change 3: opened says"),
    Tampering("a beginning", "UPDATE intervals SET revision_from = 4 WHERE kind = 9", "change 4: the tables say"),
    Tampering(
        "a beginning, before", "UPDATE intervals SET revision_from = 0 WHERE kind = 9", "change 1: the tables say"
    ),
    Tampering(
        "a beginning, later", "UPDATE intervals SET revision_from = 50 WHERE kind = 9", "revision 50: an interval"
    ),
    Tampering("an end", "UPDATE intervals SET revision_to = 5 WHERE kind = 8", "change 5: the tables say"),
    Tampering(
        "an end, against the log", "UPDATE intervals SET revision_to = 5 WHERE kind = 8", "change 4: closed says"
    ),
    Tampering(
        "an end, later", "UPDATE intervals SET revision_to = 50 WHERE kind = 8", "revision 50: an interval's end"
    ),
    Tampering("an interval less", "DELETE FROM intervals WHERE kind = 9", "change 3: opened says"),
    Tampering("a closed interval less", "DELETE FROM intervals WHERE kind = 8", "change 4: closed says"),
    Tampering(
        "an interval more",
        INSERT_INTERVAL + "VALUES (99, 2, 3, 1, 1, NULL, NULL, 3, NULL)",
        'change 3: the tables say {{"expires_at":null,"fact":"root"',
    ),
    Tampering(
        "an interval more after the end",
        INSERT_INTERVAL + "VALUES (99, 2, 3, 1, 1, NULL, NULL, 9, NULL)",
        "revision 9: an interval that no change says",
    ),
    Tampering(
        "an interval twice",
        INSERT_INTERVAL + "SELECT 99, kind, holder, thing, scope, value, expires_at, revision_from, 7 "
        "FROM intervals WHERE kind = 9",
        "change 3: the tables say",
    ),
    Tampering("an open one closed", "UPDATE intervals SET revision_to = 7 WHERE kind = 9", "change 7: the tables say"),
    Tampering("a closed one open", "UPDATE intervals SET revision_to = NULL WHERE kind = 8", "change 4: closed says"),
    # Objects.
    Tampering(
        "an object more",
        f"INSERT INTO objects VALUES (99, '{id_of(99).replace('-', '')}', 2, 0, 3, 0)",
        'change 3: the tables say {{"id":',
    ),
    Tampering(
        "an object more after the end",
        f"INSERT INTO objects VALUES (99, '{id_of(99).replace('-', '')}', 2, 0, 9, 0)",
        "revision 9: an object that no change says",
    ),
    Tampering(
        "an object's id",
        f"UPDATE objects SET id = '{id_of(99).replace('-', '')}' WHERE key = 5",
        "change 2: created says",
    ),
    Tampering("an object's kind", "UPDATE objects SET kind = 4 WHERE key = 5", "change 2: the tables say"),
    Tampering("an object's kind that is none", "UPDATE objects SET kind = 99 WHERE key = 5", "change 2: "),
    Tampering("an object's owner", "UPDATE objects SET owner = 0 WHERE key = 5", "change 2: the tables say"),
    Tampering("an object's revision", "UPDATE objects SET revision = 3 WHERE key = 5", "change 3: the tables say"),
    Tampering("an object's time", "UPDATE objects SET created_at = 1 WHERE key = 5", "change 2: "),
    Tampering(
        "the platform's id",
        f"UPDATE objects SET id = '{id_of(99).replace('-', '')}' WHERE key = 0",
        "its organization is",
    ),
    Tampering("an object less", "DELETE FROM objects WHERE key = 6", "change 5: created says"),
    Tampering(
        "an object less with all its facts",
        "DELETE FROM intervals WHERE holder = 6; DELETE FROM credentials WHERE object = 6;"
        "DELETE FROM objects WHERE key = 6",
        "change 5: created says",
    ),
    # Profiles.
    Tampering(
        "a profile's value",
        "UPDATE profiles SET value = 'Eve' WHERE field = 'name'",
        f"profile of {id_of(ANN)}, name: is not what change 5 made it",
    ),
    Tampering(
        "a profile's value, and what it was made of",
        "UPDATE profiles SET value = 'Eve' WHERE field = 'name';"
        "UPDATE commitments SET value = 'Eve' WHERE revision = 5",
        f"profile of {id_of(ANN)}, name: change 5 commits to another value",
    ),
    Tampering(
        "a profile's salt", f"UPDATE commitments SET salt = '{'00' * 16}' WHERE revision = 5", "change 5 commits"
    ),
    Tampering("a salt that is none", "UPDATE commitments SET salt = 'x' WHERE revision = 5", "change 5 commits"),
    Tampering("a profile's time", "UPDATE profiles SET changed_at = 1", f"profile of {id_of(ANN)}"),
    Tampering("a profile less", "DELETE FROM profiles WHERE field = 'name'", "name: is not what change 5 made it"),
    Tampering(
        "a profile more",
        "INSERT INTO profiles VALUES (2, 'nickname', 'Eve', 1)",
        f"profile of {id_of(ANN)}, nickname: no change says it",
    ),
    Tampering(
        "a profile that was taken away",
        "INSERT INTO profiles VALUES (2, 'email_folded', 'eve@example.org', 1)",
        "email_folded: is not what change 7 made it",
    ),
    Tampering("an old value", "UPDATE commitments SET value = 'Eve' WHERE revision = 1 AND field = 'name'", "name"),
    Tampering(
        "a value that no change says",
        f"INSERT INTO commitments VALUES (4, 2, 'name', '{'00' * 16}', 'Eve')",
        "profile",
    ),
    Tampering(
        "a profile erased and still shown",
        "DELETE FROM commitments WHERE revision = 5",
        f"profile of {id_of(ANN)}, name: was erased but is shown",
    ),
    Tampering(
        "a profile erased",
        "DELETE FROM commitments WHERE field = 'name'; DELETE FROM profiles WHERE field = 'name'",
        None,
    ),
    Tampering("everything personal erased", "DELETE FROM commitments; DELETE FROM profiles", None),
    # Credentials.
    Tampering(
        "a verifier",
        f"UPDATE credentials SET verifier = '{'bb' * 32}' WHERE kind = 'api_key'",
        f"api_key of {id_of(KEY)}: is not what the log commits to",
    ),
    Tampering(
        "a credential's salt",
        f"UPDATE credentials SET salt = '{'00' * 16}' WHERE kind = 'password'",
        f"password of {id_of(ANN)}: is not what the log commits to",
    ),
    Tampering("a credential's salt that is none", "UPDATE credentials SET salt = 'x'", "is not what the log"),
    Tampering("a credential's time", "UPDATE credentials SET changed_at = 1", f"password of {id_of(ANN)}"),
    Tampering(
        "a credential's kind",
        "UPDATE credentials SET kind = 'api_key' WHERE kind = 'password'",
        "api_key of " + id_of(ANN),
    ),
    Tampering(
        "a credential more",
        f"INSERT INTO credentials VALUES (3, 'api_key', '{'cc' * 32}', '{'00' * 16}', 1)",
        f"api_key of {id_of(MEMBER)}: no change says it",
    ),
    Tampering("a credential less", "DELETE FROM credentials WHERE object = 6", f"api_key of {id_of(KEY)}: is missing"),
    Tampering(
        "two credentials in each other's place",
        "UPDATE credentials SET object = 100 WHERE object = 2; UPDATE credentials SET object = 2 WHERE object = 6;"
        "UPDATE credentials SET object = 6 WHERE object = 100",
        f"password of {id_of(KEY)}: no change says it",
    ),
]


@pytest.mark.parametrize("tampering", TAMPERING, ids=[one.name for one in TAMPERING])
def test_what_was_tampered_with_is_named(untampered: Database, tampering: Tampering) -> None:
    with Tampered(untampered, tampering.sql):
        report = verified_or_failed(untampered)
    if tampering.expected is None:
        assert report.differences == []
    else:
        expected = tampering.expected.replace("{{", "{")
        assert any(expected in difference for difference in report.differences), report.differences


def test_a_wrong_key_is_the_only_difference_of_its_change(untampered: Database) -> None:
    with Tampered(untampered, "UPDATE changes SET touched = '[-5,3]' WHERE revision = 3"):
        assert verify(untampered).difference_count == 1


def test_what_was_touched_is_held_against_the_proven_log_and_not_against_rows_that_somebody_changed(
    untampered: Database,
) -> None:
    with Tampered(untampered, "UPDATE intervals SET thing = 2, holder = 1 WHERE kind = 9"):
        differences = verify(untampered).differences
    assert differences
    assert not [difference for difference in differences if "touched" in difference]


@pytest.mark.parametrize("only", ["password", "email"])
def test_what_a_change_touches_by_a_profile_or_a_credential_alone_is_held_against_it(
    store: Database, only: str
) -> None:
    history = History(store)
    history.commit([made(1, ObjectKind.USER), made(2, ObjectKind.USER)], [existence(1), existence(2)])
    if only == "password":
        history.commit(credentials=[CredentialEntry(2, only, "argon2")])
    else:
        history.commit(profile=[ProfileEntry(2, only, "ann@example.org")])
    assert verified(store).revision == 2
    with store.engine.pool.connect() as connection:
        connection.execute(changes.update().where(changes.c.revision == 2).values(touched="[1]"))
    assert verify(store).differences == [
        f"change 2: its body names {id_of(2)}, touched does not",
        f"change 2: touched names {id_of(1)}, its body does not",
    ]


def test_many_differences_are_counted_and_the_first_are_listed(untampered: Database) -> None:
    more = DIFFERENCES_MAX + 20
    values = ",".join(f"({key}, 2, {key}, 1, 1, NULL, NULL, 3, NULL)" for key in range(1000, 1000 + more))
    rows = ",".join(f"({key}, '{id_of(key).replace('-', '')}', 2, 0, 3, 0)" for key in range(1000, 1000 + more))
    with Tampered(untampered, f"INSERT INTO objects VALUES {rows}; {INSERT_INTERVAL} VALUES {values}"):
        report = verify(untampered)
    # Each object and its time, each interval, and the last key.
    assert report.difference_count == 3 * more + 1
    assert len(report.differences) == DIFFERENCES_MAX


def test_verify_writes_nothing(untampered: Database) -> None:
    before = contents(untampered)
    verify(untampered)
    assert contents(untampered) == before


class Tampered:
    """The tables as somebody left them who is bound by no constraint, until the end of the block."""

    def __init__(self, store: Database, statements: str) -> None:
        self._engine = sa.create_engine(store.engine.pool.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with store.reading(LAST, EARLY) as reader:
            third, *_, seventh, last = (reader.change(revision, scope) for revision, scope in _SCOPES)
            second = reader.change(2, ACME)
        assert second and third and seventh and last  # noqa: PT018 - one sentence: none is empty
        body, last_body = third.body.replace(":15,", ":99,"), last.body.replace('"block"', '"root"')
        assert body != third.body
        assert last_body != last.body
        said = {
            "body": body,
            "digest": chain(second.digest, body),
            "last_body": last_body,
            "last_digest": chain(seventh.digest, last_body),
        }
        self._statements = statements.format(**said).split(";")

    def __enter__(self) -> None:
        with self._unbound() as connection:
            for table in TABLES if connection.dialect.name == "postgresql" else ():
                connection.exec_driver_sql(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
            for statement in self._statements:
                connection.exec_driver_sql(statement.replace("%", "%%"))

    def __exit__(self, *_: object) -> None:
        if self._engine.dialect.name == "postgresql":
            self._put_back()
        self._engine.dispose()

    def _put_back(self) -> None:
        with self._unbound() as connection:
            for table in TABLES:
                connection.exec_driver_sql(f"DELETE FROM {table}")
                connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM kept_{table}")
                connection.exec_driver_sql(f"DROP TABLE kept_{table}")

    def _unbound(self) -> sa.Connection:
        connection = self._engine.connect()
        # Nobody who tampers keeps to foreign keys; SQLite's own shell does not either.
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET session_replication_role = replica")
        return connection


_SCOPES = ((3, ACME), (7, 0), (8, 0))
