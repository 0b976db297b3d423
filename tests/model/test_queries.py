"""Queries find whom they say, refuse what says nothing, and mean what an obvious reading of them means."""

import json
import operator
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescind.model.errors import Invalid
from rescind.model.queries import LONGEST, NESTING_MAX, TERMS_MAX, parse_query

JANE = {
    "user_id": "auth0|5f7c8ec7",
    "email": "Jane.Doe@Example.com",
    "email_verified": True,
    "name": "Jane Doe",
    "given_name": "Jane",
    "family_name": "Doe",
    "nickname": "jd*",
    "username": "Jane",
    "phone_number": "+41790000000",
    "created_at": "2024-01-31T12:30:45.678Z",
    "updated_at": "2024-02-01T00:00:00.000Z",
    "logins_count": 9,
    "organization_id": ["org_a", "org_b"],
    "identities": [
        {"connection": "Users", "provider": "auth0", "user_id": "5f7c8ec7", "isSocial": False},
        {"connection": "google", "provider": "google-oauth2", "user_id": "1"},
    ],
    "app_metadata": {
        "plan": {"level": "Gold", "seats": 10, "price": 0.1, "trial": False},
        "roles": ["admin", "ops"],
        "teams": [{"name": "red"}, {"name": "blue", "tags": [["x", "y"]]}],
        "nothing": None,
        "hollow": {},
        "vacant": [],
    },
    "user_metadata": {"colour": "", "count": "10"},
    "secret": "s",
}

FOUND = [
    # a value is the whole of a member, without regard to case where a person would not
    'name:"jane doe"',
    "name:JANE\\ DOE",
    "email:jane.doe@example.com",
    "email.domain:EXAMPLE.com",
    "username:Jane",
    "nickname:jd\\*",
    'nickname:"JD*"',
    "phone_number:+41790000000",
    "user_id:auth0|5f7c8ec7",
    "name: jane*",
    # fields
    "organization_id:org_b",
    "identities.connection:google",
    "identities.provider:auth0 AND identities.user_id:1",
    "app_metadata.plan.level:Gold",
    "app_metadata.roles:ops",
    "app_metadata.teams.name:blue",
    "app_metadata.teams.tags:y",
    'user_metadata.colour:""',
    # booleans and numbers
    "email_verified:true",
    "app_metadata.plan.trial:false",
    "logins_count:9",
    "logins_count:9.0",
    "app_metadata.plan.price:0.1",
    "logins_count:[9 TO 10]",
    "logins_count:{8 TO 10}",
    "logins_count:{8.5 TO 9]",
    "logins_count:[9 TO 9e1}",
    "logins_count:[-5 TO *]",
    "logins_count:[* TO 100]",
    "logins_count:[* TO *]",
    "logins_count:>8 AND logins_count:>=9 AND logins_count:<10 AND logins_count:<=9",
    "logins_count:>= 9",
    "user_metadata.count:[1 TO 2]",  # a text, and so are the ends
    'name:["jane d" TO "jane e"}',
    # dates, as far as the query says
    "created_at:2024",
    "created_at:2024-01-31",
    "created_at:2024-01-31T12:30:45Z",
    "created_at:2024-01-31T12:30:45.678123+00:00",
    "created_at:[2024-01-01 TO 2024-02-01]",
    "created_at:[2024-01-31 TO 2024-01-31]",
    "created_at:{2024-01-30 TO 2024-02-01}",
    "created_at:[* TO 2024-01]",
    "created_at:>=2024-01-31T12:30:45.678Z",
    'created_at:<"2024-02"',
    "created_at:2024-01*",
    # wildcards
    "email:*@example.com",
    "name:jane*",
    "name:*NE*",
    "name:j*d*e",
    "name:jane*doe",
    "name:**",
    "user_id:auth0|*",
    "nickname:*\\*",
    "logins_count:*",
    "*",
    "*:*",
    # presence
    "_exists_:email",
    "_exists_:app_metadata.plan",
    "app_metadata.teams:*",
    "_exists_:identities.connection",
    "_missing_:last_login",
    "_missing_:app_metadata.nothing",
    "_missing_:app_metadata.hollow",
    "_missing_:app_metadata.vacant",
    "NOT _exists_:blocked",
    # terms without a field
    "jane",
    '"Jane Doe"',
    "jane.doe@example.com",
    "JAN*",
    # operators
    "john jane",
    "john || jane",
    "jane && doe",
    "jane AND NOT john",
    "!john",
    "-john",
    "NOT NOT jane",
    "NOT (john OR mary)",
    "jane AND -john",
    "jane -john",
    "+jane john",
    "john OR NOT mary",
    "john OR jane -mary",
    "john AND mary OR jane",
    "jane OR mary AND john",
    "jane john AND mary",
    "name:(john OR jane*)",
    "name:(jane* AND *doe) AND logins_count:(1 9)",
    "name:(-john +jane*)",
    "name:(x OR username:Jane)",
    "(((jane)))",
    "(jane)AND(doe)",
    "\\AND OR jane",
    "\tjane\n",
]

