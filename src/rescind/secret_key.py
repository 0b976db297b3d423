"""The operator's secret key: given by variable or file, or made once beside an SQLite database."""

import os
import secrets
from pathlib import Path

from sqlalchemy import make_url

from rescind.model.errors import Invalid
from rescind.settings import Settings
from rescind.usecases.vault import KEY_LENGTH_MIN

VARIABLE = "RESCIND_SECRET_KEY"


def secret_key(settings: Settings) -> str:
    """The key under which secrets are sealed, the same on every node of a database.

    Raises `Invalid` if there is none, or a short one: only for an SQLite file one is made, beside it, for its owner.
    """
    if key := os.environ.get(VARIABLE):
        return _checked(key, VARIABLE)
    if named := os.environ.get(f"{VARIABLE}_FILE"):
        return _checked(_read(Path(named)), named)
    url = make_url(settings.database)
    if not url.drivername.startswith("sqlite"):
        raise Invalid(
            f"set {VARIABLE} or {VARIABLE}_FILE to at least {KEY_LENGTH_MIN} random characters, the same on every "
            "node: secrets in PostgreSQL are sealed under it"
        )
    file = Path(f"{url.database}.secret")
    if not file.exists():
        _make(file)
    return _checked(_read(file), str(file))


def _make(file: Path) -> None:
    """Put a new key in place whole, unless another process was faster."""
    whole = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
        made.write(secrets.token_urlsafe(32) + "\n")
    try:
        os.link(whole, file)
    except FileExistsError:
        pass
    finally:
        whole.unlink()


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise Invalid(f"the secret key cannot be read from {file}: {error.strerror}") from None


def _checked(key: str, where: str) -> str:
    if len(key) < KEY_LENGTH_MIN:
        raise Invalid(f"the secret key in {where} has fewer than {KEY_LENGTH_MIN} characters")
    return key
