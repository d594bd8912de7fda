"""`self-instruct-templates`: row i of each file of a data set is one group."""

import json
from collections import Counter
from pathlib import Path


def write(folder: Path, name: str, rows: int, items: str = "item") -> None:
    lines = [
        {
            "prompt": f"{name} {' '.join(f'{items}{row}{letter}' for letter in 'abcd')}?",
            "completion": f"{row}<|endoftext|>",
        }
        for row in range(rows)
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_rows_of_equal_place_are_a_group_and_files_of_another_length_are_not_aligned(tmp_path: Path, read_file) -> None:
    for name, rows in {"ag_news_a": 3, "ag_news_b": 3, "ag_news_c": 2, "imdb_x": 3, "imdb_y": 3, "trec_e": 0}.items():
        write(tmp_path, name, rows)
    found = read_file(tmp_path, "self-instruct-templates")
    groups = Counter(draft.group for draft in found.drafts)
    assert groups == {f"{name}-{row}": 2 for name in ("ag_news_a", "imdb_x") for row in range(3)} | {None: 2}
    assert {draft.output for draft in found.drafts} == {"0", "1", "2"}
    assert all(f"item{draft.group.rsplit('-')[-1]}a" in draft.instruction for draft in found.drafts if draft.group)


def test_files_of_two_data_sets_whose_names_begin_alike_are_not_aligned(tmp_path: Path, read_file) -> None:
    for name, items in {"glue_mrpc_a": "m", "glue_mrpc_b": "m", "glue_qqp_a": "q", "glue_qqp_b": "q"}.items():
        write(tmp_path, name, 3, items)
    groups = Counter(draft.group for draft in read_file(tmp_path, "self-instruct-templates").drafts)
    assert groups == {f"{name}-{row}": 2 for name in ("glue_mrpc_a", "glue_qqp_a") for row in range(3)}


def test_real_templates(read_file, real) -> None:
    path = real("self_instruct/t0_train_50k/data_per_template")
    found = read_file(path, "self-instruct-templates", leave_out=["empty_output"])
    assert len(found) == 18_175 and found.left_out == {"empty_output": 1400} and not found.findings
    assert not any("<|endoftext|>" in draft.output for draft in found.drafts)
    news = [draft for draft in found.drafts if draft.source.rsplit("/", 1)[1].startswith("ag_news")]
    groups = Counter(draft.group for draft in news)
    assert len(news) == 1400 and len(groups) == 200 and set(groups.values()) == {7}
    first = [draft for draft in news if draft.group == "ag_news_classify-0"]
    assert all("Short-sellers, Wall Street's dwindling" in draft.instruction for draft in first)
    assert {draft.output for draft in first} >= {"Business", "Business executive"}
    sizes = Counter(draft.source.rsplit("/", 1)[1] for draft in found.drafts)
    odd = {name for name, size in sizes.items() if size in (91, 142)}
    groups = {str(draft.group).rsplit("-", 1)[0] for draft in found.drafts if draft.source.rsplit("/", 1)[1] in odd}
    assert len(odd) == 3 and groups == {"glue_mrpc_generate_paraphrase", "None"}, "aligned at most with each other"
    assert len(sizes) == 103 - 11 - 7, "11 files are empty, and of 7 every completion is"
