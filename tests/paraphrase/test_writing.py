"""From rows and banks to files of paraphrases that the pipeline reads, and a cache that never draws twice."""

import json
from pathlib import Path

import pytest
from scripted_paraphrases import Script

from steady.errors import SteadyError
from steady.measure.prompt_files import read_prompt_file
from steady.paraphrase.drawing import Sampling, draw_texts
from steady.paraphrase.originals import read_given
from steady.paraphrase.writing import find_paraphrases, paraphrase_rows, rejected_rows, write_bank, write_json_lines
from steady.prompts.bank import read_bank
from steady.scoring.groups import prompt_groups

ROOT = Path(__file__).resolve().parents[2]
PERU = "What is the capital of Peru?"
ROWS = [
    {"instruction": "Name the capital of Peru.", "output": "Lima", "group_id": "peru"},
    {"instruction": "Peru's capital, please", "output": "Lima", "group_id": "peru"},
    {"instruction": "Name 3 cheeses.", "input": "hard ones", "output": "…", "group_id": 7, "topic": "food"},
]


def rows_file(folder, rows=ROWS):
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(given, tools, held_out=0.0):
    found = find_paraphrases(given, tools, lambda originals: originals)
    return found, paraphrase_rows(given, found, tools, held_out)


def test_rows_come_back_with_their_paraphrases_and_where_these_came_from(tmp_path, tools):
    script = Script({"capital of Peru": [PERU, "Bring cheese!"], "cheeses": ["The name of 3 cheese types is what?"]})
    given = read_given(rows_file(tmp_path), every=False)
    found, rows = run(given, tools(script))
    assert rows[:3] == ROWS
    assert [(row["instruction"], row["output"], row["group_id"]) for row in rows[3:]] == [
        (PERU, "Lima", "peru"),
        ("The name of 3 cheese types is what?", "…", 7),
    ]
    assert rows[4]["input"] == "hard ones" and rows[4]["topic"] == "food"
    said = rows[3]["paraphrase"]
    assert said["of"] == "Name the capital of Peru." and said["model"] == "scripted" and said["sample"] == 0
    assert said["sampling"] == {"samples": 3, "temperature": 0.9, "top_p": 0.95, "max_new_tokens": 128, "seed": 0}
    assert 0.5 <= said["similarity"] <= 1 and 0.2 <= said["distance"] <= 1
    assert found.counts == {"kept": 2, "too_far": 1}
    (lost,) = rejected_rows(found, tools(script))
    assert lost["code"] == "too_far" and lost["text"] == "Bring cheese!" and lost["paraphrase"]["of"] == said["of"]


def test_the_rows_are_a_source_of_prepare_and_a_file_for_sensitivity(tmp_path, tools):
    from steady.prepare.converting import read_source
    from steady.prepare.readers.params import SourceParams

    _, rows = run(read_given(rows_file(tmp_path), every=False), tools(Script({"capital of Peru": [PERU]})))
    write_json_lines(tmp_path / "out.jsonl", rows)
    source = SourceParams(path=str(tmp_path / "out.jsonl"), format="instruction-output-group")
    drafts = list(read_source(source, None))
    assert [draft.group for draft in drafts] == ["peru", "peru", "7", "peru"]
    assert [len(group.prompts) for group in prompt_groups(read_prompt_file(tmp_path / "out.jsonl").prompts)] == [3, 1]


def test_a_rerun_draws_nothing_and_another_setting_draws_again(tmp_path, tools):
    script = Script({"capital of Peru": [PERU], "cheeses": []})
    given = read_given(rows_file(tmp_path), every=False)
    first, rows = run(given, tools(script))
    assert (first.from_cache, len(script.asked)) == (0, 2)
    again, same = run(given, tools(script))
    assert (again.from_cache, len(script.asked), same) == (2, 2, rows)
    for change in ({"seed": 1}, {"temperature": 0.8}, {"samples": 4}, {"ask": "Again: {text}"}, {"model": "other"}):
        before = len(script.asked)
        assert run(given, tools(script, **change))[0].from_cache == 0, change
        assert len(script.asked) == before + 2
    assert len({seed for _, seed in script.asked}) == len(script.asked)


