"""The canary: an honest server passes, one that lies in any of the ways seen in real servers is refused with the reason."""

import pytest
from stand_in_server import StandIn, model_answers

from steady.errors import SteadyError
from steady.inference.language import language_model
from steady.measure.endpoint.cache import Cache
from steady.measure.endpoint.canary import check_canary
from steady.measure.endpoint.client import Client, Endpoint
from steady.measure.endpoint.protocol import Asking, generation_request

ASKING = Asking("m", chat=False, max_new_tokens=4, scored=True)


def given(change):
    """A server whose replies for given tokens are changed: `change(tokens, values)`."""

    def lie(answers):
        def answer(path, body):
            found = answers(path, body)
            if body.get("echo"):
                values = found["choices"][0]["logprobs"]
                values["token_logprobs"] = change(body["prompt"], values["token_logprobs"])
            return found

        return answer

    return lie


def every(**fields):
    """A server whose choices are changed everywhere."""

    def lie(answers):
        def answer(path, body):
            found = answers(path, body)
            found["choices"][0] |= fields
            return found

        return answer

    return lie


def silent(answers):
    return lambda path, body: (400, {"error": "no echo"}) if body.get("echo") else answers(path, body)


def remembers():
    seen = set()

    def change(tokens, values):
        wrong = tuple(tokens) in seen
        seen.add(tuple(tokens))
        return [values[0], *(value - 0.2 * wrong for value in values[1:])]

    return given(change)


def zeros(answers):
    def answer(path, body):
        found = answers(path, body)
        values = found["choices"][0]["logprobs"]["token_logprobs"]
        found["choices"][0]["logprobs"]["token_logprobs"] = [None if value is None else 0.0 for value in values]
        return found

    return answer


LIES = {
    "too few": (lambda: given(lambda tokens, values: values[:-1]), r"it returned \d+ of them for \d+ tokens"),
    "none": (lambda: given(lambda tokens, values: None), r"it returned 0 of them for \d+ tokens"),
    "a hole": (lambda: given(lambda tokens, values: [*values[:-1], None]), r"it returned \d+ of them for \d+ tokens"),
    "zeros for given tokens": (
        lambda: given(lambda tokens, values: [None, *(0.0 for _ in values[1:])]),
        "all of them are 0.0",
    ),
    "zeros everywhere": (lambda: zeros, "all of them are 0.0"),
    "shifted by one": (
        lambda: given(lambda tokens, values: [None, *values[2:], values[1]]),
        r"differ by \d\.\d+ nats from when it was generated",
    ),
    "other after the same": (remembers, r"another order, differ by 0\.200 nats"),
    "no token ids": (lambda: every(token_ids=None), "does not return the token ids"),
    "no log-probabilities": (lambda: every(logprobs=None), "does not return the token ids and log-probabilities"),
    "no echo": (lambda: silent, r"refuses to score given tokens: status 400.*no echo"),
}


@pytest.fixture(scope="module")
def answers(llama_folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(llama_folder)
    return model_answers(language_model(model, AutoTokenizer.from_pretrained(llama_folder)))


def check(server, path):
    asked = [generation_request(ASKING, text, text) for text in ("2+2=", "What is 2+2?", "Name a fruit:")]
    with Client(Endpoint(server.url, backoff=0.01), Cache(path, print)) as client:
        client.fill(asked)
        check_canary(client, ASKING, asked)


def test_an_honest_server_passes_and_is_not_asked_again_after_a_kill(answers, tmp_path):
    with StandIn(answers) as server:
        check(server, tmp_path / "replies.jsonl")
        assert len(server.came) == 3 + 6
        check(server, tmp_path / "replies.jsonl")
        assert len(server.came) == 3 + 6


@pytest.mark.parametrize("name", LIES)
def test_a_server_that_lies_is_refused_with_the_reason(answers, tmp_path, name):
    lie, reason = LIES[name]
    with (
        StandIn(lie()(answers)) as server,
        pytest.raises(SteadyError, match=rf"no POSIX from this server.*{reason}.*--posix"),
    ):
        check(server, tmp_path / "replies.jsonl")
