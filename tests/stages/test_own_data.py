"""A stranger's files through every stage, prepare to the page: a labelled CSV as the README has it, and conversations."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from generative_run import (
    ROOT,
    conclude,
    evaluate,
    finetune,
    prepare,
    sensitivity,
    settings,
    write_model,
    write_settings,
)
from ruamel.yaml import YAML

from steady.records import Example, Prompt, read_records

pytestmark = pytest.mark.slow
TEMPLATE = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"


def through_all_stages(folder: Path, values: dict[str, Any]) -> str:
    """Run the stages on the tiny model, and read the page."""
    values["arms"] = {name: values["arms"][name] for name in ("baseline", "tuned")}
    write_settings(folder, values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        prepare(folder)
        for arm in values["arms"]:
            finetune(folder, arm, "variants" if arm == "tuned" else "canonical")
            evaluate(folder, arm)
            sensitivity(folder, arm)
        conclude(folder)
    return (folder / "reports/index.html").read_text(encoding="utf-8")


def test_a_labelled_csv_becomes_a_task_as_the_readme_says(tmp_path):
    own = (ROOT / "README.md").read_text(encoding="utf-8").split("## Your own data")[1]
    block = YAML(typ="safe", pure=True).load(re.findall(r"```\n(data:.*?)```", own, re.DOTALL)[0])
    values = settings(write_model(tmp_path / "base", "CAUSAL_LM"), "CAUSAL_LM", labels=True)
    file = tmp_path / "mine.csv"
    rows = [f"Frage {n};Größe {n * 7} und Farbe {n}?;{('Rückgabe', 'Lob', 'Rechnung')[n % 3]};" for n in range(60)]
    file.write_bytes("sep=;\r\nsubject;body;queue;\r\n{}\r\n;;;\r\n".format("\r\n".join(rows)).encode("cp1252"))
    block["data"]["sources"][0] |= {"path": str(file), "encoding": "cp1252"}
    for section, keys in block.items():
        values[section] |= keys
    values["model"] |= {"chat_template": False, "dtype": "float32"}
    values["data"] |= {"validation_rows": 0.15, "test_rows": 0.25}
    page = through_all_stages(tmp_path, values)
    assert json.loads((tmp_path / "models/tuned/steady.json").read_text())["labels"] == ["Lob", "Rechnung", "Rückgabe"]
    splits = {
        name: read_records(tmp_path / f"prepared/{name}.jsonl", Example) for name in ("train", "validation", "test")
    }
    assert {name: len(found) for name, found in splits.items()} == {"train": 36, "validation": 9, "test": 15}
    assert {
        row.output: sum(one.output == row.output for one in splits["test"]) for row in splits["test"]
    } == dict.fromkeys(("Lob", "Rechnung", "Rückgabe"), 5), "stratified"
    assert "Classify this text as Lob, Rechnung or Rückgabe." in page and "Rückgabe" in page


@pytest.mark.parametrize("template", ["", TEMPLATE], ids=["without a template", "with a template"])
def test_conversations_reach_training_previews_evaluation_and_the_page(tmp_path, template):
    base = write_model(tmp_path / "base", "CAUSAL_LM")
    if template:
        path = base / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": template}))
    chats = [
        [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": f"My parcel {n} is late."},
            {"from": "gpt", "value": f"Sorry about {n}.", "weight": n % 2},
            {"from": "human", "value": f"Where is number {n * 3}?"},
            {"from": "gpt", "value": f"In town {n}."},
        ]
        for n in range(40)
    ]
    file = tmp_path / "chats.jsonl"
    file.write_text("".join(json.dumps({"conversations": turns}) + "\n" for turns in chats))
    values = settings(base, "CAUSAL_LM", labels=False)
    values["model"] |= {"chat_template": bool(template), "dtype": "float32"}
    values["data"] |= {"sources": [{"path": str(file), "format": "messages", "learned_turns": "all"}]}
    values["data"] |= {"train_rows": 0.5, "validation_rows": 0.2, "test_rows": 0.3, "near_duplicate_threshold": None}
    values["format"] |= {"trained_families": ["surface"]}
    values["sensitivity"] |= {"families": ["spelling", "surface"]}
    values["sft"] |= {"preview_steps": 5}
    page = through_all_stages(tmp_path, values)
    splits = {
        name: read_records(tmp_path / f"prepared/{name}.jsonl", Example) for name in ("train", "validation", "test")
    }
    assert sum(map(len, splits.values())) == 60, "every answer but the 20 marked ones"
    groups = [{row.group_id for row in rows} for rows in splits.values()]
    assert not groups[0] & groups[1] and not groups[0] & groups[2], "a conversation stays in one split"
    asked = read_records(tmp_path / "formatted/sensitivity.jsonl", Prompt)
    assert all("Be brief." in prompt.prompt for prompt in asked), "the turns before the question are in every wording"
    assert "User: My parcel" in page
    assert (tmp_path / "reports/arms/tuned/training/previews.jsonl").is_file()
