"""Mail: the invitation's link on its way to the person. Nothing of it is kept, and nothing waits for it."""

import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import Header
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import formatdate, make_msgid
from typing import Self
from urllib.parse import unquote, urlsplit

import structlog

from rescind.model.errors import Invalid
from rescind.usecases.invitations import InvitationView

_SECONDS_MAX = 20
_AT_ONCE = 2
_LOCAL = ("localhost", "127.0.0.1", "::1")

_log = structlog.get_logger("rescind.mail")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail server, or none. `public_url` is where links lead."""

    public_url: str
    host: str = ""
    port: int = 0
    sender: str = ""
    is_encrypted: bool = False
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    # Threads of its own: a slow server keeps no call waiting.
    _post: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_AT_ONCE, "mail"), repr=False, compare=False
    )

    @classmethod
    def at(cls, url: str, sender: str, public_url: str) -> Self:
        """From `smtp://[user:password@]host[:port]`, or `smtps://…` for TLS from the first byte; empty for none.

        Over `smtp://` the server must offer STARTTLS, unless it is on this machine: the link is a secret.
        """
        if not url:
            return cls(public_url)
        try:
            parts = urlsplit(url)
            port = parts.port or {"smtp": 587, "smtps": 465}[parts.scheme]
        except (ValueError, KeyError):
            raise Invalid("the mail server must be smtp://HOST[:PORT] or smtps://HOST[:PORT]") from None
        if not parts.hostname or not sender:
            raise Invalid("a mail server needs a host, and an address to send from")
        return cls(
            public_url,
            parts.hostname,
            port,
            sender,
            parts.scheme == "smtps",
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )

    @property
    def is_configured(self) -> bool:
        """Whether there is a server to send by."""
        return bool(self.host)

    def link(self, token: str) -> str:
        """The address under which an invitation is read and answered."""
        return f"{self.public_url.rstrip('/')}/v1/invitations/{token}"

    def send_invitation(self, invitation: InvitationView, token: str) -> None:
        """Send an invitation's link, in the background; where that fails the log says so, and it can be sent again."""
        self._post.submit(self._send, invitation, token)

    def close(self) -> None:
        """Send nothing more."""
        self._post.shutdown(wait=False, cancel_futures=True)

    def _send(self, invitation: InvitationView, token: str) -> None:
        try:
            message = self._message(invitation, token)
            with self._connect() as server:
                if self.user:
                    server.login(self.user, self.password)
                server.sendmail(self.sender, [invitation.email], message)
        except (OSError, ValueError, MessageError, smtplib.SMTPException) as error:
            # The error's own words may quote the message, and with it the link.
            _log.warning("mail not sent", invitation=invitation.invitation.id, error=type(error).__name__)

    def _message(self, invitation: InvitationView, token: str) -> bytes:
        inviter = invitation.inviter_name or "An administrator"
        link = self.link(token)
        message = MIMEText(
            f"{inviter} invites you to join {invitation.organization_name}.\n\n"
            f"{link}\n\n"
            "The link is for you alone. It can be answered once, within three days.\n\n"
            "To accept, choose a password, or give that of the account you have:\n\n"
            f'curl {link}/accept -d \'{{"name": "YOUR NAME", "password": "YOUR PASSWORD"}}\'\n\n'
            f"To decline:\n\ncurl -X POST {link}/decline\n",
            "plain",
            "utf-8",
        )
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2] or None)
        message["From"] = self.sender
        message["To"] = invitation.email
        # Encoded whole: people choose these names, and some would be read as more than text.
        message["Subject"] = Header(f"Invitation to {invitation.organization_name}", "utf-8").encode()
        return message.as_bytes(policy=compat32.clone(linesep="\r\n"))

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.is_encrypted:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=_SECONDS_MAX, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=_SECONDS_MAX)
        try:
            server.ehlo()
            if server.has_extn("starttls") or self.host not in _LOCAL:
                server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server
