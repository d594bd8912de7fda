"""The rotation of the family that is never trained on: which families are, and that the default is taken from the cache."""

import json
from pathlib import Path

from click.testing import CliRunner
from ruamel.yaml import YAML

from steady.commands.leave_one_out import main, trained_without
from steady.repro import workspaces

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("spelling", "format", "paraphrase", "surface")


def test_without_the_family_held_out_by_default_the_parameters_are_those_of_the_default():
    params = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    trained, families = params["format"]["trained_families"], params["sensitivity"]["families"]
    (held_out,) = set(families) - set(trained)
    assert trained_without(held_out, families, trained) == trained


def test_every_other_family_is_trained_on_and_none_that_is_not_measured():
    trained = ("paraphrase", "format", "surface", "order")
    assert trained_without("spelling", FAMILIES, trained) == ["paraphrase", "format", "surface"]
    assert trained_without("format", FAMILIES, trained) == ["paraphrase", "surface", "spelling"]


def test_the_file_has_each_family_once_with_the_comparison_of_its_own_rotation(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    asked = []

    def workspace(root, folder, changes):
        asked.append(changes["format.trained_families"])
        measures = {
            name: {"from": 0.8, "to": 0.9, "p": 0.01}
            for name in ("mean_accuracy", "worst_wording_accuracy", "agreement", "posix")
        }
        held_out = next(name for name in FAMILIES if name not in asked[-1])
        steps = {"baseline_to_tuned": {"levels": {"L2": {held_out: {"measures": measures}}}}}
        (folder / "metrics").mkdir(parents=True)
        (folder / "metrics" / "comparison.json").write_text(json.dumps({"steps": steps}))

    monkeypatch.setattr(workspaces, "make_workspace", workspace)
    monkeypatch.setattr(workspaces, "reproduce", lambda folder: None)
    done = CliRunner().invoke(main, ["--root", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "metrics" / "leave-one-out.json").read_text())["held_out_family"]
    assert list(found) == list(FAMILIES)
    assert found["format"]["baseline_to_tuned"]["agreement"]["to"] == 0.9
    assert [len(trained) for trained in asked] == [3] * 4
