"""The HTTP interface: what it answers, what it refuses, and that a refusal is short and shows nothing of the inside."""

import json
import random

import httpx
import pytest

from steady.serve.schema import MOST_PROMPTS


def post(served, body) -> httpx.Response:
    with served.client() as client:
        return client.post("/predict", json=body)


def test_one_text_is_answered_by_every_arm_under_the_canonical_wording(served):
    found = post(served, {"text": "My card was charged twice"}).json()
    assert list(found["results"][0]["arms"]) == ["baseline", "tuned"]
    answers = found["results"][0]["arms"]["tuned"]["answers"]
    assert [answer["wording"] for answer in answers] == ["canonical"]
    assert answers[0]["label"] in found["labels"]
    assert sum(2.718281828**value for value in answers[0]["label_logprobs"]) == pytest.approx(1, abs=1e-4)


def test_a_prompt_that_is_not_read_to_its_end_has_both_numbers(served):
    whole, cut = (
        post(served, {"text": text}).json()["results"][0]["arms"]["tuned"]["answers"][0] for text in ("a", "a" * 300)
    )
    assert cut["prompt_tokens"] - whole["prompt_tokens"] == 299
    assert cut["read_tokens"] == 192 < cut["prompt_tokens"]


def test_many_texts_under_many_wordings_come_back_in_order(served):
    wordings = list(served.client().get("/choices").json()["wordings"])
    ids = [item["id"] for item in wordings][::-1]
    body = {"text": ["one", "two", "three"], "arms": ["tuned"], "wordings": ids}
    results = post(served, body).json()["results"]
    assert len(results) == 3
    for text, result in zip(body["text"], results, strict=True):
        assert [answer["wording"] for answer in result["arms"]["tuned"]["answers"]] == ids
        assert text in result["prompts"][ids.index("canonical")]
        alone = post(served, {**body, "text": text}).json()["results"][0]
        assert alone == result


def test_agreement_is_the_share_of_equal_pairs(served):
    ids = [item["id"] for item in served.client().get("/choices").json()["wordings"]]
    arm = post(served, {"text": "word", "wordings": ids}).json()["results"][0]["arms"]["baseline"]
    labels = [answer["label"] for answer in arm["answers"]]
    pairs = [labels[i] == labels[j] for i in range(len(ids)) for j in range(len(ids)) if i != j]
    assert arm["agreement"] == pytest.approx(sum(pairs) / len(pairs), abs=1e-6)
    assert 0 < arm["agreement"] < 1


def hostile_bodies() -> list[bytes]:
    """300 bodies that are no question, or hardly one."""
    fixed = [
        b"", b" ", b"null", b"true", b"[]", b"{}", b'"text"', b"{", b"}", b"\x00", b"\xff\xfe", b"NaN", b"Infinity", b"1e999",
        b'{"text": NaN}', b'{"text": Infinity}', b'{"text": -Infinity}', b'{"text": 1e999}', b'{"text": null}',
        b'{"text": true}', b'{"text": 0}', b'{"text": {}}', b'{"text": []}', b'{"text": [[]]}', b'{"text": ""}',
        b'{"text": " \\n\\t"}', b'{"text": "\\ud800"}', b'{"text": "a\\udfffb"}', b'{"text": ["ok", "\\ud834"]}',
        b'{"text": "\\u0000"}', b'{"text": "a\\u0000b"}', b'{"text": "\xff"}', b'{"text": "\xed\xa0\x80"}',
        b'{"text": "a", "text": "b"}', b'{"text": "a", "arms": []}', b'{"text": "a", "arms": "tuned"}',
        b'{"text": "a", "arms": ["none"]}', b'{"text": "a", "arms": [NaN]}', b'{"text": "a", "arms": ["\\ud800"]}',
        b'{"text": "a", "wordings": ["canonical", null]}', b'{"text": "a", "wordings": {"canonical": 1}}',
        b'{"text": "a", "\\ud800": 1}', b'{"text": "a", "unknown": 1e999}', b'{"text": "a", "__proto__": {}}',
        b'{"text": "a", "wordings": ["../../etc/passwd"]}', b'{"text": ' + b"9" * 5000 + b"}",
        b'{"text": -' + b"9" * 400 + b"e" + b"9" * 10 + b"}",
        b"[" * 100_000, b'{"text":' * 20_000, b'{"text": ' + b"[" * 3000 + b"]" * 3000 + b"}", b"{" * 600_000,
        b'{"text": "' + b"a" * 600_000 + b'"}', b'{"text": "' + b"a" * 8001 + b'"}', b'{"text": ["a"' + b', "a"' * 40 + b"]}",
        b'{"' + b"k" * 100_000 + b'": 1}', ('{"text": "a", "' + "\U0001f600" * 5000 + '": 1}').encode(),
        b'{"text": "a"' + b"".join(b', "k%d": 1' % n for n in range(2000)) + b"}", '{"text": "\u202e\u0007\ufeff\ufffe"}'.encode(),
        b"\xef\xbb\xbf" + b'{"text": "a"}', '{"text": "a"}'.encode("utf-16"), '{"text": "a"}'.encode("utf-32"),
    ]  # fmt: skip
    rng = random.Random("hostile")
    whole = json.dumps({"text": ["My card", "lost"], "arms": ["tuned"], "wordings": ["canonical"]}).encode()
    strange = ["\\ud800", "NaN", "1e999", "null", '"', "[", "}", "\\u0000", "-", "{}", "\x00", "\\"]
    while len(fixed) < 300:
        place, word = rng.randrange(len(whole)), rng.choice(strange).encode()
        fixed.append(whole[:place] + word + whole[place + rng.randrange(4) :])
    return fixed


