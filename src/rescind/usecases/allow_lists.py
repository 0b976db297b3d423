"""Allow-lists: the addresses from which a member's credentials may be used. Without one they may be from anywhere."""

import json
from dataclasses import dataclass
from ipaddress import ip_network

from rescind.model.addresses import Network, read_address, read_network
from rescind.model.errors import Invalid, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.usecases.escalation import refuse_credential
from rescind.usecases.unit import Member, Unit, View

ENTRIES_MAX = 500
ENTRY = "allow_list_entry"

ANYWHERE = ("0.0.0.0/0", "::/0")
_SIZES = {4: range(8, 33), 6: range(20, 129)}
# Addresses that no packet from the world comes from. Those of documentation are let be: they hurt nobody.
_NOT_PUBLIC = [
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
        "::/128",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    )
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One range of addresses, and since when it is listed (microseconds since 1970)."""

    network: Network
    added_at: int


def entries(view: View, *, user: str) -> list[Entry]:
    """A member's allow-list; at first it holds every address."""
    return [
        Entry(network, added_at)
        for listed, added_at in _listed(view, view.member(user)).items()
        if (network := read_network(listed)) is not None
    ]


def entry(view: View, *, user: str, subnet: str, size: int) -> Entry:
    """One entry of a member's allow-list."""
    wanted = _network(subnet, size)
    for found in entries(view, user=user):
        if found.network == wanted:
            return found
    raise NotFound(ENTRY)


def add(unit: Unit, *, user: str, subnet: str, size: int, may_be_private: bool = False) -> bool:
    """Let a member's credentials be used from a range, and say whether it was not listed before.

    The range is one of public addresses unless it `may_be_private`.
    """
    member = unit.member(user)
    refuse_credential(unit, member)
    wanted = _network(subnet, size)
    if size and not may_be_private and any(_is_within(wanted, private) for private in _NOT_PUBLIC):
        raise Invalid("`subnet` is not a public address; the operator may let in others by `--private-addresses`")
    listed, network = _listed(unit, member), str(wanted)
    if network in listed:
        return False
    if len(listed) >= ENTRIES_MAX:
        raise Invalid(f"more than {ENTRIES_MAX} entries in one allow-list")
    return _write(unit, member, {**listed, network: unit.reader.instant})


def remove(unit: Unit, *, user: str, subnet: str, size: int) -> bool:
    """Take a range out of a member's allow-list, and say whether it was listed. Nothing listed means nowhere."""
    member = unit.member(user)
    if unit.is_root(member.membership):
        refuse_credential(unit, member)
    listed, network = _listed(unit, member), str(_network(subnet, size))
    if network not in listed:
        return False
    return _write(unit, member, {kept: at for kept, at in listed.items() if kept != network})


def _listed(view: View, member: Member) -> dict[str, int]:
    facts = view.facts(member.membership.key, FactKind.ALLOW_LIST)
    if not facts:
        return dict.fromkeys(ANYWHERE, member.membership.created_at)
    listed: dict[str, int] = json.loads(facts[0].value or "")
    return listed


def _write(unit: Unit, member: Member, listed: dict[str, int]) -> bool:
    value = json.dumps(listed, sort_keys=True, separators=(",", ":"))
    return unit.open(Fact(FactKind.ALLOW_LIST, member.membership.key, scope=unit.organization, value=value))


def _network(subnet: str, size: int) -> Network:
    """The range of an address and a prefix length; length 0 is every address of its version."""
    address = read_address(subnet)
    if address is None:
        raise Invalid("`subnet` is not an IP address")
    version = address.version
    if size == 0:
        return ip_network(ANYWHERE[version == 6])
    sizes = _SIZES[version]
    if size not in sizes:
        raise Invalid(f"`subnet_size` must be {sizes[0]} to {sizes[-1]}, or 0 for any address")
    return ip_network(f"{address}/{size}", strict=False)


def _is_within(network: Network, other: Network) -> bool:
    return network.version == other.version and network.prefixlen >= other.prefixlen and network[0] in other
