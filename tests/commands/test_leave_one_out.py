"""The rotation of the family that is never trained on: which families are, and that the default is taken from the cache."""

import json
from pathlib import Path

from click.testing import CliRunner
from minilm_params import minilm_text, minilm_values

from steady.cluster import copies
from steady.commands.leave_one_out import main, trained_without
from steady.metrics.files import write_metrics
from steady.metrics.measures import SENSITIVITY
from steady.metrics.resampling import Estimate
from steady.metrics.results import CellStep, Comparison, Difference, QualityStep, Settings, Step, TextStep
from steady.repro import workspaces

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("spelling", "format", "paraphrase", "surface")


def test_without_the_family_held_out_by_default_the_parameters_are_those_of_the_default():
    params = minilm_values()
    trained, families = params["format"]["trained_families"], params["sensitivity"]["families"]
    (held_out,) = set(families) - set(trained)
    assert trained_without(held_out, families, trained) == trained


def test_every_other_family_is_trained_on_and_none_that_is_not_measured():
    trained = ("paraphrase", "format", "surface", "order")
    assert trained_without("spelling", FAMILIES, trained) == ["paraphrase", "format", "surface"]
    assert trained_without("format", FAMILIES, trained) == ["paraphrase", "surface", "spelling"]


def test_the_file_has_each_family_once_with_the_comparison_of_its_own_rotation(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text(minilm_text())
    asked = []

    def workspace(root, folder, changes):
        asked.append(changes["format.trained_families"])
        nothing = Estimate(0.1, None)
        moved = Difference(from_=0.8, to=0.9, difference=nothing, relative_reduction=nothing, p=0.01)
        cell = CellStep(5, 2, {row.name: moved for row in SENSITIVITY}, {})
        held_out = next(name for name in FAMILIES if name not in asked[-1])
        step = Step(
            from_="baseline",
            to="tuned",
            quality=QualityStep(0, 0, 0, 0, {}, [], []),
            generated=TextStep(0, {}),
            held_out=cell,
            levels={"L2": {held_out: cell}},
        )
        settings = Settings(0.05, "Holm", 100, 100, 0.95, 0)
        write_metrics(folder / "metrics/comparison.json", Comparison(settings, {}, {}, [], {"baseline_to_tuned": step}))

    def results(root, wanted, *_):
        folders = [root / str(number) for number in range(len(wanted.points))]
        for number, folder in enumerate(folders):
            wanted.make(number, folder)
        return folders

    monkeypatch.setattr(workspaces, "make_workspace", workspace)
    monkeypatch.setattr(copies, "results", results)
    done = CliRunner().invoke(main, ["--root", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "metrics" / "leave-one-out.json").read_text())["held_out_family"]
    assert list(found) == list(FAMILIES)
    assert found["format"]["baseline_to_tuned"]["agreement"]["to"] == 0.9
    assert [len(trained) for trained in asked] == [3] * 4