NOT_FOUND = [
    "name:jane",
    "name:doe",
    "username:jane",
    "organization_id:ORG_A",
    "app_metadata.plan.level:gold",
    "phone_number:41790000000",
    "email_verified:false",
    "email_verified:True",
    "email_verified:1",
    "logins_count:true",
    "blocked:false",
    "blocked:true",
    "logins_count:{9 TO *]",
    "logins_count:[10 TO 9]",
    "logins_count:>9",
    "logins_count:[a TO z]",
    "user_metadata.count:[2 TO 20]",
    "created_at:[2024-02 TO *]",
    "created_at:>2024-01-31",
    "created_at:{2024-01 TO *]",
    "created_at:[* TO 2024-01-31}",
    "created_at:<2024-01-31T12:30:45.678Z",
    "last_login:>2020",
    "name:*john*",
    "name:jane*jane*",
    "name:*doe*doe",
    'nickname:"jd?"',
    'name:"jane*"',
    "name:jane\\*",
    "app_metadata:Gold",
    "app_metadata.plan:*Gold*",
    "app_metadata.plan.level.more:Gold",
    "app_metadata..plan:*",
    "_exists_:blocked",
    "_missing_:email",
    # fields that are no fields
    "secret:s",
    "secret:*",
    "identities.isSocial:false",
    "name.first:jane",
    "Name:jane*",
    "\\*:jane",
    # operators
    "auth0|5f7c8ec7",
    "NOT jane",
    "jane -doe",
    "jane NOT doe",
    "jane AND NOT doe",
    "john OR jane -doe",
    "+john jane",
    "-jane -john",
    "john AND mary",
    "john AND mary OR mary AND jane",
    "jane AND (john OR mary)",
    "name:(jane OR john)",
    "and AND or",
]

OTHERS = [
    ("*", {}, True),
    ("NOT *", {}, False),
    ("user_id:*", {}, False),
    ("_missing_:email", {"email": None}, True),
    ("email:*", {"email": None}, False),
    ("email.domain:*", {"email": None}, False),
    ("email.domain:b.com", {"email": '"x@y"@B.com'}, True),
    ("name:STRASSE", {"name": "Straße"}, True),
    ('name:"a\nb"', {"name": "a\nb"}, True),
    ("name:a\\\nb", {"name": "a\nb"}, True),
    ("name:a*b", {"name": "a\n\nb"}, True),
    ("name:aba*aba", {"name": "aba"}, False),
    ("name:aba*aba", {"name": "abaaba"}, True),
    ("organization_id:org_a", {"organization_id": "org_a"}, True),
    ("organization_id:*", {"organization_id": []}, False),
    ("blocked:true", {"blocked": True}, True),
    ("app_metadata.n:1", {"app_metadata": {"n": True}}, False),
    ("app_metadata.n:true", {"app_metadata": {"n": "true"}}, True),
    ("app_metadata.n:01234", {"app_metadata": {"n": "1234"}}, False),
    ("app_metadata.n:9007199254740993", {"app_metadata": {"n": 9007199254740992}}, False),
    ("app_metadata.n:1*", {"app_metadata": {"n": 12}}, True),
    ("app_metadata.n:>1e300", {"app_metadata": {"n": 10**301}}, True),
    ("app_metadata.n:>0", {"app_metadata": {"n": float("nan")}}, False),
    ("app_metadata.n:(>1 AND <4)", {"app_metadata": {"n": [0, 9]}}, True),  # one element each
    ("app_metadata.n:{1 TO 4}", {"app_metadata": {"n": [0, 9]}}, False),  # one element both
    ("app_metadata.a b:x", {"app_metadata": {"a b": "x"}}, False),
    ("app_metadata.a\\ b:x", {"app_metadata": {"a b": "x"}}, True),
    ("app_metadata.a\\:b:x:y", {"app_metadata": {"a:b": "x:y"}}, True),
    ("user_metadata:x", {"user_metadata": ["x"]}, True),
]

