"""Role trusts: calls 83 to 90."""

from fastapi import Response

from rescind.api.exchange import Here
from rescind.api.vultr import say, wire
from rescind.api.vultr.manners import Cursor, PerPage, meta, whole
from rescind.usecases import trusts
from rescind.usecases.trusts import Asked


def list_trusts(exchange: Here, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(trusts.page, exchange.window(cursor, per_page))
    return exchange.reply(
        wire.Trusts(role_trusts=[say.trust(found) for found in page.items], meta=meta(exchange, page))
    )


def create_trust(exchange: Here, body: wire.TrustNew) -> Response:
    made = exchange.write(trusts.create, _asked(body))
    return exchange.reply(say.trust_both(exchange.look(trusts.get, made)))


def get_trust(exchange: Here, trust_id: str) -> Response:
    return exchange.reply(wire.TrustWrapped(role_trust=say.trust(exchange.read(trusts.get, trust_id))))


def update_trust(exchange: Here, trust_id: str, body: wire.TrustEdit) -> Response:
    exchange.write(trusts.update, _asked(body), trust=trust_id)
    return exchange.reply(say.trust_both(exchange.look(trusts.get, trust_id)))


def delete_trust(exchange: Here, trust_id: str) -> Response:
    exchange.write(trusts.delete, trust=trust_id)
    return exchange.reply()


def restore_trust(exchange: Here, trust_id: str) -> Response:
    exchange.write(trusts.restore, trust=trust_id)
    return exchange.reply(wire.TrustWrapped(role_trust=say.trust(exchange.look(trusts.get, trust_id))))


def list_role_trusts(exchange: Here, role_id: str) -> Response:
    items = [say.trust(found) for found in exchange.read(trusts.of_role, role=role_id)]
    return exchange.reply(wire.Trusts(role_trusts=items, meta=whole(len(items))))


def list_assumable_roles(exchange: Here, user_id: str) -> Response:
    items = [say.assumable_role(trust, role) for trust, role in exchange.read(trusts.assumable, user=user_id)]
    return exchange.reply(wire.AssumableRoles(assumable_roles=items, roles=items, meta=whole(len(items))))


def _asked(body: wire.TrustEdit) -> Asked:
    # Null is a value here: it takes the limit away, as an empty text does.
    valid_until = body.valid_until or "" if "valid_until" in body.model_fields_set else None
    return Asked(
        role=body.role_id,
        trust_type=body.trust_type,
        user=body.trusted_user_id,
        group=body.trusted_group_id,
        issuer=body.trusted_oidc_issuer_id,
        issuer_source=body.trusted_oidc_issuer_source,
        conditions=body.conditions,
        valid_until=valid_until,
    )
