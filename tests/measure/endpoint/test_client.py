"""Requests to a stand-in server: retries, concurrency, refusals, the key, and what a kill leaves."""

import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from stand_in_server import StandIn, last_word, reply, sometimes

from steady.errors import SteadyError
from steady.measure.endpoint.cache import Cache
from steady.measure.endpoint.client import Client, Endpoint, checked_url, read_key
from steady.measure.endpoint.protocol import Asking, generation_request, given_request
from steady.records import Message

KEY = "sk-secret-123456"


def requests(count, asking=None):
    return [generation_request(asking or Asking("m"), f"prompt {n}", f"prompt {n}") for n in range(count)]


OPENED = ExitStack()


@pytest.fixture(autouse=True)
def _closed():
    yield
    OPENED.close()


def fill(server, path, asked, told=None, **changes):
    """Send requests; returns the client, whose cache is open."""
    settings = {"timeout": 0.5, "backoff": 0.01, "concurrency": 4} | changes
    cache = OPENED.enter_context(Cache(path, [].append if told is None else told.append))
    with Client(Endpoint(checked_url(server.url), **settings), cache) as client:
        client.fill(asked)
    return client


@pytest.mark.parametrize(
    "fault", [(429, {"Retry-After": "0.2"}), (500, {}), (503, {}), (408, {}), "reset", "cut", "slow"], ids=str
)
def test_a_request_that_fails_once_is_sent_again_and_answered(tmp_path, fault):
    with StandIn(fault=lambda number: fault if number == 2 else None) as server:
        started = time.monotonic()
        client = fill(server, tmp_path / "replies.jsonl", requests(3))
        assert [client.reply(request).text for request in requests(3)] == ["0", "1", "2"]
        assert len(server.came) == 4
        assert sum(client.faults.values()) == 1
        if isinstance(fault, tuple) and "Retry-After" in fault[1]:
            assert time.monotonic() - started >= 0.2  # the backoff alone is 0.01 s


def test_retry_after_may_be_a_date_and_a_long_one_ends_the_run(tmp_path):
    later = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    with StandIn(fault=lambda number: (429, {"Retry-After": later}) if number == 3 else None) as server:
        with pytest.raises(SteadyError, match=r"status 429.*asks to wait 7\d\d\d s.*run the same command again"):
            fill(server, tmp_path / "replies.jsonl", requests(5), concurrency=1)
        assert len(server.came) == 3


def test_a_server_that_keeps_failing_ends_the_run_and_the_next_run_sends_the_rest_alone(tmp_path):
    with StandIn(fault=lambda number: (500, {}) if number > 3 else None) as server:
        with pytest.raises(SteadyError, match=r"status 500, after 3 tries.*What was answered is kept"):
            fill(server, tmp_path / "replies.jsonl", requests(6), tries=3)
        server.fault = lambda number: None
        fill(server, tmp_path / "replies.jsonl", requests(6))
        assert set(server.answered.values()) == {1} and len(server.answered) == 6


def test_no_more_requests_fly_at_once_than_allowed_and_equal_ones_are_sent_once(tmp_path):
    def slowly(path, body):
        time.sleep(0.03)
        return last_word(path, body)

    with StandIn(slowly) as server:
        fill(server, tmp_path / "replies.jsonl", [*requests(20), *requests(20)], concurrency=3)
        assert server.most_flying == 3
        assert len(server.came) == 20


def test_a_repeat_is_another_request_and_another_server_too(tmp_path):
    again = [generation_request(Asking("m"), "prompt 0", "prompt 0", repeat) for repeat in (0, 1, 0)]
    with StandIn() as one, StandIn() as other:
        fill(one, tmp_path / "replies.jsonl", again)
        fill(other, tmp_path / "replies.jsonl", again)
        assert (len(one.came), len(other.came)) == (2, 2)


def test_a_line_cut_short_by_a_kill_is_named_and_its_request_alone_is_sent_again(tmp_path):
    path, told = tmp_path / "replies.jsonl", []
    with StandIn() as server:
        fill(server, path, requests(5), concurrency=1)
        path.write_bytes(path.read_bytes()[:-9])
        client = fill(server, path, requests(5), told)
        assert told == [f"{path}:5: damaged; the request is sent again"]
        assert [body["messages"][0]["content"] for _, body, _ in server.came[5:]] == ["prompt 4"]
        assert client.reply(requests(5)[4]).text == "4"
        assert fill(server, path, requests(5)).reply(requests(5)[4]).text == "4"
        assert len(server.came) == 6


def test_an_interrupt_keeps_the_replies_to_what_is_in_flight(tmp_path):
    def interrupted():
        yield from requests(4)
        raise KeyboardInterrupt

    with StandIn(lambda path, body: (time.sleep(0.1), last_word(path, body))[1]) as server:
        with pytest.raises(KeyboardInterrupt):
            fill(server, tmp_path / "replies.jsonl", interrupted(), concurrency=8)
        with Cache(tmp_path / "replies.jsonl", print) as cache:
            assert len(cache) == 4


