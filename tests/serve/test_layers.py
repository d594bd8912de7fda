"""The event loop stays free: where a health check is answered, and on which thread long texts are worded."""

import asyncio
import threading

import pytest

from steady.serve.layers import QUICK_CHARACTERS, Counts, QuickHealth, aside


def test_health_is_answered_before_every_other_layer_and_counted():
    heard, passed = [], []
    counts = Counts()

    async def inner(scope, receive, send):
        passed.append(scope["path"])

    async def send(message):
        heard.append(message)

    layer = QuickHealth(inner, lambda: (200, {"status": "ok"}), counts)
    for method, path in (("GET", "/health"), ("POST", "/health"), ("GET", "/metrics")):
        asyncio.run(layer({"type": "http", "method": method, "path": path}, None, send))
    assert passed == ["/health", "/metrics"]
    assert heard[0]["status"] == 200 and heard[1]["body"] == b'{"status":"ok"}'
    assert b'steady_requests_total{path="/health",status="200"} 1.0' in counts.text()


def test_health_says_when_no_work_is_taken_any_more(start):
    served = start()
    served.gate.opened.set()
    with served.client() as client:
        assert client.get("/health").json() == {"status": "ok", "pending": 0, "capacity": 32}
        served.app.state.batcher.close()
        answer = client.get("/health")
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["Retry-After"]) == (503, "closing", "5")


@pytest.mark.parametrize(("characters", "same"), [(QUICK_CHARACTERS - 1, True), (QUICK_CHARACTERS, False)])
def test_long_work_leaves_the_loop(characters, same):
    async def which():
        return await aside(characters, threading.get_ident) == threading.get_ident()

    assert asyncio.run(which()) is same


def test_many_long_texts_are_worded_on_another_thread_and_answered_like_short_ones(served, monkeypatch):
    from steady.serve.phrasing import Phrasing

    threads, prompt = [], Phrasing.prompt
    monkeypatch.setattr(
        Phrasing, "prompt", lambda self, *given: threads.append(threading.current_thread().name) or prompt(self, *given)
    )
    long = [f"{n} " + "a card " * 1000 for n in range(4)]
    with served.client() as client:
        together = client.post("/predict", json={"text": long}).json()["results"]
        quick = set(threads[:])
        alone = [client.post("/predict", json={"text": text}).json()["results"][0] for text in long]
    assert together == alone
    assert not any(name.startswith("asyncio") for name in threads[4:])
    assert all(name.startswith("asyncio") for name in quick)


def test_a_full_queue_refuses_before_it_words_a_text(start, monkeypatch):
    served = start(capacity=1)
    served.app.state.batcher.capacity = 0
    from steady.serve.phrasing import Phrasing

    monkeypatch.setattr(Phrasing, "prompt", lambda *given: pytest.fail("worded"))
    with served.client() as client:
        assert client.post("/predict", json={"text": "x"}).status_code == 429
