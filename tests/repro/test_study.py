"""A study: its file, the copies that its runs are made in, and what its table and tests say of known answers."""

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from steady.commands.study import main
from steady.compare import paired
from steady.compare.claims import Claim
from steady.errors import SteadyError
from steady.metrics.resampling import Bootstrap
from steady.metrics.run import read_run
from steady.metrics.seed_results import Training
from steady.metrics.study_results import StudyResults
from steady.models.arm import ArmManifest, write_manifest
from steady.report.study import study_page, study_text
from steady.repro.primary_tests import primary_tests
from steady.repro.seeds import over_seeds
from steady.repro.study import grid, make_run, read_study
from steady.repro.workspaces import trainings

ROOT = Path(__file__).parents[2]
STUDY = """\
name: small
bases: [smoke]
seeds: [0, 1]
methods:
  control: {method: lora, wordings: canonical, objective: sft}
  steady: {method: lora, wordings: variants, objective: consistency, sampler: grouped}
claims:
  - {id: up, statement: It is steadier., endpoint: l2_agreement, arm: steady, against: control, direction: higher, test: sign_flip}
changes: {lora.r: 2}
sections: {consistency: {lambda_max: 3.0}}
"""


def read_yaml(path: Path):
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    return tmp_path / "study.yaml"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("arm: steady", "arm: steadier", "'steadier', which is no method. There are: control, steady"),
        ("seeds: [0, 1]", "seeds: [0, 0]", "`seeds`: .*names something twice"),
        ("changes:", "change:", "unknown key `change`. Did you mean `changes`"),
        ("objective: sft", "objective: stf", "methods.control.objective"),
        ("endpoint: l2_agreement", "endpoint: l3_agreement", "not an endpoint"),
    ],
)
def test_a_faulty_study_is_refused_with_what_is_allowed(old, new, message, study_file):
    study_file.write_text(STUDY.replace(old, new))
    with pytest.raises(SteadyError, match=message):
        read_study(study_file)


def test_a_run_gets_the_methods_seed_sections_and_claims(study_file, tmp_path):
    root, folder = tmp_path / "root", tmp_path / "copy"
    root.mkdir()
    for name in ("params.yaml", "claims.yaml", ".gitignore"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "recipe", root / "recipe")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    study = read_study(study_file)
    runs = grid(study)
    assert runs == [("smoke", 0), ("smoke", 1)]
    make_run(study, runs[1], root, folder)
    params = read_yaml(folder / "params.yaml")
    assert params["arms"] == read_yaml(study_file)["methods"]
    assert (params["seed"], params["lora"]["r"], params["consistency"]) == (1, 2, {"lambda_max": 3.0})
    assert params["data"] == read_yaml(ROOT / "recipe/smoke.yaml")["data"]
    assert read_yaml(folder / "claims.yaml") == {"claims": read_yaml(study_file)["claims"]}
    shown = CliRunner().invoke(main, [str(study_file), "--root", str(root), "--dry-run", "--at-once", "2"])
    assert "   1  +recipe=smoke seed=1\n" in shown.output and "2 experiments, 2 at once" in shown.output


@pytest.fixture(scope="module")
def small_run() -> ModuleType:
    """The maker of runs with known answers of the tests of `compare`."""
    spec = importlib.util.spec_from_file_location("compare_run", ROOT / "tests/compare/conftest.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tests_are_over_groups_averaged_over_seeds_and_corrected_over_all_bases(small_run, tmp_path):
    testing = paired.Testing(Bootstrap(200, 0.95, 0), 400, 0.05)
    claims = [
        Claim(
            id=name,
            statement=f"{name}.",
            endpoint=name.replace("-", "_"),
            arm="tuned",
            against="baseline",
            direction="higher",
            test=test,
        )
        for name, test in (
            ("l2-agreement", "sign_flip"),
            ("accuracy", "mcnemar"),
            ("l2-worst-wording-accuracy", "swap"),
        )
    ]
    runs = {}
    for base in ("one", "two"):
        seeds = []
        for seed in range(2):
            place = small_run.write_run(tmp_path / base / str(seed), small_run.ARMS)
            seeds.append(
                read_run(["baseline", "tuned"], place / "metrics/arms", place / "reports/arms", place / "formatted")
            )
        runs[base] = seeds
    bases = {
        base: over_seeds(dict(enumerate(each)), testing.bootstrap, [("baseline", "tuned")])
        for base, each in runs.items()
    }
    for results in bases.values():
        results.training = {"baseline": [Training(None, None)] * 2, "tuned": [Training(9, 70), Training(9, 71)]}
    degenerate = {"one": {"baseline": 0, "tuned": 0}, "two": {"baseline": 2, "tuned": 0}}
    found = StudyResults("s", [0, 1], bases, degenerate, primary_tests(runs, claims, testing))
    # On 24 groups the baseline is steady in 6 of them, those in which it is always wrong, and the tuned arm in all.
    steadier, better, worst = found.primary[:3]
    assert steadier.difference.value == pytest.approx(0.5) and steadier.groups == 24
    assert better.difference.value == pytest.approx((55 - 45) / 60) and better.groups == 60
    ranked = sorted(one.p for one in found.primary)
    assert min(one.p_holm for one in found.primary) == pytest.approx(6 * ranked[0]) and steadier.verdict == "supported"
    # Swapping the arms in the groups gives the same where every seed has the same answers.
    assert (
        worst.verdict == "supported" and worst.p == pytest.approx(1 / 401, abs=0.01) and worst.smallest_detectable > 0
    )
    text = study_text(found)
    assert "## one" in text and "| tuned | 0.917 [" in text and "| 9 | 70 71 |" in text
    assert "| two | l2-agreement. | +0.500 [" in text
    assert text.count("baseline (one answer to nearly everything in 2 of 2)") == 1
    # the families in which the second method differs from the first
    assert "* baseline → tuned: better in" in text
    page = study_page(found)
    assert "primary tests are supported, over 2 seeds" in page and "tuned, L2 agreement: 1.000 [" in page
    assert page == study_page(found)


def test_trainings_count_the_tokens_of_models_that_write_and_of_classifiers(tmp_path):
    records = {
        "probe": {},
        "encoder": {"steps": 3, "tokens_shown": 70},
        "writer": {"steps": 9, "truncation": {"tokens_shown": 80}},
    }
    for name, record in records.items():
        (tmp_path / "models" / name).mkdir(parents=True)
        write_manifest(
            tmp_path / "models" / name,
            ArmManifest(method="lora", base="b", revision=None, labels=[], max_length=8, seed=0, training=record),
        )
    found = trainings(list(records), [tmp_path])
    assert found == {"probe": [Training(None, None)], "encoder": [Training(3, 70)], "writer": [Training(9, 80)]}
