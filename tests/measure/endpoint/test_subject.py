"""`steady measure --endpoint`: answers, noise floor and POSIX of a server as those of the same model on this machine."""

import json
import re
import shlex
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from measuring import run, write
from stand_in_server import StandIn, last_word, model_answers, reply

from steady.inference.language import language_model
from steady.measure.runs import read_run

ROWS = [
    {"group_id": f"sum{n}", "prompt": text.format(n), "output": str(n)}
    for n in range(3)
    for text in ("{} + 1 =", "What is one plus {}", "Add one to {}")
]
KEY = "sk-secret-123456"


@pytest.fixture
def prompts(tmp_path):
    return write(tmp_path / "prompts.jsonl", ROWS)


def remote(server, prompts, out, *more, code=0):
    url = server if isinstance(server, str) else server.url
    options = ["--endpoint", url, "--model", "m", "--out", out, "--max-new-tokens", 4, *more]
    return run(prompts, *options, code=code).output


def measures(folder):
    return json.loads((folder / "measures.json").read_text())


@pytest.mark.parametrize("chat", ["on", "off"])
@pytest.mark.parametrize("pairs", [None, 3])
def test_answers_and_matrices_are_those_of_the_model_on_this_machine(chat_folder, prompts, tmp_path, chat, pairs):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(chat_folder, trust_remote_code=False)
    tokenizer = AutoTokenizer.from_pretrained(chat_folder, trust_remote_code=False)
    sampled = [] if pairs is None else ["--max-pairs", pairs]
    more = ["--chat-template", chat, *sampled]
    with StandIn(model_answers(language_model(model, tokenizer, chat == "on"))) as server:
        remote(server, prompts, tmp_path / "remote", "--posix", *more)
        assert {path for path, _, _ in server.came} <= {"/v1/chat/completions", "/v1/completions"}
    local = ["--threads", 1, "--max-new-tokens", 4, "--dtype", "float32", "--out", tmp_path / "local"]
    run(prompts, "--model", chat_folder, *local, *more)
    one, other = (read_run(tmp_path / name).groups for name in ("local", "remote"))
    assert [group.id for group in one] == [group.id for group in other]
    for here, there in zip(one, other, strict=True):
        assert [item.text.strip() for item in here.predictions] == [item.text for item in there.predictions]
        assert here.responses == there.responses
        np.testing.assert_allclose(there.matrix, here.matrix, atol=1e-4)
        np.testing.assert_array_equal(there.lengths, here.lengths)
    found, expected = (measures(tmp_path / name)["measures"] for name in ("remote", "local"))
    assert found["posix"]["value"] == pytest.approx(expected["posix"]["value"], abs=1e-5)
    assert found["agreement"] == expected["agreement"]
    assert found["repeat_agreement"]["value"] == 1 and "repeat_agreement" not in expected


def test_the_noise_floor_is_the_agreement_of_repeats_of_one_prompt(prompts, tmp_path):
    numbers = count()

    def unsteady(path, body):  # one prompt of nine changes its answer in one of three repeats: pairs agree in 1 of 3
        text = body["messages"][-1]["content"]
        return reply(f"{text[-1]} {next(numbers)}") if text == "What is one plus 2" else last_word(path, body)

    with StandIn(unsteady) as server:
        output = remote(server, prompts, tmp_path / "out", "--repeats", 3)
        assert len(server.came) == 27
    assert measures(tmp_path / "out")["measures"]["repeat_agreement"]["value"] == pytest.approx((1 + 1 + 2 / 3) / 3)
    assert "agreement between repeats of one prompt" in output
    assert "27 requests" in output and "0 were answered before" in output
    assert "the server counted 102 tokens of prompts and 24 of answers" in output  # the unsteady replies count none
    assert "POSIX" not in output.replace("For POSIX", "")


