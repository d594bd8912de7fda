"""Means over seeds, copies of the repository with other parameters, and the figures of the README."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steady.errors import SteadyError
from steady.metrics.arm_sensitivity import WORST
from steady.metrics.measures import SENSITIVITY, TEXT, headlines, in_tables
from steady.metrics.resampling import Bootstrap, weighted_mean
from steady.metrics.results import ClaimResult, Comparison, Settings
from steady.report import readme
from steady.repro import seeds, workspaces

HEADLINES = [row.name for row in headlines()]
COLUMNS = [row.name for row in in_tables(SENSITIVITY)]
TEXTS = [row.name for row in in_tables(TEXT)]
BOOTSTRAP = Bootstrap(draws=400, confidence=0.95, seed=0)


def mean_of(values):
    table = np.asarray(values, dtype=float)
    return lambda weights: {"accuracy": weights @ table / weights.sum(axis=1)}


def test_the_mean_and_the_spread_over_seeds_by_hand():
    found = seeds.resampled([mean_of([1, 1, 0, 0] * 2), mean_of([1, 1, 1, 0] * 2)], ["accuracy"], 8, BOOTSTRAP)[
        "accuracy"
    ]
    assert found.values == [0.5, 0.75]
    assert found.value == 0.625
    assert found.std == pytest.approx(0.1767766953)
    low, high = found.interval
    assert 0 <= low < 0.625 < high <= 1


def test_seeds_are_resampled_even_where_groups_do_not_matter():
    found = seeds.resampled([mean_of([0.2] * 5), mean_of([0.6] * 5)], ["accuracy"], 5, BOOTSTRAP)["accuracy"]
    assert found.interval == pytest.approx([0.2, 0.6])


def test_groups_are_resampled_even_where_seeds_agree():
    found = seeds.resampled([mean_of([0, 1] * 20)] * 3, ["accuracy"], 40, BOOTSTRAP)["accuracy"]
    low, high = found.interval
    assert 0.25 < low < 0.45 and 0.55 < high < 0.75
    assert found.std == 0


def test_the_interval_of_a_worst_wording_over_seeds_holds_its_value(monkeypatch):
    tables = [np.random.default_rng(seed).integers(0, 2, (30, 24)).astype(float) for seed in (1, 2)]
    arms = [SimpleNamespace(cells={("L2", "all"): SimpleNamespace(scores=table, groups=table)}) for table in tables]
    monkeypatch.setattr(
        seeds, "_statistic", lambda arm, place: lambda weights: {WORST: lowest(weights, arm.cells[place].scores)}
    )
    found = seeds.at_place(arms, None, ("L2", "all"), [WORST], BOOTSTRAP)[WORST]
    # the percentiles of resampled minima do not
    statistics = [seeds._statistic(arm, ("L2", "all")) for arm in arms]
    assert seeds.resampled(statistics, [WORST], 30, BOOTSTRAP)[WORST].interval[1] < found.value
    assert found.interval[0] < found.value < found.interval[1] <= 1


def lowest(weights, table):
    return weighted_mean(weights, table).min(axis=1)


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, 1), min_size=5, max_size=5), min_size=1, max_size=4))
def test_an_interval_lies_between_the_extremes_of_seeds_and_groups(values):
    found = seeds.resampled([mean_of(row) for row in values], ["accuracy"], 5, BOOTSTRAP)["accuracy"]
    low, high = found.interval
    flat = [item for row in values for item in row]
    assert min(flat) <= low <= high <= max(flat)


def test_fewer_than_five_groups_have_no_interval():
    found = seeds.resampled([mean_of([0, 1, 1, 1])], ["accuracy"], 4, BOOTSTRAP)["accuracy"]
    assert found.value == 0.75 and found.interval is None


def test_verdicts_are_listed_seed_by_seed():
    fixed = {"id": "a", "statement": "A.", "endpoint": "accuracy", "arm": "tuned", "against": "baseline"}
    fixed |= {"direction": "higher", "test": "mcnemar", "status": "primary"}
    settings = Settings(0.05, "Holm", 100, 100, 0.95, 0)

    def compared(verdict, p):
        return Comparison(settings, {}, {}, [ClaimResult(**fixed, verdict=verdict, p_holm=p)], {})

    (claim,) = seeds.verdicts([compared("supported", 0.01), compared("not supported", 0.3)])
    assert claim.verdicts == ["supported", "not supported"]
    assert claim.p_holm == [0.01, 0.3]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "steady").mkdir(parents=True)
    (root / "params.yaml").write_text("seed: 0\nlora:\n  r: 4\n  targets:\n  - a\n")
    (root / "steady/code.py").write_text("x = 1\n")
    (root / ".gitignore").write_text(".seeds\nbig\n")
    (root / "big").write_text("ignored")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def test_a_workspace_has_the_files_of_git_the_changed_parameters_and_the_one_cache(repository):
    folder = repository / ".seeds/seed-1"
    folder.mkdir(parents=True)
    (folder / "left over").write_text("from before")
    workspaces.make_workspace(repository, folder, {"seed": 1, "lora.r": 8})
    assert (folder / "params.yaml").read_text() == "seed: 1\nlora:\n  r: 8\n  targets:\n  - a\n"
    assert (folder / "steady/code.py").is_file()
    assert not (folder / "big").exists() and not (folder / "left over").exists()
    assert f"dir = {repository.resolve()}/.dvc/cache" in (folder / ".dvc/config.local").read_text()


def test_a_key_that_is_not_there_is_no_change(repository):
    for key in ("lora.rank", "train.r", "sed"):
        with pytest.raises(SteadyError, match=f"no key `{key}`"):
            workspaces.make_workspace(repository, repository / ".seeds/x", {key: 1})


def estimate(value):
    return {"value": value, "interval": [value - 0.05, value + 0.05], "std": 0.01, "values": [value]}


def toy_seeds():
    arms = {name: {key: estimate(value) for key in HEADLINES} for name, value in (("baseline", 0.8), ("tuned", 0.9))}
    return {
        "seeds": [0, 1],
        "settings": {"draws": 100, "confidence": 0.95, "seed": 0, "resampled": "seeds and groups"},
        "generated": {},
        "rows": 40,
        "trainable_percent": 0.7467,
        "references": {"tfidf": {"accuracy": estimate(0.7), "macro_f1": estimate(0.69)}},
        "arms": arms,
        "steps": {"baseline_to_tuned": {key: estimate(0.1) for key in HEADLINES}},
        "families": {
            level: {
                family: {
                    "arms": {name: {key: estimate(0.3 if key == "posix" else 0.7) for key in COLUMNS} for name in arms},
                    "steps": {
                        "baseline_to_tuned": {
                            "mean_accuracy": estimate(0),
                            "agreement": estimate(moved),
                            "posix": estimate(moved),
                        }
                    },
                }
                for family, moved in families.items()
            }
            for level, families in {"L0": {"format": 0.2}, "L2": {"all": 0.2, "format": 0.2, "spelling": 0}}.items()
        },
        "training": {
            "baseline": [{"steps": None, "tokens": None}] * 2,
            "tuned": [{"steps": 5, "tokens": 1000}, {"steps": 5, "tokens": 2001}],
        },
        "claims": [
            {
                "id": "better",
                "statement": "LoRA is better.",
                "endpoint": "accuracy",
                "arm": "tuned",
                "against": "baseline",
                "verdicts": ["supported", "supported"],
                "p_holm": [0.01, 0.02],
            }
        ],
    }


def test_the_figures_are_rendered_with_their_intervals(tmp_path):
    from steady.records import write_json

    entry = {"from": 0.8, "to": 0.9, "difference": estimate(0.1), "relative_reduction": estimate(0.5), "p": 0.01}
    write_json(tmp_path / "seeds.json", toy_seeds())
    write_json(
        tmp_path / "leave-one-out.json", {"held_out_family": {"spelling": {"baseline_to_tuned": {"agreement": entry}}}}
    )
    write_json(
        tmp_path / "environment.json",
        {"python": "3", "system": "S", "processor": "P", "instructions": ["i"], "packages": {"torch": "2"}},
    )
    blocks = readme.render(tmp_path)
    assert (
        "Of 40 unseen test rows in the plain wording are right: `baseline` 80.0 % (95 % interval 75.0 to 85.0)"
        in blocks["found"]
    )
    assert "Means over 2 training seeds" in blocks["found"]
    assert "`tuned` trains on many wordings (0.75 % of the parameters trained)" in blocks["found"]
    assert "| tuned | 0.900 [0.850, 0.950] |" in blocks["arms"]
    assert "| tuned | 0.900 [0.850, 0.950] ± 0.010 |" in blocks["all-arms"]
    assert "| baseline → tuned | +0.100 [+0.050, +0.150] |" in blocks["steps"]
    assert "| LoRA is better. | +0.100 [+0.050, +0.150] | supported (2 of 2 seeds) |" in blocks["claims"]
    assert "| spelling | baseline → tuned | 0.800 | 0.900 |" in blocks["leave-one-out"]
    assert "torch 2" in blocks["environment"]
    assert (
        f"| L2 | spelling | tuned |{' 0.700 [0.650, 0.750] |' * 4} 0.300 [0.250, 0.350] | 0.700 [0.650, 0.750] |"
        in blocks["families"]
    )
    assert (
        "* baseline → tuned: better in agreement: format (L2); worse in POSIX: format (L2), of 2 families on unseen groups."
        in blocks["families"]
    )
    assert "committed" in blocks["recipes"]
    open_answers = toy_seeds() | {
        "generated": {"tuned": {key: estimate(0.5) for key in TEXTS}},
        "arms": {"tuned": {key: estimate(0.9) | {"value": None} for key in HEADLINES}},
    }
    write_json(tmp_path / "seeds-variants-smollm2.json", open_answers)
    write_json(tmp_path / "seeds-tickets-smollm2.json", toy_seeds())
    recipes = readme.render(tmp_path)["recipes"]
    assert recipes.startswith("**`tickets-smollm2`**, 2 seeds, 40 test rows, 0.75 % of the parameters trained.")
    assert "Tokens shown in training: tuned 1,500." in recipes and "| tuned | 0.900 [0.850, 0.950] ± 0.010 |" in recipes
    assert recipes.count("| ROUGE-L | chrF |") == 1, "of open answers alone"
    assert f"| tuned |{' 0.500 [0.450, 0.550] |' * 4}" in recipes.partition("ROUGE-L")[2]


def test_figures_without_metrics_say_what_to_run(tmp_path):
    with pytest.raises(SteadyError, match="make seeds"):
        readme.render(tmp_path)
