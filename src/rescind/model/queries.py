"""Queries: the language in which users and log entries are searched, the part of Lucene's that Auth0 has.

`name:jo* AND NOT (email.domain:x.com OR blocked:true) AND logins_count:[1 TO *]`

From loose to tight: `OR`, terms side by side, `AND`, and before a term `NOT`, `-`, `!` or `+`. Of terms side by side
one must match, as with `OR`; but none that has a `NOT` may, and where some have a `+`, all of these must and the others
count for nothing: `jo* -joan` finds every jo but joan.

A value is compared with the whole of a member, never with a word in it. `*` is any run of characters; what stands in
quotes or after a backslash means itself.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from operator import eq, ge, gt, le, lt
from typing import Any

from rescind.model.emails import folded
from rescind.model.errors import Invalid

LONGEST = 2000
"""Characters in a query."""
NESTING_MAX = 50
TERMS_MAX = 200

_ANY = ("email", "name", "given_name", "family_name", "nickname")
"""Where a term looks that names no field. The field of such a term is the empty text."""
_DOMAIN = "email.domain"
_CASELESS = frozenset({"", *_ANY, _DOMAIN})
_DATES = frozenset({"created_at", "updated_at", "last_login", "date"})
_IDENTITIES = frozenset({"identities.connection", "identities.provider", "identities.user_id"})
_OTHERS = frozenset({"user_id", "username", "phone_number", "email_verified", "blocked", "logins_count"})
_OF_LOG = frozenset(
    {"log_id", "type", "description", "client_id", "client_name", "ip", "user_name", "audience", "scope"}
)
_FIELDS = {"organization_id", *_OF_LOG, *_CASELESS, *_DATES, *_IDENTITIES, *_OTHERS}
_ROOTS = frozenset({"app_metadata", "user_metadata"})

# No pattern reads a text in two ways, hence none is slow. First the words and signs of a query:
_WORD_ENDS = r'(?![^\s()\[\]{}"])'
_AND = re.compile(rf"&&|AND{_WORD_ENDS}")
_OR = re.compile(rf"\|\||OR{_WORD_ENDS}")
_MARKS = re.compile(rf"(?:(?:[-+!]|NOT{_WORD_ENDS})\s*)+")
_OPERATOR = re.compile(rf"{_AND.pattern}|{_OR.pattern}|NOT{_WORD_ENDS}")
_OPEN, _CLOSE, _SIGN = (re.compile(pattern) for pattern in (r"\(", r"\)", "[<>]=?"))
_FIELD = re.compile(r'((?:\\.|[^\s()\[\]{}"\\:])+):', re.DOTALL)
_WORD = re.compile(r'(?!:)(?:\\.|[^\s()\[\]{}"\\])+', re.DOTALL)
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
_BOUND = rf'({_QUOTED.pattern}|(?:\\.|[^\s\]}}"\\])+)'
_RANGE = re.compile(rf"([\[{{])\s*{_BOUND}\s+TO\s+{_BOUND}\s*([\]}}])", re.DOTALL)
# Then what stands within a word:
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_UP_TO_STAR = re.compile(r"((?:\\.|[^\\*])*)\*", re.DOTALL)
_UNSUPPORTED = re.compile(r"(?:\\.|[^\\?~^])*([?~^])", re.DOTALL)
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|\+00:00)?)?)?)?", re.ASCII)
_TO_MILLISECONDS = len("2024-01-31T23:59:59.999")
# Six digits of exponent: more than any quantity needs, and within the limits of every build of `decimal`.
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,6})?", re.ASCII)

_Test = Callable[[object], bool]
_Relation = Callable[[Any, Any], bool]
_RELATIONS: Mapping[str, _Relation] = {"": eq, ">": gt, "{": gt, ">=": ge, "[": ge, "<": lt, "}": lt, "<=": le, "]": le}

_NO_TERM = {"": "query ends where a term should stand", '"': "nothing closes the quote at {}"}
_NO_TERM |= dict.fromkeys("[{", "{} does not begin with a range, such as `[1 TO 5]` or `{{1 TO *]`")


@dataclass(frozen=True, slots=True)
class _Term:
    """Some value of the field passes all tests; if there are none, any value does."""

    field: str
    tests: tuple[_Test, ...] = ()
    literal: str | None = None
    """The only text that passes, where there is one."""

    def matches(self, user: Mapping[str, Any]) -> bool:
        return any(
            all(not isinstance(value, Mapping) and test(value) for test in self.tests)
            for value in _values(user, self.field)
        )

    @property
    def exact(self) -> tuple[str, str] | None:
        return (self.field, self.literal) if self.literal is not None and self.field in ("email", "user_id") else None


@dataclass(frozen=True, slots=True)
class Query:
    """All of `must`, none of `must_not`, and one of `should` if there are any."""

    must: tuple["Query | _Term", ...] = ()
    must_not: tuple["Query | _Term", ...] = ()
    should: tuple["Query | _Term", ...] = ()

    def matches(self, user: Mapping[str, Any]) -> bool:
        """Whether a user, as JSON members, is found."""
        return (
            all(part.matches(user) for part in self.must)
            and not any(part.matches(user) for part in self.must_not)
            and (not self.should or any(part.matches(user) for part in self.should))
        )

    @property
    def exact(self) -> tuple[str, str] | None:
        """`email` or `user_id` with the literal value that every match must have there, or None if none is plain.

        An address is given in the spelling by which it is found (`emails.folded`).
        """
        needed = self.must + self.should if len(self.should) == 1 else self.must
        return next((exact for part in needed if (exact := part.exact)), None)


def parse_query(text: str) -> Query:
    """The query that a text says, or `Invalid`. A field that no user has is no error: nothing is found in it."""
    if len(text) > LONGEST:
        raise Invalid(f"query is longer than {LONGEST} characters")
    parser = _Parser(text)
    query = parser.either("")
    if parser.rest:
        raise Invalid(f"nothing opens the parenthesis at {_shown(parser.rest)}")
    return query


@dataclass(slots=True)
class _Parser:
    """A method for each level of the grammar, from loose to tight. `field` is the one before the parenthesis."""

    rest: str
    depth: int = 0
    terms: int = 0

    def either(self, field: str) -> Query:
        groups = [[self.all(field)]]
        while self.rest and not self.rest.startswith(")"):
            if self.take(_OR):
                groups.append([])
            groups[-1].append(self.all(field))
        return Query(should=tuple(map(_query, groups)))

    def all(self, field: str) -> tuple[str, Query | _Term]:
        marked = [self.marked(field)]
        while self.take(_AND):
            marked.append(self.marked(field))
        return marked[0] if len(marked) == 1 else ("", _query([(mark or "+", part) for mark, part in marked]))

    def marked(self, field: str) -> tuple[str, Query | _Term]:
        found = self.take(_MARKS)
        marks = found[0] if found else ""
        negated = sum(map(marks.count, "-!N")) % 2
        return "-" if negated else "+" if "+" in marks else "", self.part(field)

    def part(self, field: str) -> Query | _Term:
        if found := self.take(_FIELD):
            field = _meant(found[1])
        if not self.take(_OPEN):
            return self.term(field)
        self.depth += 1
        if self.depth > NESTING_MAX:
            raise Invalid(f"query has more than {NESTING_MAX} parentheses within each other")
        query = self.either(field)
        if not self.take(_CLOSE):
            raise Invalid("query ends before a parenthesis is closed")
        self.depth -= 1
        return query

    def term(self, field: str) -> Query | _Term:
        self.terms += 1
        if self.terms > TERMS_MAX:
            raise Invalid(f"query has more than {TERMS_MAX} terms")
        if field in ("_exists_", "_missing_"):
            present = _Term("*".join(self.parts()))
            return present if field == "_exists_" else Query(must_not=(present,))
        if found := self.take(_RANGE):
            bounds = ((found[1], found[2]), (found[4], found[3]))
            return _Term(field, tuple(_comparison(field, sign, _meant(text)) for sign, text in bounds if text != "*"))
        sign = self.take(_SIGN)
        parts = self.parts()
        text = "*".join(parts)
        if sign:
            return _Term(field, (_comparison(field, sign[0], text),))
        if len(parts) == 1:
            return _Term(field, (_comparison(field, "", text),), _spelling(field, text))
        if any(parts):
            return _Term(field, (_wildcard(field, parts),))
        # Lucene's ways to say everybody: `*` and `*:*`.
        return Query() if field in ("", "*") else _Term(field)

    def parts(self) -> list[str]:
        """The texts between the `*` of the value that stands here."""
        if found := self.take(_QUOTED):
            return [_meant(found[0])]
        found = None if _OPERATOR.match(self.rest) else self.take(_WORD)
        if not found:
            raise Invalid(_NO_TERM.get(self.rest[:1], "a term should stand before {}").format(_shown(self.rest)))
        if unsupported := _UNSUPPORTED.match(found[0]):
            raise Invalid(f"`{unsupported[1]}` is not supported: put {_shown(found[0])} in quotes if it means itself")
        return [_meant(part) for part in _UP_TO_STAR.findall(f"{found[0]}*")]

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read on over spaces, and over what the pattern finds there."""
        self.rest = self.rest.lstrip()
        found = pattern.match(self.rest)
        if found:
            self.rest = self.rest[found.end() :]
        return found