def test_a_prompt_that_is_refused_is_named_and_the_others_go_on(tmp_path):
    def picky(path, body):
        prompt = body["messages"][-1]["content"]
        return (400, {"error": "too long"}) if prompt == "prompt 2" else last_word(path, body)

    with StandIn(picky) as server:
        client = fill(server, tmp_path / "replies.jsonl", requests(4))
        assert [client.reply(request).refusal for request in requests(4)] == [
            "",
            "",
            'status 400: {"error": "too long"}',
            "",
        ]
        fill(server, tmp_path / "replies.jsonl", requests(4))
        assert len(server.came) == 4


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422])
def test_what_is_wrong_with_every_request_costs_one(tmp_path, status, monkeypatch):
    monkeypatch.setenv("STEADY_API_KEY", KEY)
    with StandIn(lambda path, body: (status, {"error": f"bad key {KEY}"})) as server:
        with pytest.raises(SteadyError, match=f"status {status}.*bad key") as error:
            fill(server, tmp_path / "replies.jsonl", requests(9))
        assert len(server.came) == 1
        assert KEY not in str(error.value)
        assert ("STEADY_API_KEY holds a key that it does not take" in str(error.value)) is (status in {401, 403})


def test_the_key_of_the_environment_is_sent_and_never_written(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHER", KEY)
    with StandIn(fault=sometimes(0.3)) as server:
        fill(server, tmp_path / "replies.jsonl", requests(9), key_variable="OTHER")
        assert {headers["Authorization"] for _, _, headers in server.came} == {f"Bearer {KEY}"}
        fill(server, tmp_path / "other.jsonl", requests(1))
        assert "Authorization" not in server.came[-1][2]
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    monkeypatch.setenv("OTHER", f"{KEY}\nX: y")
    with pytest.raises(SteadyError, match="OTHER: holds characters") as error:
        read_key("OTHER")
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    "url",
    ["ftp://host/v1", "localhost:8000", "http://user:secret@host/v1", "http://host/v1?key=secret", "http://", "::"],
)
def test_what_is_no_url_or_could_hold_a_secret_is_refused_without_it(url):
    with pytest.raises(SteadyError, match="--endpoint") as error:
        checked_url(url)
    assert "secret" not in str(error.value)


def test_the_whole_url_of_chat_completions_serves_too():
    assert checked_url("http://host/v1/chat/completions/") == checked_url("http://host/v1/") == "http://host/v1"


def test_a_server_that_is_not_there_is_one_message_at_once(tmp_path):
    with StandIn() as server:
        pass
    with pytest.raises(SteadyError, match=r"cannot connect.*Is it up\?"):
        fill(server, tmp_path / "replies.jsonl", requests(3))


def test_the_bodies_are_those_of_the_protocol():
    asking = Asking("m", system="Be brief.", max_new_tokens=7, stop=("\n",), more={"max_tokens": None, "seed": 3})
    assert generation_request(asking, "hi", "").body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "temperature": 0,
        "stop": ["\n"],
        "seed": 3,
    }
    turns = (Message("system", "Own."), Message("user", "hi"))
    assert generation_request(asking, turns, "").body["messages"] == [
        {"role": "system", "content": "Own."},
        {"role": "user", "content": "hi"},
    ]
    plain = generation_request(Asking("m", chat=False, scored=True), "hi", "")
    assert plain.path == "/completions"
    assert plain.body == {
        "model": "m",
        "prompt": "hi",
        "max_tokens": 30,
        "temperature": 0,
        "logprobs": 1,
        "return_token_ids": True,
    }
    assert given_request(asking, [1, 2], "").body["prompt"] == [1, 2]


def test_a_page_in_place_of_a_completion_costs_one_request_and_its_beginning_is_shown(tmp_path):
    with StandIn(lambda path, body: "<html>Welcome") as server:
        with pytest.raises(
            SteadyError, match=r"with a page, not with a completion: '<html>Welcome'.*before /chat/completions"
        ):
            fill(server, tmp_path / "r.jsonl", requests(3))
        assert len(server.came) == 1


@pytest.mark.parametrize("content", ["{}", '{"choices": []}', "[]", '{"choices": [{"text": "a'])
def test_a_body_without_a_completion_is_asked_for_again(tmp_path, content):
    bodies = iter([json.loads(content) if content.endswith(("}", "]")) else content])
    with StandIn(lambda path, body: next(bodies, reply("good"))) as server:
        assert fill(server, tmp_path / "r.jsonl", requests(1)).reply(requests(1)[0]).text == "good"
        assert len(server.came) == 2
