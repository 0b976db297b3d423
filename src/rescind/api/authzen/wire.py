"""What is sent to AuthZEN's endpoints, read as strictly as the standard wants it. Unknown members are ignored."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType, field
from msgspec.json import Decoder

from rescind.api.body import DEPTH_MAX
from rescind.model.errors import Invalid

EVALUATIONS_MAX = 5000
"""Evaluations in one request."""
PAGE_MAX = 1000
"""Results on one page of a search."""

ALL, UNTIL_DENIED, UNTIL_PERMITTED = "execute_all", "deny_on_first_deny", "permit_on_first_permit"

Properties = dict[str, Any]

# What is read from JSON holds no circles: the collector of those need not look at it. Properties that are not given
# are made for nobody: most questions have none.


class Entity(Struct, gc=False):
    """A subject or a resource."""

    type: str
    id: str
    properties: Properties | UnsetType = UNSET


class Kind(Struct, gc=False):
    """What is searched for: by its type alone."""

    type: str
    properties: Properties = field(default_factory=dict)


class Action(Struct, gc=False):
    """What is done."""

    name: str
    properties: Properties | UnsetType = UNSET


class Evaluation(Struct, gc=False):
    """One question."""

    subject: Entity
    action: Action
    resource: Entity
    context: Properties = field(default_factory=dict)


class Item(Struct, gc=False):
    """One question of many: what is missing is as it is for all."""

    subject: Entity | UnsetType = UNSET
    action: Action | UnsetType = UNSET
    resource: Entity | UnsetType = UNSET
    context: Properties | UnsetType = UNSET


class PartOfEntity(Struct, gc=False):
    """As much as is said of a subject or a resource."""

    type: str = ""
    id: str = ""
    properties: Properties = field(default_factory=dict)


class PartOfAction(Struct, gc=False):
    """As much as is said of an action."""

    name: str = ""
    properties: Properties = field(default_factory=dict)


class Options(Struct, gc=False):
    """When to stop."""

    evaluations_semantic: Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"] = "execute_all"


class Evaluations(Item, gc=False):
    """Many questions."""

    evaluations: list[Item] = field(default_factory=list)
    options: Options = field(default_factory=Options)


class Complete(Struct, gc=False):
    """The same, where each says everything itself; whoever says something for all is not among them."""

    evaluations: list[Evaluation]
    options: Options = field(default_factory=Options)
    subject: msgspec.Raw | UnsetType = UNSET
    action: msgspec.Raw | UnsetType = UNSET
    resource: msgspec.Raw | UnsetType = UNSET
    context: msgspec.Raw | UnsetType = UNSET


class RawEvaluations(Struct, gc=False):
    """The same, where something is wrong with one of them, or with what is said for all."""

    subject: msgspec.Raw | UnsetType = UNSET
    action: msgspec.Raw | UnsetType = UNSET
    resource: msgspec.Raw | UnsetType = UNSET
    context: Properties = field(default_factory=dict)
    evaluations: list[msgspec.Raw] = field(default_factory=list)
    options: Options = field(default_factory=Options)


class Page(Struct, gc=False):
    """Which part of the results is wanted."""

    token: str = ""
    limit: int | UnsetType = UNSET


class SubjectSearch(Struct, gc=False):
    """Who may do it."""

    subject: Kind
    action: Action
    resource: Entity
    context: Properties = field(default_factory=dict)
    page: Page | UnsetType = UNSET


class ResourceSearch(Struct, gc=False):
    """What it may be done on."""

    subject: Entity
    action: Action
    resource: Kind
    context: Properties = field(default_factory=dict)
    page: Page | UnsetType = UNSET


class ActionSearch(Struct, gc=False):
    """What may be done."""

    subject: Entity
    resource: Entity
    context: Properties = field(default_factory=dict)
    page: Page | UnsetType = UNSET


_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"{}[]")

Read = TypeVar("Read", bound=Struct)

_EVALUATION, _COMPLETE = Decoder(Evaluation), Decoder(Complete)
_EVALUATIONS, _RAW = Decoder(Evaluations), Decoder(RawEvaluations)
_ITEM, _ENTITY, _ACTION = Decoder(Item), Decoder(Entity), Decoder(Action)
_PART_OF_ENTITY, _PART_OF_ACTION = Decoder(PartOfEntity), Decoder(PartOfAction)


def evaluation(body: bytes) -> Evaluation:
    """One question. Raises `Invalid`."""
    return read(_EVALUATION, body)


class Batch(NamedTuple):
    """Many questions, each of them or what is wrong with it; those with which nothing is wrong; and when to stop."""

    items: Sequence[Evaluation | Invalid]
    asked: Sequence[Evaluation]
    semantic: str


def evaluations(body: bytes) -> Batch:
    """Many questions. Raises `Invalid` for what is wrong with all.

    What is said for all may be incomplete: then it is as if it was not said.
    """
    try:
        # Most say everything in each, and that is read in half the time.
        complete = _COMPLETE.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        complete = None
    if complete is None or not (complete.subject is complete.action is complete.resource is complete.context is UNSET):
        _check_text(body)
        whole, parts = _partial(body)
        items = [_completed(whole, part) for part in parts]
        well = [item for item in items if not isinstance(item, Invalid)]
        return Batch(items, well, whole.options.evaluations_semantic)
    asked = complete.evaluations
    _check_number(asked)
    # Each opens four brackets, and one for a context that it has; each is in two.
    _check_text(body, brackets=2 + 5 * len(asked) - [one.context for one in asked].count({}), depth=4)
    return Batch(asked, asked, complete.options.evaluations_semantic)


def _partial(body: bytes) -> tuple[Evaluations, Sequence[Item | Invalid]]:
    """What is said for all, and what each says."""
    try:
        whole = _EVALUATIONS.decode(body)
        items: list[Item | Invalid] = list(whole.evaluations)
    except (msgspec.MsgspecError, RecursionError):
        raw = read(_RAW, body)
        whole = Evaluations(
            _said_for_all(raw.subject, _ENTITY, _PART_OF_ENTITY),
            _said_for_all(raw.action, _ACTION, _PART_OF_ACTION),
            _said_for_all(raw.resource, _ENTITY, _PART_OF_ENTITY),
            raw.context,
            [],
            raw.options,
        )
        items = [_item(one) for one in raw.evaluations]
    _check_number(items)
    return whole, items


def _check_number(items: Sequence[object]) -> None:
    if len(items) > EVALUATIONS_MAX:
        raise Invalid(f"more than {EVALUATIONS_MAX} evaluations")


def _completed(whole: Evaluations, item: Item | Invalid) -> Evaluation | Invalid:
    """An item with what it does not say taken from what is said for all."""
    if isinstance(item, Invalid):
        return item
    subject = whole.subject if item.subject is UNSET else item.subject
    action = whole.action if item.action is UNSET else item.action
    resource = whole.resource if item.resource is UNSET else item.resource
    context = whole.context if item.context is UNSET else item.context
    if subject is UNSET or action is UNSET or resource is UNSET:
        return Invalid("an evaluation needs a subject, an action and a resource")
    return Evaluation(subject, action, resource, {} if context is UNSET else context)


def read(decoder: "Decoder[Read]", body: bytes | msgspec.Raw) -> Read:
    """A request, or `Invalid` for what is not one."""
    if isinstance(body, bytes):
        _check_text(body)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)) from None
    except (msgspec.MsgspecError, RecursionError):
        raise Invalid("the body is not well-formed JSON") from None


def _item(raw: msgspec.Raw) -> Item | Invalid:
    try:
        return read(_ITEM, raw)
    except Invalid as refusal:
        return refusal


def _said_for_all(raw: msgspec.Raw | UnsetType, decoder: "Decoder[Read]", part: "Decoder[Any]") -> "Read | UnsetType":
    """What is said for all, if it is complete. Raises `Invalid` for what is of the wrong type."""
    if raw is UNSET:
        return UNSET
    read(part, raw)
    try:
        return read(decoder, raw)
    except Invalid:
        return UNSET


def _check_text(body: bytes, brackets: int = 0, depth: int = 0) -> None:
    """Refuse a body that is no UTF-8, or whose brackets nest too deep, wherever: also in members that nobody reads.

    So many of its brackets are known to nest no deeper than `depth`. Brackets in strings may hide some others. That
    harms nobody: what reads properties goes along a path, step by step.
    """
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise Invalid("the body is not well-formed JSON") from None
    # Most have one list, or none, and to look for a second one takes less time than to count.
    lists = body.count(b"[") if body.find(b"[") != body.rfind(b"[") else 1
    if body.count(b"{") + lists - brackets + depth <= DEPTH_MAX:
        return
    nested = body.translate(None, _NO_BRACKETS)
    for _ in range(DEPTH_MAX):
        if len(nested) <= DEPTH_MAX:
            return
        nested = nested.replace(b"{}", b"").replace(b"[]", b"")
    if len(nested) > DEPTH_MAX:
        raise Invalid("the body is nested too deep")
