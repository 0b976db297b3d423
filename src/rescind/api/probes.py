"""What keeps a node running asks here: `/healthz`, `/readyz`, `/metrics`."""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rescind.api.draining import Draining
from rescind.api.metrics import REVISION, exposition
from rescind.engine.freshness import Freshness
from rescind.model.errors import Unavailable


def probes(freshness: Freshness, draining: Draining) -> Starlette:
    """The probes of one node, and the answer to every path that nothing else knows."""

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        """Red when the node cannot prove that an answer would be fresh, and when it is about to end."""
        if draining.is_on:
            return JSONResponse({"status": "unavailable", "reason": "the node is ending"}, 503, {"Retry-After": "1"})
        try:
            moment = await run_in_threadpool(freshness.now)
        except Unavailable as refusal:
            return JSONResponse({"status": "unavailable", "reason": refusal.message}, 503, {"Retry-After": "1"})
        return JSONResponse({"status": "ready", "revision": moment.revision})

    async def metrics(_: Request) -> Response:
        REVISION.set(freshness.known.revision if freshness.known else 0)
        body, media_type = exposition()
        return Response(body, media_type=media_type)

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": error.detail, "status": error.status_code}, error.status_code, error.headers)

    app = Starlette(
        routes=[Route("/healthz", healthy), Route("/readyz", ready), Route("/metrics", metrics)],
        exception_handlers={HTTPException: refused},
    )
    app.router.redirect_slashes = False
    return app
