"""Recipes set the same keys, so choosing one leaves nothing of the one before; the default is the committed params.yaml."""

import itertools
import re
import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import compose_and_dump
from ruamel.yaml import YAML

from checks.pipeline import leaf_paths, stage_view
from steady.models.params import FULL_COMMIT
from steady.parameters import SECTIONS, read_params

ROOT = Path(__file__).resolve().parent.parent
RECIPES = sorted(path.stem for path in (ROOT / "recipe").glob("*.yaml"))
DEFAULT = "tickets-smollm2"
OF_THE_RUN = {"seed", "runtime"}  # what a user sets for a run, whatever the recipe


def read(path: Path):
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "recipe", tmp_path / "recipe")
    return tmp_path


def compose(project: Path, *overrides: str):
    """What `dvc exp run -S …` writes into params.yaml."""
    compose_and_dump(str(project / "params.yaml"), str(project), None, "params", str(project), list(overrides))
    return read(project / "params.yaml")


def test_the_committed_parameters_are_the_default_recipe_composed(project):
    before = read(project / "params.yaml")
    assert compose(project, f"+recipe={DEFAULT}") == before


def test_a_recipe_over_any_other_gives_the_same_as_alone(project):
    """All set the same keys, as the next test shows, so a walk that comes to each from one other shows it of every pair."""
    original = (project / "params.yaml").read_bytes()
    alone = {}
    for name in RECIPES:
        (project / "params.yaml").write_bytes(original)
        alone[name] = compose(project, f"+recipe={name}")
    for before, name in itertools.pairwise([RECIPES[-1], *RECIPES]):
        assert compose(project, f"+recipe={name}") == alone[name], f"{name} over {before}"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_sets_every_key_but_those_of_the_run(name):
    recipe, params = read(ROOT / f"recipe/{name}.yaml"), read(ROOT / "params.yaml")
    everything = {leaf for leaf in leaf_paths(params) if leaf.partition(".")[0] not in OF_THE_RUN}
    assert set(leaf_paths(recipe)) == everything


@pytest.mark.parametrize("name", RECIPES)
def test_every_stage_accepts_a_recipe(project, name, monkeypatch):
    compose(project, f"+recipe={name}")
    model_id = read(ROOT / f"recipe/{name}.yaml")["model"]["id"]
    if model_id.startswith("models/base/"):
        (project / "models").mkdir()
        (project / "models/base").symlink_to(ROOT / "models/base")
    monkeypatch.chdir(project)
    for path in (ROOT / "stages").glob("[a-z]*.py"):
        view = stage_view(ROOT, path.stem)
        if view is not None:
            read_params(project / "params.yaml", view)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_no_dot_in_its_name_and_names_files_that_are_here(name):
    recipe = read(ROOT / f"recipe/{name}.yaml")
    assert "." not in name
    for path in [source["path"] for source in recipe["data"]["sources"]] + [recipe["format"]["wordings"]]:
        assert path is None or (ROOT / path).is_file(), path


@pytest.mark.parametrize("name", [name for name in RECIPES if read(ROOT / f"recipe/{name}.yaml")["model"]["revision"]])
def test_a_recipe_of_a_hub_model_pins_it_and_says_the_hardware(name):
    text = (ROOT / f"recipe/{name}.yaml").read_text(encoding="utf-8")
    assert FULL_COMMIT.fullmatch(read(ROOT / f"recipe/{name}.yaml")["model"]["revision"])
    assert re.search(r"^# .*Hardware: ", text, re.MULTILINE)


@pytest.mark.parametrize("name", RECIPES)
def test_only_settings_published_elsewhere_carry_a_mark_and_the_recipe_names_their_source(name):
    text = (ROOT / f"recipe/{name}.yaml").read_text(encoding="utf-8")
    settings = [line for line in text.splitlines() if not line.startswith("#")]
    marked = [line for line in settings if "#" in line]
    assert all(line.endswith("  # published") for line in marked)
    assert bool(marked) == ("Lines marked `published`" in text)


def test_no_section_is_called_recipe():
    assert "recipe" not in SECTIONS


def test_an_override_wins_over_a_recipe_and_a_hand_edit_outside_it_stays(project):
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(text.replace("seed: 0\n", "seed: 7\n", 1), encoding="utf-8")
    values = compose(project, "+recipe=smoke", "lora.r=8")
    assert (values["seed"], values["lora"]["r"], values["train"]["num_train_epochs"]) == (7, 8, 3)


def test_the_committed_parameters_are_in_the_form_that_dvc_writes(project):
    """So `dvc exp run -S` changes the line of the key that was set and no other."""
    before = (project / "params.yaml").read_text(encoding="utf-8")
    compose(project)
    assert (project / "params.yaml").read_text(encoding="utf-8") == before
