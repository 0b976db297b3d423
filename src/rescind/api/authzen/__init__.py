"""AuthZEN: the Authorization API 1.0 of the OpenID Foundation, at `/access/v1`."""
