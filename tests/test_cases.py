"""Small inputs that show faults which users of such tools have reported in public, each with what is right.

They lie in a folder of their own: where STEADY_CASES points, or in ../shared/cases beside the repository.
"""

import csv
import os
import random
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner
from dvc.utils.hydra import compose_and_dump
from ruamel.yaml import YAML

from steady.errors import SteadyError
from steady.finetune.params import FinetuneParams
from steady.format.lengths import load_encode, tokenizer_file
from steady.models.base import locate
from steady.models.load import load_tokenizer
from steady.models.params import ModelParams
from steady.parameters import read_params
from steady.prepare.params import DataParams, PrepareParams
from steady.prepare.prepare import Outputs, prepare
from steady.prepare.splits import SPLITS
from steady.prompts.families.spelling import OPERATORS, misspell
from steady.prompts.parts import Part
from steady.records import Example, read_records

ROOT = Path(__file__).resolve().parents[1]
CASES = Path(os.environ.get("STEADY_CASES") or ROOT.parent / "shared" / "cases")
pytestmark = pytest.mark.skipif(
    not (CASES / "tiny.py").is_file(), reason=f"there is no folder of cases at {CASES}; set STEADY_CASES to one"
)


def run(command: str, *arguments: str, allowed: tuple[int, ...] = (0, 1)) -> tuple[int, str]:
    """Exit status and output of a command; a traceback is a fault whatever was expected."""
    from importlib import import_module

    result = CliRunner().invoke(import_module(f"steady.commands.{command}").main, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(f"a traceback: {result.exception!r}") from result.exception
    assert result.exit_code in allowed, result.output
    return result.exit_code, result.output


def check(file: str, form: str, *options: str) -> tuple[int, str]:
    """Exit status and output of check-data; the path is FILE there, for its name says what is wrong."""
    pairs = [part for option in options for part in ("-o", option)]
    status, output = run("check_data", str(CASES / file), "--format", form, "--findings", "50", *pairs)
    return status, output.replace(str(CASES / file), "FILE")


COLUMNS = "columns={text: [Betreff, Text], label: Warteschlange}"
SEMICOLON = ("encoding=cp1252", "delimiter=';'", COLUMNS)


@pytest.mark.parametrize(
    ("file", "form", "options", "accepted"),
    [
        ("02-chat-to-training/chats.jsonl", "messages", (), 60),
        ("06-excel-csv/ohne_sep.csv", "text-label", SEMICOLON, 3),
        ("08-json-shapes/sound_but_odd.jsonl", "text-label", (), 3),
        ("08-json-shapes/wrapped.json", "text-label", ("records=data",), 2),
        ("04-bool-labels/bool.csv", "text-label", (), 4),
        ("06-excel-csv/export_de.csv", "text-label", SEMICOLON, 3),
    ],
)
def test_sound_files_are_read(file, form, options, accepted):
    status, output = check(file, form, *options)
    assert status == 0 and re.search(rf"rows accepted +{accepted}\n", output), output


@pytest.mark.parametrize(
    ("file", "form", "options", "said"),
    [
        ("01-chat-odd-turns/sharegpt_tools.jsonl", "messages", (), "tool_call.*function_call.*allowed"),
        ("04-bool-labels/bool.jsonl", "text-label", (), r"classes.*(false|true)|rows accepted +6"),
        ("06-excel-csv/ohne_sep.csv", "text-label", ("encoding=cp1252",), "`delimiter`"),
        ("06-excel-csv/twice.csv", "text-label", (), "label.*(twice|two|2)"),
        ("08-json-shapes/columns.json", "text-label", (), "column"),
        ("08-json-shapes/split.json", "text-label", (), "(?i)split|pandas|orient"),
        ("08-json-shapes/python_dicts.jsonl", "text-label", (), "(?i)python|single quotes"),
        ("01-chat-odd-turns/openai_tools.jsonl", "messages", (), "rows accepted +[2-7]"),
    ],
)
def test_what_cannot_be_read_is_named_with_a_way_on(file, form, options, said):
    _, output = check(file, form, *options)
    assert re.search(said, output), output


@pytest.mark.parametrize(
    ("file", "option"),
    [
        ("pretty.jsonl", ""),
        ("wrapped.json", "records"),
        ("columns.json", ""),
    ],
)
def test_a_file_of_another_form_is_one_finding(file, option):
    status, output = check(f"08-json-shapes/{file}", "text-label")
    findings = re.findall(r"FILE:\d+: \w+:", output)
    assert status == 1 and len(findings) == 1 and option in output, output


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small models and adapters of the cases."""
    folder = tmp_path_factory.mktemp("tiny")
    subprocess.run([sys.executable, str(CASES / "tiny.py"), str(ROOT), str(folder)], check=True, capture_output=True)
    return folder


def measure(out: Path, model: str | Path, prompts: str, *options: str) -> tuple[int, str]:
    settings = ("--max-new-tokens", "4", "--threads", "1", "--device", "cpu", "--out", str(out / "sensitivity"))
    return run("measure", "--model", str(model), str(CASES / prompts), *settings, *options)


@pytest.mark.parametrize(
    ("model", "prompts", "status", "said"),
    [
        ("vocabtxt", "22-vocab-txt-only/prompts.jsonl", 0, "POSIX"),
        (None, "29-odd-groups/prompts.jsonl", 0, "1 prompts not scored: too_long"),
        ("onelogit", "18-one-logit-head/prompts.jsonl", 1, "num_labels|one logit|one score"),
        ("gpt2cls", "20-gpt2-classifier-no-pad/prompts.jsonl", 0, "POSIX"),
        ("roberta514", "16-roberta-514/prompts.jsonl", 0, r"prompts\.jsonl:\d+: not scored: too_long.*512"),
        ("t5unk", "15-t5-unknown-tokens/prompts.jsonl", 0, "(?i)unknown|equal tokens|same tokens"),
        ("chat", "28-instruct-prompts/plain.jsonl", 0, "(?i)chat template"),
        ("named", "23-named-templates/prompts.jsonl", 0, "(?i)chat template"),
        ("chat", "28-instruct-prompts/messages.jsonl", 0, "(?s)POSIX|messages.*--"),
    ],
)
def test_a_model_is_measured_or_refused_by_what_it_is(tiny, tmp_path, model, prompts, status, said):
    found, output = measure(tmp_path, tiny / (model or "llama"), prompts)
    assert found == status and re.search(said, output), output


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        ("foreign-relative", "POSIX"),
        ("foreign-future", "POSIX"),
        ("foreign-absolute", "POSIX|--"),
        ("foreign-bin", "safetensors.*(convert|save_pretrained)"),
        ("grown", "POSIX"),
    ],
)
def test_an_adapter_made_elsewhere_is_measured_or_its_form_is_named(tiny, tmp_path, adapter, said, monkeypatch):
    monkeypatch.chdir(ROOT)  # the adapters name their base by its path in the repository
    prompts = "14-grown-vocabulary/prompts.jsonl" if adapter == "grown" else "12-foreign-adapter/prompts.jsonl"
    _, output = measure(tmp_path, tiny / "llama", prompts, "--adapter", str(tiny / adapter))
    assert re.search(said, output), output


def test_a_vocabulary_alone_gives_the_lengths_of_prompts(tiny):
    params = ModelParams(id=str(tiny / "vocabtxt"), task="SEQ_CLS", pooling="mean", dtype="float32", num_threads=1)
    expected = load_tokenizer(params)(["red blue"])["input_ids"]
    try:
        encode = load_encode(tokenizer_file(str(tiny / "vocabtxt"), None))
    except SteadyError as error:
        raise AssertionError(str(error)) from error
    assert encode(["red blue"]) == expected


def test_the_default_of_named_chat_templates_is_used(tiny):
    from steady.models.tokenizer import prompt_ids

    params = ModelParams(id=str(tiny / "named"), task="CAUSAL_LM", pooling=None, dtype="float32", num_threads=1)
    tokenizer = load_tokenizer(params)
    try:
        ids = prompt_ids(tokenizer, "CAUSAL_LM", "red", chat_template=True)
    except SteadyError as error:
        raise AssertionError(str(error)) from error
    assert "[user] red" in tokenizer.decode(ids)


@pytest.mark.parametrize("wrong", ["q_proj", "c_fcc", "qkv_proj"])
def test_names_of_layers_that_a_model_has_not_are_named_with_those_it_has(tiny, wrong):
    from transformers import AutoModelForCausalLM

    from steady.finetune.lora import add_lora

    model = AutoModelForCausalLM.from_pretrained(tiny / "gpt2lm", trust_remote_code=False)
    params = read_params(ROOT / "params.yaml", FinetuneParams)
    base = locate(params.model.model_copy(update={"id": str(tiny / "gpt2lm")}))
    lora = params.lora.model_copy(update={"target_modules": ["c_attn", wrong]})
    with pytest.raises(SteadyError, match=f"{wrong}.*matches no module(?s:.)*c_attn, c_fc, c_proj"):
        add_lora(model, lora, base, "CAUSAL_LM")


def test_a_class_of_one_row_is_learned_rather_than_missed(tmp_path):
    rows = str(CASES / "21-rare-class/rows.jsonl")
    params = DataParams.model_validate(
        {
            "sources": [{"path": rows, "format": "text-label"}],
            "train_rows": 0.5,
            "validation_rows": 0.2,
            "test_rows": 0.3,
        }
    )
    splits = {name: tmp_path / f"{name}.jsonl" for name in SPLITS}
    prepare(params, 0, Outputs(splits, tmp_path / "rejected.jsonl", tmp_path / "data.json"))
    rare = [name for name in SPLITS for row in read_records(splits[name], Example) if row.output == "accident"]
    assert rare == ["train"]


@pytest.mark.parametrize("number", range(8))
def test_values_set_for_an_experiment_are_what_they_say_or_are_refused(number, tmp_path):
    """Each line has an override and what params.yaml must hold afterwards."""
    lines = (CASES / "26-exp-run-values/overrides.tsv").read_text(encoding="utf-8").splitlines()[1:]
    override = lines[number].split("\t")[0].strip("'")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    compose_and_dump(str(tmp_path / "params.yaml"), str(tmp_path), None, "params", str(tmp_path), [override])
    try:
        sources = read_params(tmp_path / "params.yaml", PrepareParams).data.sources
        params = read_params(tmp_path / "params.yaml", FinetuneParams)
    except SteadyError as error:
        assert override in ("data.max_rows=", "+data.note=x") and re.search(r"`?data.*(max_rows|note)", str(error))
        return
    expected = {
        "lora.target_modules=[query,value]": (params.lora.target_modules, ["query", "value"]),
        "lora.modules_to_save=null": (params.lora.modules_to_save, None),
        "format.trained_families=[]": (
            YAML(typ="safe").load(tmp_path / "params.yaml")["format"]["trained_families"],
            [],
        ),
        "train.learning_rate=2e-4": (params.train.learning_rate, 0.0002),
    }
    found, wanted = expected.get(override, ([source.path for source in sources], ["data/raw/news.jsonl"]))
    assert found == wanted and len(lines) == 8


TEXTS = {
    "hindi": "मेरा पार्सल अभी तक नहीं पहुँचा, कृपया जाँच कीजिए।",
    "hebrew": "שָׁלוֹם, הַחֲבִילָה לֹא הִגִּיעָה.",
    "greek": "Πού είναι το δέμα μου; Δεν έχει φτάσει ακόμα.",
    "french": unicodedata.normalize("NFD", "Le café préféré a été réservé très tôt à l'hôtel."),
    "thai": "พัสดุของฉันยังไม่มาถึง",
    "english": "Where is my parcel? It was to come on Tuesday.",
    "emoji": "family pack 👨‍👩‍👧‍👦 arrived broken 👩🏽‍🔧 please help 🏳️‍🌈 thanks",
}


def marked(text: str) -> set[tuple[str, str]]:
    """Each combining mark with what stands before it."""
    return {(text[place - 1], sign) for place, sign in enumerate(text) if place and unicodedata.combining(sign)}


def latin(text: str) -> bool:
    return any("LATIN" in unicodedata.name(sign, "") for sign in text)


@pytest.mark.parametrize("script", TEXTS)
def test_misspelling_keeps_to_whole_characters_of_the_texts_own_script(script):
    text = TEXTS[script]
    for operator in OPERATORS:
        for seed in range(20):
            made = misspell([Part("input", text)], operator, 4, random.Random(seed))
            assert unicodedata.normalize("NFC", made) != unicodedata.normalize("NFC", text), operator
            assert latin(made) <= latin(text) and not marked(made) - marked(text), f"{operator}: {made}"


def test_texts_whose_end_was_not_read_are_counted_and_marked(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests/serve"))
    from arms_fixture import make_trained

    params, models, listed = map(str, make_trained(tmp_path).paths)
    places = ["--params", params, "--models", models, "--listed", listed]
    out = tmp_path / "out.csv"
    _, said = run("predict", "--in", str(CASES / "32-cut-texts/long.jsonl"), "--out", str(out), *places)
    assert "the prompts of 2 rows were cut" in said
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert [int(row["tuned_read_tokens"]) < int(row["tuned_prompt_tokens"]) for row in rows] == [True, False, True]
