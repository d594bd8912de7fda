"""Load: exact 429s, places that become free, bounded waits, a health check that always answers, an orderly end."""

import asyncio
import socket
import threading
import time

import httpx
import pytest


def wait_until(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def pending(served) -> int:
    return served.app.state.batcher.pending


async def at_once(url: str, count: int, health: list[float] | None = None, ended=None) -> list[httpx.Response]:
    """`count` requests at a time; `health` gets the seconds of the health checks beside them, `ended` is called after each answer."""
    limits = httpx.Limits(max_connections=count + 5)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        await client.get("/health")
        asked = [asyncio.ensure_future(client.post("/predict", json={"text": f"text {n}"})) for n in range(count)]
        for task in asked if ended else ():
            task.add_done_callback(ended)
        while health is not None and not all(task.done() for task in asked):
            started = time.perf_counter()
            assert (await client.get("/health")).status_code == 200
            health.append(time.perf_counter() - started)
            await asyncio.sleep(0.02)
        return list(await asyncio.gather(*asked))


def test_fifty_clients_at_a_queue_of_twenty_get_exactly_thirty_times_429(start):
    served = start(capacity=20)
    refusals: list[object] = []

    def let_through(answer: object) -> None:
        # none of those in the queue is answered before all the others are refused, however slow the machine is
        refusals.append(answer)
        if len(refusals) == 30:
            served.gate.opened.set()

    answers = asyncio.run(at_once(served.url, 50, ended=let_through))
    assert sorted(answer.status_code for answer in answers) == [200] * 20 + [429] * 30
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["error"]["code"] == "busy"
    assert pending(served) == 0


def test_fifty_clients_wait_a_bounded_time_and_health_answers_throughout(start):
    served = start(capacity=50, batch_size=32)
    served.gate.seconds = 0.1  # of every batch
    health: list[float] = []
    opened: list[float] = []

    def let_through() -> None:
        wait_until(lambda: pending(served) == 50, 60)
        opened.append(time.perf_counter())
        served.gate.opened.set()

    threading.Thread(target=let_through).start()
    answers = asyncio.run(at_once(served.url, 50, health))
    seconds = time.perf_counter() - opened[0]
    assert {answer.status_code for answer in answers} == {200}
    assert len(served.gate.batches) <= 20  # 100 prompts; a loop without batches would need 100 x 0.1 s
    assert seconds < 8
    assert sorted(health)[len(health) // 2] < 0.1


def test_a_client_that_leaves_frees_its_place(start):
    served = start(capacity=2)
    body = b'{"text": "bye"}'
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    host, port = served.url.removeprefix("http://").split(":")
    leavers = [socket.create_connection((host, int(port))) for _ in range(2)]
    for leaver in leavers:
        leaver.sendall(head.encode() + body)
    wait_until(lambda: pending(served) == 2)
    with served.client() as client:
        assert client.post("/predict", json={"text": "too many"}).status_code == 429
        leavers[0].close()
        wait_until(lambda: pending(served) == 1)
        served.gate.opened.set()
        assert client.post("/predict", json={"text": "my turn"}).status_code == 200
        assert "steady_clients_left_total 1.0" in client.get("/metrics").text
    leavers[1].close()


def test_a_request_that_takes_too_long_is_answered_and_frees_its_place(start):
    served = start(capacity=1, timeout_seconds=0.2)
    with served.client() as client:
        answer = client.post("/predict", json={"text": "slow"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "timeout")
        wait_until(lambda: pending(served) == 0)


def test_a_body_that_trickles_in_is_refused(start):
    served = start(body_seconds=0.3)
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        slow.settimeout(10)
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_a_chunked_body_without_a_length_is_bounded_too(start):
    served = start(body_bytes=1000)

    def chunks():
        for _ in range(50):
            yield b"x" * 100

    with served.client() as client:
        answer = client.post("/predict", content=chunks())
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_requests_under_way_end_when_the_server_is_told_to_stop(start):
    served = start(capacity=4)
    found: list[int] = []

    def ask() -> None:
        with served.client() as client:
            found.append(client.post("/predict", json={"text": "last words"}).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: pending(served) == 1)
    served.server.should_exit = True
    time.sleep(0.2)
    served.gate.opened.set()
    asking.join(10)
    assert found == [200]


def test_a_model_that_fails_gives_a_short_500_and_the_next_request_is_answered(start):
    served = start(capacity=4)
    served.gate.opened.set()
    scores = served.app.state.batcher._scores
    whole = scores["tuned"]
    scores["tuned"] = lambda prompts: 1 / 0
    with served.client() as client:
        answer = client.post("/predict", json={"text": "a"})
        assert answer.status_code == 500
        assert "Zero" not in answer.text and len(answer.content) < 200
        scores["tuned"] = whole
        assert client.post("/predict", json={"text": "a"}).status_code == 200


def test_equal_prompts_of_many_clients_are_scored_once(start):
    served = start(capacity=50)

    async def same() -> list[int]:
        async with httpx.AsyncClient(
            base_url=served.url, timeout=30, limits=httpx.Limits(max_connections=30)
        ) as client:
            asked = [asyncio.ensure_future(client.post("/predict", json={"text": "the same"})) for _ in range(20)]
            while pending(served) < 20:
                await asyncio.sleep(0.01)
            served.gate.opened.set()
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert asyncio.run(same()) == [200] * 20
    assert sum(served.gate.batches) <= 4  # two arms, and those that came while the first batch was held


@pytest.mark.parametrize("most", [1, 3])
def test_lines_are_answered_as_they_come(most):
    from steady.serve.asking import as_they_come

    chunks = list(as_they_come(iter(["a\n", "\n", "b\r\n", "c", "d\n"]), most))
    assert [line for chunk in chunks for line in chunk] == ["a", "b", "c", "d"]
    assert max(map(len, chunks)) <= most
