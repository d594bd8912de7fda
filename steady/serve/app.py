"""The HTTP application: routes, limits, and answers that never hold a traceback."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from steady.records import Prediction
from steady.serve import schema
from steady.serve.answers import agreement, answer
from steady.serve.arms import ReadyArm
from steady.serve.batching import Batcher, Closed, Full, Unit
from steady.serve.layers import BoundedBody, CountedAnswers, Counts, QuickHealth, aside, error_body
from steady.serve.phrasing import Phrasing

LOG = logging.getLogger("steady.serve")
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": schema.Refused, "description": text}
    for status, text in (
        (400, "The body is no JSON"),
        (408, "The body came too slowly"),
        (413, "The body is too large"),
        (422, "The question is not one"),
        (429, "The queue is full; come again after the seconds in Retry-After"),
        (503, "No answer within the time that a request may take, or the server is shutting down"),
    )
}


@dataclass(frozen=True)
class Limits:
    """What the server takes at most."""

    capacity: int = 32
    batch_size: int = 32
    timeout_seconds: float = 30.0
    body_bytes: int = 512 * 1024
    body_seconds: float = 10.0


class Refusal(Exception):  # noqa: N818
    """An answer that is no success."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


def make_app(arms: Sequence[ReadyArm], phrasing: Phrasing, limits: Limits) -> FastAPI:
    """The application for some loaded arms; its model thread starts and ends with the application's lifespan."""
    counts = Counts()
    by_name = {arm.name: arm for arm in arms}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        scores = {arm.name: arm.predict for arm in arms}
        app.state.batcher = Batcher(scores, limits.capacity, limits.batch_size, counts.batch)
        yield
        await asyncio.to_thread(app.state.batcher.close)

    app = FastAPI(
        title="Steady",
        summary="Ask the arms of a run, under one wording or many.",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own pages load their scripts from elsewhere
        redoc_url=None,
        responses={status: REFUSALS[status] for status in (408, 413)},
    )
    app.openapi_version = "3.0.3"  # what the bundled Swagger UI reads
    app.state.counts, app.state.limits = counts, limits
    # the last one added sees a request first: health comes before the limits, and the limits before the counts
    app.add_middleware(CountedAnswers, counts=counts)
    app.add_middleware(BoundedBody, limit=limits.body_bytes, seconds=limits.body_seconds)
    app.add_middleware(QuickHealth, state=partial(_health, app), counts=counts)
    _add_refusals(app)
    _add_pages(app, by_name, phrasing)
    _add_predict(app, by_name, phrasing)
    return app


def _add_predict(app: FastAPI, arms: dict[str, ReadyArm], phrasing: Phrasing) -> None:
    question = schema.request_model(list(arms), list(phrasing.wordings))

    @app.post("/predict", response_model=schema.Answered, responses=REFUSALS)
    async def predict(asked: question, request: Request) -> Response:  # type: ignore[valid-type]
        """Answer a text, or up to 32, by each arm under each wording: labels as offline, or generated text."""
        started = time.perf_counter()
        texts = [asked.text] if isinstance(asked.text, str) else asked.text  # type: ignore[attr-defined]
        # named twice is asked once
        names, wordings = list(dict.fromkeys(asked.arms)), list(dict.fromkeys(asked.wordings))  # type: ignore[attr-defined]
        if len(texts) * len(names) * len(wordings) > schema.MOST_PROMPTS:
            raise Refusal(422, "too_many", f"texts x arms x wordings is over {schema.MOST_PROMPTS}; ask in parts")
        if app.state.batcher.full:  # before any work is done for it
            raise _busy(app)
        size = sum(map(len, texts)) * len(wordings)
        prompts = await aside(size, lambda: [[phrasing.prompt(text, name) for name in wordings] for text in texts])
        units = [(name, prompt) for name in names for row in prompts for prompt in row]
        found = await _unless_left(app, request, units)
        app.state.counts.seconds.observe(time.perf_counter() - started)
        labels = list(next(iter(arms.values())).labels)
        asked_arms = [arms[name] for name in names]
        body = await aside(size, lambda: _body(labels, asked_arms, wordings, prompts, found))
        return Response(body, media_type="application/json")


def _body(
    labels: list[str],
    arms: list[ReadyArm],
    wordings: list[str],
    prompts: list[list[str]],
    found: dict[Unit, Prediction],
) -> bytes:
    """The answer as JSON, with an entry for each text, as `schema.Answered`."""
    results = []
    for row in prompts:
        shown = {}
        for arm in arms:
            asked = zip(wordings, row, arm.lengths(row), strict=True)
            answers = [answer(wording, found[arm.name, prompt], length) for wording, prompt, length in asked]
            shared = agreement(answers)
            shown[arm.name] = {"answers": answers, "agreement": 1.0 if shared is None else shared}
        results.append({"prompts": row, "arms": shown})
    return msgspec.json.encode({"labels": labels, "results": results})


