"""The composition root: settings → store → engine and service. No door is here: most commands need none.

Whoever only looks something up must not wait for all that answers HTTP to be imported.
"""

from dataclasses import dataclass

from rescind.api import metrics
from rescind.api.mail import Mail
from rescind.engine.activity import Activity
from rescind.engine.decisions import Decisions
from rescind.engine.freshness import Freshness
from rescind.engine.kept import Touches
from rescind.engine.pulse import Pulse
from rescind.secret_key import secret_key
from rescind.settings import Settings
from rescind.store.database import Database
from rescind.store.engines import engine_for
from rescind.store.logins import Logins
from rescind.usecases.issuer import Issuer
from rescind.usecases.service import Service
from rescind.usecases.vault import Vault


@dataclass(frozen=True, slots=True)
class Node:
    """One process of Rescind, put together."""

    store: Database
    freshness: Freshness
    service: Service
    decisions: Decisions
    activity: Activity
    mail: Mail
    logins: Logins
    settings: Settings


def build(settings: Settings) -> Node:
    """Put a node together on a database that has this version's schema."""
    store = Database(engine_for(settings.database))
    freshness = Freshness(store, metrics.FRESHNESS_SECONDS.observe)
    decisions = decisions_of(store, freshness)
    activity = Activity(store)
    issuer = Issuer(settings.reached_at.rstrip("/") + "/", Vault(secret_key(settings)))
    service = Service(
        store,
        freshness,
        issuer,
        faithful_grants=settings.faithful_grants,
        used=activity.note,
        foresee=decisions.foresee,
    )
    mail = Mail.at(settings.smtp_url, settings.mail_from, settings.reached_at)
    return Node(store, freshness, service, decisions, activity, mail, Logins(store), settings)


def decisions_of(store: Database, freshness: Freshness) -> Decisions:
    """The engine of a node on its store."""
    touches = Touches()
    return Decisions(store, Pulse(store, freshness, touches, is_near=store.engine.is_near), touches)