def test_three_hundred_hostile_bodies_get_short_answers_and_none_of_5xx(served):
    bodies = hostile_bodies()
    assert len(bodies) == 300
    with served.client() as client:
        for body in bodies:
            for kind in ("application/json", "text/plain") if len(body) < 100 else ("application/json",):
                answer = client.post("/predict", content=body, headers={"Content-Type": kind})
                assert answer.status_code < 500, (body[:80], answer.text)
                if answer.status_code != 200:
                    assert len(answer.content) <= 2048, (body[:80], len(answer.content))
                    assert set(answer.json()["error"]) == {"code", "message"}
                    assert "Traceback" not in answer.text and ".py" not in answer.text
        assert client.get("/health").json()["pending"] == 0


def test_hostile_paths_methods_and_headers_get_no_5xx(served):
    with served.client() as client:
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW"):
            for path in (
                "/predict",
                "/",
                "/%00",
                "/..%2f..%2fetc/passwd",
                "/swagger/..%2f..%2f__init__.py",
                "/x" * 500,
            ):
                answer = client.request(method, path)
                assert answer.status_code < 500, (method, path)
        assert client.get("/swagger/%2e%2e/%2e%2e/__init__.py").status_code == 404
        strange = {"Content-Type": "application/json; charset=nope", "Accept": "nothing/at-all", "Accept-Encoding": "?"}
        assert client.post("/predict", content=b"{}", headers=strange).status_code == 422


def test_more_prompts_than_a_request_may_have_are_refused(served):
    ids = [item["id"] for item in served.client().get("/choices").json()["wordings"]]
    texts = [f"text {number}" for number in range(MOST_PROMPTS // (2 * len(ids)) + 1)]
    answer = post(served, {"text": texts, "wordings": ids})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "too_many")


def test_the_documentation_and_the_playground_need_no_other_server(served):
    with served.client() as client:
        for path in ("/", "/docs"):
            page = client.get(path)
            assert page.status_code == 200
            assert "http://" not in page.text and "https://" not in page.text
        assert client.get("/swagger/swagger-ui-bundle.js").status_code == 200
        described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.0")
    assert {"/predict", "/health", "/metrics", "/choices"} == set(described["paths"])


def test_metrics_count_requests_prompts_and_refusals(served):
    def value(text: str, line: str) -> float:
        return next((float(found.split()[-1]) for found in text.splitlines() if found.startswith(line)), 0.0)

    with served.client() as client:
        before = client.get("/metrics").text
        client.post("/predict", json={"text": "a new text, never seen"})
        client.post("/predict", json={})
        after = client.get("/metrics").text
    for line, more in (
        ('steady_requests_total{path="/predict",status="200"}', 1),
        ('steady_requests_total{path="/predict",status="422"}', 1),
        ('steady_prompts_total{arm="tuned"}', 1),
    ):
        assert value(after, line) - value(before, line) == more
    assert value(after, "steady_pending_requests") == 0


def test_unknown_paths_share_one_counter(served):
    with served.client() as client:
        for name in ("a", "b", "c"):
            client.get(f"/nowhere/{name}")
        assert "nowhere" not in client.get("/metrics").text