def test_a_run_that_broke_off_sends_only_what_is_left_and_ends_as_if_it_had_not(prompts, tmp_path):
    with StandIn() as server:
        remote(server, prompts, tmp_path / "whole")
        server.fault = lambda number: (401, {}) if number == 18 + 7 else None
        assert "status 401" in remote(server, prompts, tmp_path / "out", "--concurrency", 1, code=1)
        output = remote(server, prompts, tmp_path / "out", "--budget")
        assert "18 requests" in output and "6 were answered before" in output
        assert len(server.came) == 18 + 7
        remote(server, prompts, tmp_path / "out", "--concurrency", 4)
        assert len(server.came) == 18 + 7 + 12
    for name in ("predictions.jsonl", "measures.json", "index.html", "run.json", "repeats.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_replies_of_one_file_serve_other_runs_too(prompts, tmp_path):
    with StandIn() as server:
        remote(server, prompts, tmp_path / "one", "--replies", tmp_path / "all.jsonl")
        remote(server, prompts, tmp_path / "other", "--replies", tmp_path / "all.jsonl", "--repeats", 3)
        assert len(server.came) == 27


def test_prompts_that_the_server_refuses_are_named_and_left_out(prompts, tmp_path):
    def picky(path, body):
        text = body["messages"][-1]["content"]
        refused = text in {"What is one plus 0", "Add one to 1", "What is one plus 1"}
        return (400, {"error": "too long"}) if refused else last_word(path, body)

    with StandIn(picky) as server:
        output = remote(server, prompts, tmp_path / "out")
    skipped = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
    assert [(item["line"], item["code"]) for item in skipped] == [
        (2, "refused"),
        (4, "one_prompt"),
        (5, "refused"),
        (6, "refused"),
    ]
    assert "too long" in skipped[0]["reason"]
    assert "3 prompts not scored: refused" in output
    found = measures(tmp_path / "out")
    assert (found["groups"], found["prompts"]) == (2, 5)


def test_posix_that_the_canary_refuses_is_one_message_and_answers_are_kept(prompts, tmp_path):
    with StandIn() as server:
        assert "no POSIX from this server" in remote(server, prompts, tmp_path / "out", "--posix", code=1)
        assert len(server.came) == 18


def test_a_server_without_token_ids_is_told_from_one_that_refuses_the_prompt(prompts, tmp_path):
    strict = {"detail": "Unexpected fields: return_token_ids"}
    with StandIn(lambda path, body: (422, strict) if "return_token_ids" in body else last_word(path, body)) as server:
        output = remote(server, prompts, tmp_path / "out", "--posix", code=1)
        assert "prompts.jsonl:1: status 422" in output and "--posix needs the fields return_token_ids" in output
        assert len(server.came) == 1
        remote(server, prompts, tmp_path / "other")


def test_conversations_are_sent_as_they_are_and_fields_of_requests_are_changed(tmp_path):
    turns = [[{"role": "system", "content": "Own."}, {"role": "user", "content": text}] for text in ("a b", "c b")]
    rows = [{"group_id": "g", "prompt": "d b"}, *({"group_id": "g", "messages": one} for one in turns)]
    path = write(tmp_path / "p.jsonl", rows)
    fields = json.dumps({"max_tokens": None, "max_completion_tokens": 9})
    with StandIn() as server:
        remote(server, path, tmp_path / "out", "--system", "Other.", "--request-fields", fields, "--repeats", 1)
        bodies = {body["messages"][-1]["content"]: body for _, body, _ in server.came}
        plain = remote(server, path, tmp_path / "plain", "--chat-template", "off", code=1)
    assert bodies["a b"]["messages"] == turns[0]
    assert bodies["d b"]["messages"][0] == {"role": "system", "content": "Other."}
    assert bodies["d b"]["max_completion_tokens"] == 9 and "max_tokens" not in bodies["d b"]
    assert f"{path}:2: `messages` need the chat template" in plain


def test_a_text_that_no_server_can_be_sent_is_named(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"group_id": "g", "prompt": "a \\ud800"}\n{"group_id": "g", "prompt": "b"}\n')
    with StandIn() as server:
        output = remote(server, path, tmp_path / "out", code=1)
    assert f"{path}:1" in output


def test_the_key_is_in_no_file_and_no_output(prompts, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    with StandIn(fault=lambda number: (500, {"x": KEY}) if number == 4 else None) as server:
        output = remote(server, prompts, tmp_path / "out", "--api-key-variable", "MY_KEY")
        assert server.came[0][2]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in output
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_commands_of_the_documentation_run(chat_folder, prompts, tmp_path, monkeypatch):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    text = (Path(__file__).parents[3] / "docs" / "endpoints.md").read_text()
    commands = [line.split("#")[0] for line in text.splitlines() if line.startswith("python -m steady measure ")]
    assert len(commands) == 4
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "answers.jsonl", [row | {"answer": "1"} for row in ROWS])
    model = AutoModelForCausalLM.from_pretrained(chat_folder, trust_remote_code=False)
    tokenizer = AutoTokenizer.from_pretrained(chat_folder, trust_remote_code=False)
    with StandIn(model_answers(language_model(model, tokenizer, True))) as server:
        for place, command in enumerate(commands):
            words = shlex.split(command.replace("http://localhost:8000/v1", server.url))[4:]
            words = [word for word in words if word not in {"--out", "measured"}]
            output = run(*words, "--out", f"out{place}").output
            assert "requests to http" in output or "answers.jsonl: 3 groups, 9 prompts" in output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--dtype", "float32"], "--dtype: an option of a model on this machine"),
        (["--precision", "0.1"], "--precision: an option of a model on this machine"),
        (["--request-fields", "[]"], "--request-fields '\\[\\]'"),
        (["--chat-template", "tools"], "--chat-template tools: a server has one"),
        (["--chat-template", "off", "--system", "S"], "--system: a system message needs"),
    ],
    ids=str,
)
def test_options_that_would_not_be_followed_are_refused(prompts, tmp_path, more, message):
    assert re.search(message, remote("http://127.0.0.1:9/v1", prompts, tmp_path / "out", *more, code=1))


def test_options_of_a_server_without_one_are_refused(prompts, tmp_path):
    assert "--posix: an option which needs --endpoint" in run(prompts, "--model", "x", "--posix", code=1).output
    assert "add --model" in run(prompts, "--endpoint", "http://localhost/v1", code=1).output