def test_the_draws_of_a_text_do_not_depend_on_the_others(tmp_path, tools):
    script = Script({"": ["x"]})
    run(read_given(rows_file(tmp_path, ROWS[2:]), every=False), tools(script))
    alone = script.asked[0]
    (tmp_path / "cache").rename(tmp_path / "old")
    run(read_given(rows_file(tmp_path), every=True), tools(script))
    assert alone in script.asked[1:] and len(script.asked) == 4


def test_a_damaged_file_of_the_cache_is_named(tmp_path, tools):
    kit = tools(Script({"": ["x"]}))
    draw_texts("a", kit.source, kit.sampling, kit.generate, kit.cache)
    (path,) = kit.cache.iterdir()
    assert json.loads(path.read_text())["asked"] == {**vars(kit.source), **vars(kit.sampling), "text": "a"}
    path.write_text("{")
    with pytest.raises(SteadyError, match=path.name):
        draw_texts("a", kit.source, kit.sampling, kit.generate, kit.cache)


def test_paraphrases_of_every_wording_of_a_group_never_repeat_each_other(tmp_path, tools):
    script = Script({"apital": [PERU]})
    found, rows = run(read_given(rows_file(tmp_path), every=True), tools(script))
    assert found.counts["kept"] == 1 and found.counts["duplicate"] == 1 and len(rows) == 4


def test_the_share_that_is_held_out_is_drawn_by_text_and_seed(tmp_path, tools):
    many = [{"instruction": f"Name the capital of Peru, {name}."} for name in "abcdefghijklmnopqrst"]
    given = read_given(rows_file(tmp_path, many), every=False)
    script = Script({f"Peru, {name}": [f"What is the capital of Peru, the {name}?"] for name in "abcdefghijklmnopqrst"})
    flags = [row["held_out"] for row in run(given, tools(script), 0.25)[1][20:]]
    assert len(flags) == 20 and 1 <= sum(flags) <= 10
    assert [row["held_out"] for row in run(given, tools(script), 0.25)[1][20:]] == flags
    assert [row["held_out"] for row in run(given, tools(script), 1.0)[1][20:]] == [True] * 20


def test_a_bank_gets_templates_that_are_read_and_paraphrases_of_what_is_held_out_are_held_out(tmp_path, tools):
    path = ROOT / "data" / "raw" / "wordings" / "tickets.yaml"
    bank = read_bank(path)
    held = next(template for template in bank.templates.values() if not template.trained)
    rewritten = {
        "Classify this support ticket": ["The ticket is: {input}\n\nWhat is the label of the ticket, {labels}?"],
        held.template[:40]: [held.template.replace("{input}", "nothing"), "Name the label of:\n{input}\n{labels}"],
    }
    given = read_given(path, every=False)
    kit = tools(Script(rewritten))
    found, rows = run(given, kit)
    write_bank(tmp_path / "more.yaml", given, rows)
    more = read_bank(tmp_path / "more.yaml")
    added = [template for name, template in more.templates.items() if name not in bank.templates]
    assert list(more.templates)[: len(bank.templates)] == list(bank.templates)
    assert (tmp_path / "more.yaml").read_text().startswith(path.read_text()[:200])
    assert [(item.id, item.template) for item in added] == [(row["id"], row["template"]) for row in rows] and added
    assert next(item for item in added if item.id == "plain-model-1").trained
    assert all(item.trained == bank.templates[item.id.rpartition("-model-")[0]].trained for item in added)
    assert found.counts["span_changed"] >= 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no rows"),
        ('{"output": "x"}\n', "rows.jsonl:1: missing: `instruction`"),
        ('{"instruction": "a", "output": 3}\n{"instruction": " "}\n', "rows.jsonl:2"),
        ("[1]\n", "rows.jsonl:1"),
        ('{"instruction": "a", "group_id": []}\n', "group_id"),
    ],
)
def test_faults_of_rows_are_named_with_their_lines(tmp_path, content, words):
    (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(SteadyError, match=words):
        read_given(tmp_path / "rows.jsonl", every=False)


def test_a_request_needs_its_slot_once_and_a_source_a_known_suffix(tmp_path):
    with pytest.raises(SteadyError, match="expected once"):
        Sampling(ask="Rewrite it.")
    with pytest.raises(SteadyError, match="a bank of wordings"):
        read_given(tmp_path / "rows.csv", every=False)