REFUSED = [
    ("", "query ends where a term should stand"),
    ("  ", "query ends where a term should stand"),
    ("name:", "query ends where a term should stand"),
    ("jane AND", "query ends where a term should stand"),
    ("jane ||", "query ends where a term should stand"),
    ("NOT", "query ends where a term should stand"),
    ("jane -", "query ends where a term should stand"),
    ("logins_count:>", "query ends where a term should stand"),
    ("_exists_:", "query ends where a term should stand"),
    ("(", "query ends where a term should stand"),
    ("AND jane", "a term should stand before `AND jane`"),
    ("jane AND OR doe", "a term should stand before `OR doe`"),
    ("jane OR && doe", "a term should stand before `&& doe`"),
    ("name:OR", "a term should stand before `OR`"),
    ("name:NOT x", "a term should stand before `NOT x`"),
    (":jane", "a term should stand before `:jane`"),
    ("name::jane", "a term should stand before `:jane`"),
    ("name :jane", "a term should stand before `:jane`"),
    ('"name":jane', "a term should stand before `:jane`"),
    ("()", "a term should stand before `)`"),
    ("name:()", "a term should stand before `)`"),
    ("(jane OR)", "a term should stand before `)`"),
    ("jane\\", "a term should stand before `\\`"),
    ("jane]", "a term should stand before `]`"),
    ("_exists_:(", "query ends where a term should stand"),
    ("(jane", "query ends before a parenthesis is closed"),
    ("((jane)", "query ends before a parenthesis is closed"),
    ("jane)", "nothing opens the parenthesis at `)`"),
    ("(jane)) doe", "nothing opens the parenthesis at `) doe`"),
    ('name:"jane', 'nothing closes the quote at `"jane`'),
    ('"jane\\"', 'nothing closes the quote at `"jane\\"`'),
    ("logins_count:[1 TO 2", "`[1 TO 2` does not begin with a range, such as `[1 TO 5]` or `{1 TO *]`"),
    ("logins_count:[1 TO]", "`[1 TO]` does not begin with a range, such as `[1 TO 5]` or `{1 TO *]`"),
    ("logins_count:{1}", "`{1}` does not begin with a range, such as `[1 TO 5]` or `{1 TO *]`"),
    ("logins_count:[1 to 2]", "`[1 to 2]` does not begin with a range, such as `[1 TO 5]` or `{1 TO *]`"),
    ("name:jo?n", "`?` is not supported: put `jo?n` in quotes if it means itself"),
    ("jane~2", "`~` is not supported: put `jane~2` in quotes if it means itself"),
    ('"jane doe"^2', "`^` is not supported: put `^2` in quotes if it means itself"),
    ("last_login:>yesterday", "`yesterday` is not a date in UTC, such as `2024-01-31` or `2024-01-31T23:59:59Z`"),
    ("created_at:[2024 TO 2024-1]", "`2024-1` is not a date in UTC, such as `2024-01-31` or `2024-01-31T23:59:59Z`"),
    ("jane AND \x1b\ud800]", "a term should stand before `]`"),
    ("[\x1b\ud800" + "x" * 100, "`[\ufffd\ufffd" + "x" * 57 + "` does not begin with a range, such as"),
    ("x" * (LONGEST + 1), "query is longer than 2000 characters"),
    ("x " * (TERMS_MAX + 1), "query has more than 200 terms"),
    ("(" * (NESTING_MAX + 1), "query has more than 50 parentheses within each other"),
]


@pytest.mark.parametrize(
    ("query", "user", "expected"),
    [*((query, JANE, True) for query in FOUND), *((query, JANE, False) for query in NOT_FOUND), *OTHERS],
)
def test_a_query_finds_whom_it_says(query, user, expected):
    """And nobody else."""
    assert parse_query(query).matches(user) is expected