def _query(marked: list[tuple[str, Query | _Term]]) -> Query:
    must, must_not, should = (tuple(part for mark, part in marked if mark == sign) for sign in ("+", "-", ""))
    return Query(must, must_not, () if must else should)


def _comparison(field: str, sign: str, text: str) -> _Test:
    """Numbers compare as numbers, dates as far as `text` goes, anything else as text."""
    holds, is_date, text = _RELATIONS[sign], field in _DATES, _spelling(field, text)
    if is_date:
        if not _DATE.fullmatch(text):
            raise Invalid(f"{_shown(text)} is not a date in UTC, such as `2024-01-31` or `2024-01-31T23:59:59Z`")
        text = text.removesuffix("Z").removesuffix("+00:00")[:_TO_MILLISECONDS]

    def test(value: object) -> bool:
        given = _text(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            both = _NUMBER.fullmatch(given) and _NUMBER.fullmatch(text)
            return bool(both) and holds(Decimal(given), Decimal(text))
        return holds(given[: len(text)] if is_date else given, text)

    return test


def _wildcard(field: str, parts: list[str]) -> _Test:
    """Each part is found once and for all: the pattern never goes back."""
    first, *middle, last = (re.escape(_spelling(field, part)) for part in parts)
    pattern = re.compile("".join([first, *(f"(?>.*?{part})" for part in middle), ".*", last]), re.DOTALL)
    return lambda value: pattern.fullmatch(_text(value)) is not None


def _values(user: Mapping[str, Any], field: str) -> Iterator[object]:
    """What stands in a field, through lists: scalars, and objects that are not empty."""
    known = field in _FIELDS or field.partition(".")[0] in _ROOTS
    paths = [["email"]] if field == _DOMAIN else [name.split(".") for name in ([field] if field else _ANY)]
    waiting: list[tuple[Any, list[str]]] = [(user, path) for path in paths if known]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, list):
            waiting.extend((element, path) for element in value)
        elif path:
            waiting.append((value.get(path[0]) if isinstance(value, Mapping) else None, path[1:]))
        elif isinstance(value, str):
            yield _spelling(field, value.rpartition("@")[2] if field == _DOMAIN else value)
        elif value is not None and value != {}:
            yield value


def _text(scalar: object) -> str:
    return scalar if isinstance(scalar, str) else json.dumps(scalar)


def _spelling(field: str, text: str) -> str:
    return folded(text) if field in _CASELESS else text


def _meant(text: str) -> str:
    """Without the quotes around it and the backslashes in it."""
    return _ESCAPED.sub(r"\1", text[1:-1] if text.startswith('"') else text)


def _shown(text: str) -> str:
    """The user's own words, fit for a message: short, and without what no encoding or terminal can take."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:60])
    return f"`{shown}`"
