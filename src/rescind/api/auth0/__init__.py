"""The Auth0 face: the Management API at `/api/v2`, and the endpoints of OAuth 2.0 and OpenID Connect."""