@pytest.mark.parametrize(("query", "message"), REFUSED)
def test_a_query_that_says_nothing_is_refused(query, message):
    """In words that say what is missing, and where."""
    with pytest.raises(Invalid) as refusal:
        parse_query(query)
    assert refusal.value.message.startswith(message)
    assert refusal.value.message.isprintable()


@pytest.mark.parametrize(
    ("query", "exact"),
    [
        ("email:Jane@X.com", ("email", "jane@x.com")),
        ('email:"jane@x.com"', ("email", "jane@x.com")),
        ("user_id:auth0|A", ("user_id", "auth0|A")),
        ("(user_id:a) AND name:b", ("user_id", "a")),
        ("name:b AND (+email:a -c)", ("email", "a")),
        ("email:(a)", ("email", "a")),
        ("+email:a b", ("email", "a")),
        ("email:a -name:b", ("email", "a")),
        ("email:(a OR b)", None),
        ("email:a OR user_id:b", None),
        ("email:a user_id:b", None),
        ("NOT email:a", None),
        ("NOT NOT email:a", ("email", "a")),
        ("a AND NOT email:a", None),
        ("email:a*", None),
        ("email:*", None),
        ("email:\\*", ("email", "*")),
        ("email:[a TO a]", None),
        ("email:>=a", None),
        ("_exists_:email", None),
        ("a", None),
        ("name:a", None),
    ],
)
def test_a_store_may_look_up_what_every_match_must_have(query, exact):
    """`exact` is there when the query leaves no choice."""
    assert parse_query(query).exact == exact


def test_what_is_at_the_bounds_is_understood():
    """As many characters, terms and parentheses as may be."""
    assert not parse_query("x" * LONGEST).matches(JANE)
    assert parse_query("x " * (TERMS_MAX - 1) + "jane").matches(JANE)
    assert parse_query("(" * NESTING_MAX + "jane" + ")" * NESTING_MAX).matches(JANE)
    assert parse_query("(x)" * NESTING_MAX + "(jane)").matches(JANE)
    assert parse_query("!" * (LONGEST - 4) + "jane").matches(JANE)


def test_no_query_makes_matching_slow():
    """Long hostile patterns, and values that nearly match them, end at once; deep lists do no harm."""
    nested = "a"
    for _ in range(100_000):
        nested = [nested]

    assert not parse_query("name:" + "a*" * 900 + "b").matches({"name": "a" * 100_000})
    assert not parse_query("name:*" + "a*" * 900 + "ab").matches({"name": "a" * 100_000})
    assert parse_query("app_metadata.x:a").matches({"app_metadata": {"x": nested}})


# What people, and those who mean harm, may type: pieces of the language in any order.
PIECES = [
    *'()[]{}"\\:*<>=!+-&|~?^ \t\0',
    "AND",
    "OR",
    "NOT",
    "TO",
    "&&",
    "||",
    "name:",
    "created_at:",
    "_exists_:",
    "2024",
]
typed = st.one_of(st.text(), st.lists(st.sampled_from([*PIECES, "x"]), max_size=40).map("".join))


@given(typed)
def test_whatever_is_typed_is_a_query_or_refused(text):
    """`Invalid` is all that parsing ever raises, and matching raises nothing."""
    try:
        query = parse_query(text)
    except Invalid:
        return
    assert query.matches(JANE) in (True, False)


# The language said a second time: trees, how they are written, and what they obviously mean.

FIELDS = ("", "name", "username", "email", "logins_count", "app_metadata.a", "app_metadata.a.b", "unknown")
letters = st.text('aAb"\\ :*()[]{}-+!?~^&|', max_size=4) | st.sampled_from(
    ["AND", "OR", "NOT", "TO", "1", "-1.0", "true"]
)
numbers = st.integers(-2, 2) | st.sampled_from([0.5, 1.0])
scalars = letters | numbers | st.booleans() | st.none()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("b"), inner))
users = st.fixed_dictionaries(
    {},
    optional={
        "name": letters,
        "username": letters,
        "email": letters,
        "logins_count": numbers,
        "app_metadata": st.dictionaries(st.just("a"), values),
        "unknown": letters,
    },
)
bounds = st.none() | letters.filter(bool) | numbers.map(str)
leaves = st.one_of(
    st.tuples(st.just("literal"), st.sampled_from(FIELDS), letters | numbers.map(str)),
    st.tuples(st.just("like"), st.sampled_from(FIELDS), st.lists(letters, min_size=2, max_size=3)),
    st.tuples(st.just("range"), st.sampled_from(FIELDS), bounds, bounds, st.sampled_from("[{"), st.sampled_from("]}")),
    st.tuples(st.just("exists"), st.sampled_from(FIELDS[1:])),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=12,
)
OPERATORS = {"and": [" AND ", " &&", " && "], "or": [" OR ", " ||", " "], "not": ["NOT ", "!", "-", "- "]}


