"""Settings: read once at start, one frozen value, the same from options and from `RESCIND_…` variables."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """How one node runs. `trusted_proxies` are the addresses whose `X-Forwarded-For` is believed."""

    database: str = "sqlite:///rescind.db"
    host: str = "127.0.0.1"
    port: int = 8480
    public_url: str = ""
    workers: int = 1
    management_process: bool = True
    tls_cert: str = ""
    tls_key: str = ""
    trusted_proxies: str = ""
    faithful_grants: bool = False
    private_addresses: bool = False
    smtp_url: str = field(default="", repr=False)
    mail_from: str = ""

    @property
    def reached_at(self) -> str:
        """The address under which clients reach the node."""
        scheme = "https" if self.tls_cert else "http"
        return self.public_url or f"{scheme}://{self.host}:{self.port}"
