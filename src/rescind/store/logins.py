"""What was tried to come in, and how often: it changes no answer, so it is kept beside the log, for a while."""

import hashlib
from collections.abc import Collection
from hmac import compare_digest

import sqlalchemy as sa

from rescind.model.emails import folded
from rescind.store import sql
from rescind.store.contract import Login
from rescind.store.database import Database

ATTEMPTS_MAX = 10
WINDOW_MICROSECONDS = 10 * 60 * 1_000_000
"""So many failed logins of one user from one address within so long are the last."""
KEPT_MICROSECONDS = 30 * 24 * 3600 * 1_000_000
"""For so long what was tried can be read."""


class Logins:
    """The traces of logins in a database, and the turns of refresh tokens. Raises `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, login: Login) -> None:
        """Remember one; what is older than 30 days is forgotten by and by."""
        row = {name: getattr(login, name) for name in Login.__slots__ if name != "key"}
        with self._database.beside_the_log() as connection:
            connection.execute(sql.INSERT_LOGIN, row)
            # The clock's last digits are as good as a die: one in 256 tidies up.
            if login.at % 256 == 0:
                connection.execute(sql.FORGET_LOGINS, {"until": login.at - KEPT_MICROSECONDS})

    def may_try(self, name: str, address: str, at: int) -> bool:
        """Whether somebody may try a password for that name from there; the trial counts before it is known to fail."""
        subject = subject_of(name)
        with self._database.beside_the_log() as connection:
            connection.execute(sql.INSERT_FAILED_LOGIN, {"subject": subject, "address": address, "at": at})
            connection.execute(sql.FORGET_FAILED_LOGINS, {"until": at - WINDOW_MICROSECONDS})
        # After the commit: of many at once each counts all that came before it.
        return self.failed(name, at).get(address, 0) <= ATTEMPTS_MAX

    def succeeded(self, name: str, address: str) -> None:
        """Forget what failed before for that name from there."""
        with self._database.beside_the_log() as connection:
            lift = {"of_subject": subject_of(name), "from_address": address}
            connection.execute(sql.LIFT_FAILED_LOGINS_FROM, lift)

    def failed(self, name: str, at: int) -> dict[str, int]:
        """How often each address failed to log in as that name lately."""
        asked = {"of_subject": subject_of(name), "since": at - WINDOW_MICROSECONDS}
        with self._database.outside_the_log() as connection:
            return {row.address: row.times for row in connection.execute(sql.FAILED_LOGINS, asked)}

    def blocked(self, name: str, at: int) -> list[str]:
        """The addresses from which nobody may try that name for now."""
        return sorted(address for address, count in self.failed(name, at).items() if count >= ATTEMPTS_MAX)

    def unblock(self, name: str) -> None:
        """Let that name be tried again from everywhere."""
        with self._database.beside_the_log() as connection:
            connection.execute(sql.LIFT_FAILED_LOGINS, {"of_subject": subject_of(name)})

    def noted(self, requests: Collection[str]) -> set[str]:
        """Those of the requests of which there is a trace."""
        with self._database.outside_the_log() as connection:
            return set(connection.execute(sql.NAMED_REQUESTS, {"requests": list(requests)}).scalars())

    def before(self, at: int, limit: int) -> list[Login]:
        """What was tried before `at`, newest first."""
        return self._page(sql.LOGINS_BEFORE, {"before": at}, limit)

    def after(self, at: int, limit: int) -> list[Login]:
        """What was tried after `at`, oldest first."""
        return self._page(sql.LOGINS_AFTER, {"after": at}, limit)

    def get(self, key: int) -> Login | None:
        """The trace with that key."""
        with self._database.outside_the_log() as connection:
            row = connection.execute(sql.LOGIN, {"of_key": key}).one_or_none()
        return Login(**{name: getattr(row, name) for name in Login.__slots__}) if row else None

    def last(self, users: Collection[int]) -> dict[int, tuple[int, int]]:
        """When those users last logged in, and how often they did within 30 days."""
        with self._database.outside_the_log() as connection:
            rows = connection.execute(sql.LAST_LOGINS, {"keys": list(users)})
            return {row.user: (row.at, row.times) for row in rows}

    def turn_times(self, families: Collection[int]) -> dict[int, int]:
        """When a refresh token of those families was last used."""
        with self._database.outside_the_log() as connection:
            return {row.family: row.at for row in connection.execute(sql.TURN_TIMES, {"keys": list(families)})}

    def is_turn(self, family: int, first: str, verifier: str) -> bool:
        """Whether that verifier is the one of the family's next refresh token, `first` if none was used yet."""
        with self._database.outside_the_log() as connection:
            current = connection.execute(sql.TURN, {"of_family": family}).scalar_one_or_none()
        return compare_digest(current or first, verifier)

    def take_turn(self, family: int, first: str, old: str, new: str, at: int) -> bool:
        """Replace the verifier of a family's next refresh token (`first`, if none was used yet), if it was `old`.

        Says whether it was; of several at once one succeeds.
        """
        with self._database.beside_the_log() as connection:
            connection.execute(sql.BEGIN_TURNS, {"of_family": family, "first": first, "at": at})
            taken = connection.execute(sql.TAKE_TURN, {"of_family": family, "old": old, "new": new, "at": at})
            return taken.rowcount == 1

    def _page(self, statement: sa.Select[tuple[object, ...]], parameters: dict[str, int], limit: int) -> list[Login]:
        with self._database.outside_the_log() as connection:
            rows = connection.execute(statement.limit(limit), parameters)
            return [Login(**{name: getattr(row, name) for name in Login.__slots__}) for row in rows]


def subject_of(name: str) -> str:
    """What is kept of a name that somebody tried: it may be anything, a password in the wrong field too."""
    return hashlib.sha256(folded(name.strip()).encode()).hexdigest()
