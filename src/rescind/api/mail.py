"""Mail: the invitation's link on its way to the person. Nothing of it is kept, and nothing waits for it."""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Self
from urllib.parse import unquote, urlsplit

import structlog
from starlette.background import BackgroundTask

from rescind.model.errors import Invalid
from rescind.usecases.invitations import InvitationView

_SECONDS_MAX = 20
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

    @classmethod
    def at(cls, url: str, sender: str, public_url: str) -> Self:
        """From `smtp://[user:password@]host[:port]`, or `smtps://…` for TLS from the first byte; empty for none."""
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

    def invitation(self, invitation: InvitationView, token: str) -> BackgroundTask:
        """What sends an invitation's link, after the answer."""
        return BackgroundTask(self._send, self._message(invitation, token), invitation.invitation.id)

    def _message(self, invitation: InvitationView, token: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = invitation.email
        message["Subject"] = f"Invitation to {invitation.organization_name}"
        inviter = invitation.inviter_name or "An administrator"
        message.set_content(
            f"{inviter} invites you to join {invitation.organization_name}.\n\n"
            f"{self.link(token)}\n\n"
            "The link is for you alone. It works once, for three days.\n"
        )
        return message

    def _send(self, message: EmailMessage, invitation_id: str) -> None:
        """Send, or say in the log that it could not be done: the invitation can be sent again."""
        context = ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(self.host, self.port, timeout=_SECONDS_MAX, context=context)
                if self.is_encrypted
                else smtplib.SMTP(self.host, self.port, timeout=_SECONDS_MAX)
            ) as server:
                if not self.is_encrypted:
                    server.ehlo()
                    if server.has_extn("starttls"):
                        server.starttls(context=context)
                    elif self.user and self.host not in _LOCAL:
                        raise smtplib.SMTPNotSupportedError("no password over a connection in clear")
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            # The error's own words may quote the message, and with it the link.
            _log.warning("mail not sent", invitation=invitation_id, error=type(error).__name__)
