"""What is asked today is worded as in training and answered as offline, whatever it is batched with."""

import asyncio
import json

import httpx
import pytest

from steady.errors import SteadyError
from steady.models.arm import MANIFEST, PHRASEBOOK
from steady.serve.asking import open_asker

# Nats. A matrix product over other rows may add up in another order, and by how much that shows depends on the processor.
TOLERANCE = 1e-5


def test_the_prompt_is_the_training_prompt(trained):
    asker = open_asker(*trained.paths, (), ("all",))
    inputs = {example.id: example.input for example in trained.examples}
    for prompt in trained.prompts:
        assert asker.phrasing.prompt(inputs[prompt.example_id], prompt.wording) == prompt.prompt


@pytest.mark.parametrize("at_a_time", [1, 3, 8])
def test_predict_answers_as_the_offline_predictions_do(trained, at_a_time):
    asker = open_asker(*trained.paths, (), sorted({prompt.wording for prompt in trained.prompts}))
    found = {}
    for start in range(0, len(trained.examples), at_a_time):
        part = trained.examples[start : start + at_a_time]
        for example, answers in zip(part, asker.ask([example.input for example in part]), strict=True):
            for arm, column in answers.items():
                found |= {(arm, example.id, answer.wording): (answer.label, answer.label_logprobs) for answer in column}
    for arm in ("baseline", "tuned"):
        for batch_size in (64, 5):
            for prompt, offline in zip(trained.prompts, trained.offline(arm, batch_size), strict=True):
                label, logprobs = found[arm, prompt.example_id, prompt.wording]
                assert label == offline.parsed
                assert logprobs == pytest.approx(offline.label_logprobs, rel=0, abs=TOLERANCE)


def test_the_server_answers_many_clients_as_the_offline_predictions_do(trained, serve_arms):
    asker = open_asker(*trained.paths, (), ("all",))
    offline = {
        (arm, prompt.example_id): row
        for arm in ("baseline", "tuned")
        for prompt, row in zip(trained.prompts, trained.offline(arm, 64), strict=True)
        if prompt.wording == "canonical"
    }

    async def all_at_once(url: str) -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            return await asyncio.gather(
                *(client.post("/predict", json={"text": row.input}) for row in trained.examples)
            )

    with serve_arms(asker) as served:
        for example, answer in zip(trained.examples, asyncio.run(all_at_once(served.url)), strict=True):
            for arm, found in answer.json()["results"][0]["arms"].items():
                expected, given = offline[arm, example.id], found["answers"][0]
                assert given["label"] == expected.parsed
                assert given["label_logprobs"] == pytest.approx(expected.label_logprobs, rel=0, abs=TOLERANCE)


def test_what_an_arm_reads_of_a_prompt_is_what_it_was_trained_with(trained):
    asker = open_asker(*trained.paths, (), ("canonical",))
    (short, long) = asker.ask(["Refund please", "Refund please " * 300])
    for arm in asker.arms:
        assert short[arm.name][0].read_tokens == short[arm.name][0].prompt_tokens < arm.max_length
        assert long[arm.name][0].read_tokens == arm.max_length < 600 < long[arm.name][0].prompt_tokens


@pytest.mark.parametrize("batch_size", [64, 5])
def test_the_same_prompts_in_the_same_batches_get_the_same_bits(trained, batch_size):
    first, second = (trained.offline("tuned", batch_size) for _ in range(2))
    assert [row.label_logprobs for row in first] == [row.label_logprobs for row in second]


def refusal(trained) -> str:
    with pytest.raises(SteadyError) as caught:
        open_asker(*trained.paths, (), ())
    return str(caught.value)


def test_a_changed_template_is_refused_by_name(trained):
    path = trained.folder / "bank.yaml"
    whole = path.read_text()
    try:
        path.write_text(whole.replace("Classify this support ticket", "Sort this support ticket"))
        assert "template" in refusal(trained) and "changed" in refusal(trained)
    finally:
        path.write_text(whole)


def test_an_edited_phrasebook_is_refused(trained):
    path = trained.folder / "models" / "tuned" / PHRASEBOOK
    whole = path.read_text()
    try:
        path.write_text(whole.replace("support ticket", "customer ticket"))
        assert "not those that arm 'tuned' was trained on" in refusal(trained)
    finally:
        path.write_text(whole)


def test_a_renderer_that_changed_is_refused(trained, monkeypatch):
    from steady.prompts import render
    from steady.prompts.parts import Part

    monkeypatch.setattr(render, "canonical_parts", lambda example, bank: [Part("text", "something else")])
    assert "the code that renders prompts has changed" in refusal(trained)


def test_an_arm_without_a_recorded_fingerprint_is_refused(trained):
    path = trained.folder / "models" / "baseline" / MANIFEST
    whole = path.read_text()
    try:
        path.write_text(json.dumps(json.loads(whole) | {"prompts_sha256": ""}))
        assert "recorded none" in refusal(trained)
    finally:
        path.write_text(whole)


@pytest.mark.parametrize(
    "arms, wordings, said",
    [
        (("nobody",), (), "no arm 'nobody'. There are: baseline, tuned"),
        ((), ("loud",), "no wording 'loud'. Give `all`, a family"),
    ],
)
def test_an_unknown_arm_or_wording_is_named_with_what_there_is(trained, arms, wordings, said):
    with pytest.raises(SteadyError, match=said):
        open_asker(*trained.paths, arms, wordings)


def test_a_family_asks_for_all_its_wordings(trained):
    asker = open_asker(*trained.paths, ("baseline",), ("surface", "canonical"))
    assert asker.wordings[-1] == "canonical"
    assert {name.split("/")[0] for name in asker.wordings[:-1]} == {"surface"}
