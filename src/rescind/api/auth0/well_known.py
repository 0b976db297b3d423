"""What everybody may know of the server: where its endpoints are, and the keys that it signs with."""

from fastapi import Response

from rescind.api.exchange import Here
from rescind.usecases import signing_keys
from rescind.usecases.tokens import CLIENT_CREDENTIALS, OIDC_SCOPES, PASSWORD_GRANT, PASSWORD_REALM, REFRESH_TOKEN


def list_signing_keys(exchange: Here) -> Response:
    return exchange.say({"keys": exchange.read(signing_keys.published)})


def describe_authorization_server(exchange: Here) -> Response:
    return describe_server(exchange)


def describe_server(exchange: Here) -> Response:
    url = exchange.issuer.url
    exchange.read(signing_keys.published)
    return exchange.say(
        {
            "issuer": url,
            "authorization_endpoint": f"{url}authorize",
            "token_endpoint": f"{url}oauth/token",
            "device_authorization_endpoint": f"{url}oauth/device/code",
            "userinfo_endpoint": f"{url}userinfo",
            "mfa_challenge_endpoint": f"{url}mfa/challenge",
            "jwks_uri": f"{url}.well-known/jwks.json",
            "registration_endpoint": f"{url}oidc/register",
            "revocation_endpoint": f"{url}oauth/revoke",
            "introspection_endpoint": f"{url}oauth/introspect",
            "grant_types_supported": [CLIENT_CREDENTIALS, PASSWORD_GRANT, PASSWORD_REALM, REFRESH_TOKEN],
            "scopes_supported": list(OIDC_SCOPES),
            "response_types_supported": ["code", "token", "id_token", "code token", "code id_token"],
            "code_challenge_methods_supported": ["S256", "plain"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256", "RS384", "PS256"],
            "claims_supported": ["sub", "iss", "aud", "iat", "exp", "name", "nickname", "picture", "email"],
            "request_uri_parameter_supported": False,
            "request_parameter_supported": False,
        }
    )
