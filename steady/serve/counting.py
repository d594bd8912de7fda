"""What `/metrics` tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Counts:
    """Counters of one server; a registry of its own, so that two servers of a process do not mix."""

    def __init__(self) -> None:
        # the global registry would keep the counters of an earlier server
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "steady_requests", "Requests by path and status", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "steady_request_seconds", "Time of a prediction", registry=self.registry, buckets=SECONDS
        )
        self.prompts = Counter("steady_prompts", "Prompts scored by arm", ["arm"], registry=self.registry)
        self.batches = Histogram("steady_batch_prompts", "Prompts in a batch", registry=self.registry, buckets=SIZES)
        self.batch_seconds = Histogram(
            "steady_batch_seconds", "Time of a batch", registry=self.registry, buckets=SECONDS
        )
        self.pending = Gauge("steady_pending_requests", "Requests waiting or being answered", registry=self.registry)
        self.left = Counter("steady_clients_left", "Clients that left before their answer", registry=self.registry)

    def batch(self, arm: str, prompts: int, seconds: float) -> None:
        """Count a batch of the model's thread."""
        self.prompts.labels(arm).inc(prompts)
        self.batches.observe(prompts)
        self.batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)


class CountedAnswers:
    """An ASGI layer that counts answers by path and status."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self.app, self.counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count when the status goes out; the path is that of the route, so that clients invent none."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", "other")
                self.counts.requests.labels(path, str(message["status"])).inc()
            await send(message)

        await self.app(scope, receive, counted if scope["type"] == "http" else send)