def escaped(text):
    if text in ("AND", "OR", "NOT"):
        return f"\\{text}"
    return re.sub(r"(\W)", r"\\\1", text)


def said(text, choose):
    """A literal in quotes or with backslashes, whichever is chosen."""
    quoted = '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    return choose([quoted, escaped(text) or quoted])


def written(tree, choose, loose=()):
    """A tree as text, in parentheses if its kind is too loose for where it stands."""
    kind, *rest = tree
    if kind == "not":
        text = choose(OPERATORS["not"]) + written(rest[0], choose, loose=("and", "or"))
    elif kind in ("and", "or"):
        between = choose(OPERATORS[kind])
        # Of terms side by side, none that has a `NOT` may match.
        within = ("or", "not") if between == " " else ("or",)
        text = between.join(written(part, choose, within) for part in rest[0])
    elif kind == "exists":
        return f"_exists_:{escaped(rest[0])}"
    else:
        field, *rest = rest
        text = f"{field}:" if field else ""
        if kind == "literal":
            return text + said(rest[0], choose)
        if kind == "like":
            return text + "*".join(map(escaped, rest[0]))
        low, high, opening, closing = rest
        low, high = ("*" if bound is None else said(bound, choose) for bound in (low, high))
        return f"{text}{opening}{low} TO {high}{closing}"
    return f"({text})" if kind in loose else text


def standing(user, path):
    """The values at a path, through lists, and objects."""
    if isinstance(user, list):
        return [value for element in user for value in standing(element, path)]
    if path:
        return standing(user[path[0]], path[1:]) if isinstance(user, dict) and path[0] in user else []
    return [] if user is None or user == {} else [user]


def means(tree, user):
    """What a tree means for a user."""
    kind, *rest = tree
    if kind == "not":
        return not means(rest[0], user)
    if kind == "and":
        return all(means(part, user) for part in rest[0])
    if kind == "or":
        return any(means(part, user) for part in rest[0])
    field, *rest = rest
    if field == "":
        bare = ("email", "name", "given_name", "family_name", "nickname")
        if kind == "like" and not any(rest[0]):
            return True
        return any(means((kind, each, *rest), user) for each in bare)
    found = [] if field == "unknown" else standing(user, field.split("."))
    if kind == "exists":
        return bool(found)
    return any(fits(kind, rest, value, folding=field in ("name", "email")) for value in found)


def fits(kind, rest, value, folding):
    def fold(text):
        return text.casefold() if folding else text

    if kind == "like" and not any(rest[0]):
        return True
    if kind == "range" and rest[:2] == [None, None]:
        return True
    if isinstance(value, dict):
        return False
    text = fold(value if isinstance(value, str) else json.dumps(value))
    if kind == "like":
        return re.fullmatch(".*".join(re.escape(fold(part)) for part in rest[0]), text, re.DOTALL) is not None
    low, high, opening, closing = (rest[0], rest[0], "[", "]") if kind == "literal" else rest
    above = {"[": operator.ge, "{": operator.gt}[opening]
    below = {"]": operator.le, "}": operator.lt}[closing]
    return all(bound is None or related(text, value, fold(bound), how) for bound, how in ((low, above), (high, below)))


def related(text, value, bound, how):
    if isinstance(value, bool | str):
        return how(text, bound)
    try:
        return how(value, float(bound))
    except ValueError:
        return False


@given(trees, users, st.data())
def test_a_query_means_what_the_tree_it_was_written_from_means(tree, user, data):
    """However it is written: with which operators, quotes, backslashes and parentheses."""
    text = written(tree, lambda ways: data.draw(st.sampled_from(ways)))

    query = parse_query(text)

    assert query.matches(user) is means(tree, user), text
    if query.exact and query.matches(user):
        field, literal = query.exact
        assert user[field].casefold() == literal.casefold()
