"""IP addresses and ranges as texts, read the same way wherever they stand. None where a text is not one."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+")
_CIDR = re.compile(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?")


def read_network(value: object) -> Network | None:
    """A range; host bits count for nothing. A range of IPv4-mapped addresses is the range of their IPv4 addresses."""
    if not isinstance(value, str) or not _CIDR.fullmatch(value):
        return None
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def read_address(value: object) -> Address | None:
    """An address; an IPv4-mapped one is the IPv4 address."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        return None
    try:
        address = ip_address(value)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
