"""Prompts of `steady measure` in data sets of the Hub: by name, and as a folder of Parquet files in their layout."""

from pathlib import Path

import pytest
from stand_in.store import read_folder

from steady.errors import SteadyError
from steady.measure.prompt_files import PromptFile, read_prompt_file

README = """---
configs:
- config_name: plain
  default: true
  data_files: [{split: train, path: data/train-*}, {split: test, path: data/test-*}]
- config_name: listed
  data_files: [{split: train, path: listed.parquet}]
---
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import datasets

    features = datasets.Features(
        {
            "group_id": datasets.Value("string"),
            "messages": [{"role": datasets.Value("string"), "content": datasets.Value("string")}],
            "output": datasets.ClassLabel(names=["odd", "even"]),
        }
    )
    rows = [
        {
            "group_id": f"g{n // 2}",
            "messages": [{"role": "user", "content": f"{n // 2}, way {n}"}],
            "output": n // 2 % 2,
        }
        for n in range(8)
    ]
    place = tmp_path / "wordings"
    (place / "data").mkdir(parents=True)
    (place / "README.md").write_text(README)
    for name, part in {"train-0": rows[:3], "train-1": rows[3:6], "test-0": rows[6:]}.items():
        datasets.Dataset.from_list(part, features=features).to_parquet(place / "data" / f"{name}.parquet")
    listed = [{"instruction": "Add.", "paraphrases": ["Sum up.", "Plus?"], "output": ["3", "three"]}]
    datasets.Dataset.from_list([*listed, {"instruction": "Add.", "paraphrases": None}]).to_parquet(
        place / "listed.parquet"
    )
    return place


def shown(file: PromptFile) -> list[tuple[str, str, str, int]]:
    return [(one.group_id, one.prompt, one.completion, file.lines[one.id]) for one in file.prompts]


def test_a_folder_of_parquet_files_is_read_by_split_and_configuration(folder: Path) -> None:
    found = shown(read_prompt_file(folder))
    # class numbers are names, and rows are numbered on from file to file
    assert found[0] == ("g0", "0, way 0", "odd", 1) and found[-1] == ("g2", "2, way 5", "odd", 6)
    assert shown(read_prompt_file(folder, None, {"hub_split": "test"})) == [
        ("g3", "3, way 6", "even", 1),
        ("g3", "3, way 7", "even", 2),
    ]
    with pytest.raises(SteadyError, match=rf"^{folder}:2: missing: `group_id`: [^\n]*$"):
        read_prompt_file(folder, None, {"config": "listed"})
    with pytest.raises(SteadyError, match=r"no_dataset: .*nowhere.*train.*`hub_split`[^\n]*$"):
        read_prompt_file(folder, None, {"hub_split": "nowhere"})


def test_a_data_set_by_name_is_its_folder_and_without_a_network_one_line(hub, folder, monkeypatch) -> None:
    import datasets

    hub.publish("owner/wordings", read_folder(folder))
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", hub.address)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    assert shown(read_prompt_file(Path("hub:owner/wordings"))) == shown(read_prompt_file(folder))
    with pytest.raises(SteadyError, match=r"^hub:owner/none:1: no_dataset: [^\n]*$"):
        read_prompt_file(Path("hub:owner/none"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(SteadyError, match=r"^hub:owner/other:1: no_dataset: [^\n]*Without a network[^\n]*$"):
        read_prompt_file(Path("hub:owner/other"))
    with pytest.raises(SteadyError, match=r"^hub::1: no_dataset: [^\n]*hub:OWNER/NAME[^\n]*$"):
        read_prompt_file(Path("hub:/"))
