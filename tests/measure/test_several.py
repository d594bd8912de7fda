"""Several subjects on one page; conditions for continuous integration; hostile texts that stay text everywhere."""

import json
import re
from html.parser import HTMLParser

import pytest
from measuring import ROWS, contents, run, write
from small_models import byte_tokenizer, random_model

from steady import measure
from steady.measure.api import compare
from steady.measure.texts import line, markdown


@pytest.fixture(scope="module")
def adapters(llama_folder, tmp_path_factory):
    from peft import LoraConfig, get_peft_model

    folder = tmp_path_factory.mktemp("adapters")
    for name in ("one", "two"):
        base = type(random_model("llama")).from_pretrained(llama_folder)
        config = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
        get_peft_model(base, config).save_pretrained(folder / name)
    return folder


def test_a_base_and_its_adapters_are_compared_on_one_page(llama_folder, adapters, tmp_path):
    prompts = write(tmp_path / "p.jsonl", ROWS)
    arguments = [prompts, "--model", llama_folder, "--max-new-tokens", 4, "--threads", 1, "--out", tmp_path / "out"]
    for adapter in ("none", adapters / "one", adapters / "two"):
        arguments += ["--adapter", adapter]
    output = run(*arguments).output
    assert output.count("POSIX, nats a token") == 3 + 2
    assert f"less {llama_folder}, on 6 groups of the same prompts:" in output
    found = json.loads((tmp_path / "out/measures.json").read_text())
    assert found["subjects"][0]["subject"] == str(llama_folder)
    tested = [one for one in found["differences"] if one["p_holm"] is not None]
    assert {one["measure"] for one in tested} == {"agreement", "posix", "accuracy"} and len(tested) == 6
    assert all(one["p_holm"] >= one["p"] for one in tested)
    page = (tmp_path / "out/index.html").read_text()
    assert page.count("<summary>sum") == 6 and page.count("<caption>Answers of group") == 6
    # the folders of the subjects are runs of their own, which can be compared again without a model
    folders = sorted(path for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert len(folders) == 3
    again = run(*folders, "--out", tmp_path / "again", "--print", "json").output
    assert {one["subject"] for one in json.loads(again)["subjects"]} == {one["subject"] for one in found["subjects"]}
    assert "differences" in json.loads((tmp_path / "again/measures.json").read_text())


@pytest.fixture(scope="module")
def measured(llama_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    prompts = write(folder / "p.jsonl", ROWS)
    run(
        prompts,
        "--model",
        llama_folder,
        "--max-new-tokens",
        4,
        "--threads",
        1,
        "--out",
        folder / "out",
        "--match",
        "contains",
    )
    return folder / "out"


@pytest.mark.parametrize(
    ("gate", "code", "reason"),
    [
        ("agreement < 1.1", 3, "failed: agreement of"),
        ("posix<=0", 0, ""),
        ("format_loss >= 0", 3, "failed: format_loss of"),
        ("pdr < 1", 3, "has no value"),
        ("difference agreement < 0", 3, "the difference of agreement has no value"),
    ],
)
def test_a_condition_that_holds_is_exit_code_3_with_the_reason(measured, gate, code, reason):
    output = run(measured, "--fail-if", gate, "--fail-if", "agreement > 2", code=code).output
    assert reason in output


def test_how_answers_were_read_is_remembered(measured):
    assert json.loads((measured / "measures.json").read_text())["match"] == "contains"
    assert "answers read by contains" in run(measured).output
    assert "answers read by number" in run(measured, "--match", "number").output
    run(measured, "--match", "contains")


def test_a_line_and_markdown_for_other_programs(measured):
    (one,) = run(measured, "--print", "line").output.splitlines()
    assert re.fullmatch(r".*: agreement \d\.\d\d · accuracy \d\.\d\d · POSIX \d+\.\d\d \(6 groups\)", one)
    assert json.loads((measured / "measures.json").read_text())["summary"] == one
    text = run(measured, "--print", "markdown").output
    assert text.startswith("### Prompt sensitivity") and "| agreement (higher is better) |" in text
    assert json.loads(run(measured, "--print", "json").output) == json.loads((measured / "measures.json").read_text())


class Elements(HTMLParser):
    """The elements and attributes of a page, as a browser would make them."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)>" onmouseover="x | `**_[a](javascript:b)'


def test_hostile_texts_are_inert_wherever_they_come_from(tmp_path):
    rows = [
        {
            "group_id": HOSTILE,
            "wording": HOSTILE,
            "prompt": f"{HOSTILE} {n}",
            "output": [HOSTILE, "y"],
            "system": HOSTILE,
        }
        for n in range(2)
    ]
    reports = [measure(lambda prompts: [HOSTILE, "</pre></details>"], rows, name=f"{HOSTILE}{n}") for n in range(2)]
    page = compare(*reports).page(tmp_path / "page.html").read_text()
    assert "&lt;script&gt;" in page
    seen = Elements()
    seen.feed(page)
    assert not seen.tags & {"script", "img", "a", "link", "iframe", "object", "form", "input"}
    assert not [name for name in seen.attributes if name.startswith("on") or name in ("src", "href")]
    text = markdown(compare(*reports))
    assert "<script" not in text and "<img" not in text and "](" not in text.replace("\\](", "")
    assert len(line(reports[0]).splitlines()) == 1


def test_a_conversation_without_a_template_is_refused_with_its_line(llama_folder, tmp_path):
    talk = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1"}]}
    rows = [{"group_id": "a", "prompt": "1+1"}, {"group_id": "a", **talk}]
    output = run(write(tmp_path / "p.jsonl", rows), "--model", llama_folder, "--out", tmp_path / "out", code=1).output
    again = ["--model", llama_folder, "--thinking", "--out", tmp_path / "out"]
    assert "a template that knows thoughts" in run(write(tmp_path / "r.jsonl", ROWS), *again, code=1).output
    assert f"{tmp_path / 'p.jsonl'}:2: `messages` need a model with a chat template" in output


def test_conversations_thoughts_and_settings_of_the_model_are_followed_or_named(tmp_path):
    import copy

    from transformers import GenerationConfig

    model = type(random_model("llama"))(random_model("llama").config)
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=0.6, repetition_penalty=1.0, eos_token_id=257
    )
    model.save_pretrained(tmp_path / "model")
    tokenizer = copy.copy(byte_tokenizer())
    turns = "{% for m in messages %}{{ m.content }}{% endfor %}"
    refused = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    tokenizer.chat_template = refused + turns + "{% if not enable_thinking %}<think></think>{% endif %}"
    tokenizer.save_pretrained(tmp_path / "model")
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1"}]
    rows = [{"group_id": "a", "messages": talk}, {"group_id": "a", "prompt": "one plus one"}]
    prompts = write(tmp_path / "p.jsonl", rows)
    output = run(
        prompts, "--model", tmp_path / "model", "--max-new-tokens", 3, "--threads", 1, "--out", tmp_path / "out"
    ).output
    assert "the model's generation settings do_sample=True, temperature=0.6 are not followed" in output
    assert "the chat template takes no system message: it stands before the user's first words" in output
    assert json.loads((tmp_path / "out/run.json").read_text())["facts"]["thinking"] is False
    for wrong, message in (("--stop=", "--stop: an empty text"), ("--chat-template=long", "templates are default")):
        assert message in run(prompts, "--model", tmp_path / "model", wrong, "--out", tmp_path / "none", code=1).output
    before = contents(tmp_path / "out")
    assert run(tmp_path / "out").output and contents(tmp_path / "out") == before