def _busy(app: FastAPI) -> Refusal:
    return Refusal(429, "busy", f"{app.state.limits.capacity} requests are under way; come again", 1)


async def _unless_left(app: FastAPI, request: Request, units: list[Unit]) -> dict[Unit, Prediction]:
    """The predictions, unless the client leaves (its place is free at once), the queue is full, or time is up."""

    async def has_left() -> None:
        # its body has been read whole before
        while (await request.receive())["type"] != "http.disconnect":
            pass

    work: asyncio.Future[dict[Unit, Prediction]] = asyncio.ensure_future(app.state.batcher.answers(units))
    leaving = asyncio.ensure_future(has_left())
    # whatever comes first: an answer, the client's leaving, or the end of its time
    either: set[asyncio.Future[Any]] = {work, leaving}
    try:
        await asyncio.wait(either, timeout=app.state.limits.timeout_seconds, return_when="FIRST_COMPLETED")
        if work.done():
            return work.result()
        if leaving.done():
            app.state.counts.left.inc()
            raise Refusal(499, "left", "the client has left")
        raise Refusal(503, "timeout", f"no answer within {app.state.limits.timeout_seconds:g} seconds", 1)
    except Full:
        raise _busy(app) from None
    except Closed:
        raise Refusal(503, "closing", "the server is shutting down", 5) from None
    except Refusal:
        raise
    except Exception as error:
        LOG.error("the model failed", exc_info=error)
        raise Refusal(500, "internal", "the model failed; the server's log says how") from None
    finally:
        work.cancel()
        leaving.cancel()


def _health(app: FastAPI) -> tuple[int, object]:
    if not app.state.batcher.alive:
        return 503, error_body("closing", "the model's thread takes no work")
    return 200, {"status": "ok", "pending": app.state.batcher.pending, "capacity": app.state.limits.capacity}


def _add_pages(app: FastAPI, arms: dict[str, ReadyArm], phrasing: Phrasing) -> None:
    """What is got without a question: the playground, the documentation, and the state of the server."""
    from swagger_ui_bundle import swagger_ui_path  # type: ignore[import-untyped]

    page = (files("steady.serve") / "playground.html").read_text(encoding="utf-8")
    app.mount("/swagger", StaticFiles(directory=swagger_ui_path), name="swagger")

    @app.get("/", include_in_schema=False)
    async def playground() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY, "X-Content-Type-Options": "nosniff"})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Steady: documentation",
            swagger_js_url="/swagger/swagger-ui-bundle.js",
            swagger_css_url="/swagger/swagger-ui.css",
            swagger_favicon_url="/swagger/favicon-32x32.png",
        )

    @app.get("/health", response_model=schema.Health, responses={503: REFUSALS[503]})
    async def health() -> Any:
        """Whether the model's thread takes work; `QuickHealth` answers before it comes here, so also under load."""
        status, body = _health(app)
        return JSONResponse(body, status)

    @app.get("/choices", response_model=schema.Choices)
    async def choices() -> Any:
        """The labels, and the arms and wordings that a request may name."""
        shown = schema.WordingChoice.model_fields
        wordings = [{name: getattr(item, name) for name in shown} for item in phrasing.wordings.values()]
        one = next(iter(arms.values()))
        task = {"labels": list(one.labels), "multi_label": one.multi_label}
        return {**task, "arms": list(arms), "wordings": wordings}

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Counters for Prometheus."""
        app.state.counts.pending.set(app.state.batcher.pending)
        return Response(app.state.counts.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> JSONResponse:
        headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else None
        return JSONResponse(error_body(refusal.code, refusal.message), refusal.status, headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        if any(item["type"] == "json_invalid" for item in error.errors()):
            return JSONResponse(error_body("not_json", "the body is no JSON"), 400)
        faults = []
        for item in error.errors()[:5]:
            # in ASCII and cut, and without what was sent: names of unknown keys are the client's and may hold anything
            place = ".".join(ascii(part).strip("'")[:40] for part in item["loc"][1:4])
            faults.append(f"{place}: {ascii(item['msg'])[1:120]}")
        return JSONResponse(error_body("invalid", "; ".join(faults)), 422)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse(error_body("http", str(error.detail)), error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        LOG.error("%s %s", request.method, request.url.path, exc_info=error)
        return JSONResponse(error_body("internal", "the server made a mistake; its log says which"), 500)
