"""The issuer: who this server is to those who hold its tokens, and what its secrets are sealed with."""

from dataclasses import dataclass, field

from rescind.model.apis import SYSTEM_API
from rescind.usecases.vault import Vault


@dataclass(frozen=True, slots=True)
class Issuer:
    """`url` is the address under which clients reach the server, with a slash at its end: `iss` of every token."""

    url: str
    vault: Vault = field(repr=False)

    @property
    def domain(self) -> str:
        """The address without scheme and slash."""
        return self.url.partition("://")[2].rstrip("/")

    @property
    def management(self) -> str:
        """What clients call the API that manages this server."""
        return f"{self.url}api/v2/"

    @property
    def userinfo(self) -> str:
        """What tokens with the scope `openid` are meant for, too."""
        return f"{self.url}userinfo"

    def spoken(self, identifier: str) -> str:
        """An API's identifier as clients know it."""
        return self.management if identifier == SYSTEM_API else identifier

    def stored(self, identifier: str) -> str:
        """An API's identifier as it is stored; what only looks like a stored one is no API's."""
        if identifier == self.management:
            return SYSTEM_API
        return "" if identifier == SYSTEM_API else identifier
