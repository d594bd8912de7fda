"""The pipeline end to end, in clones, on the smoke recipe: minutes, so it is marked slow.

The stages run in forks of one Python (`warm_python`), but for one run of all of them in processes of their own.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from steady.repro.lockfile import Entry, read_lock
from steady.repro.workspaces import change_params

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent


def run(folder: Path, *command: str, fails: bool = False, **environment: str) -> str:
    """The output of a command in a clone."""
    git = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in IDENTITY.items()}
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "160"} | git | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert (done.returncode != 0) is fails, f"{' '.join(command)}\n{output[-3000:]}"
    return output


# What is shown here needs no three epochs; and stages that run beside other tests would wait for one another on two threads.
FEW_STEPS = ("-S", "train.num_train_epochs=1", "-S", "model.num_threads=1")
IDENTITY = {"NAME": "steady", "EMAIL": "steady@example.invalid"}


def outputs(folder: Path) -> dict[str, str]:
    entries: list[Entry] = read_lock((folder / "dvc.lock").read_text(encoding="utf-8"), "dvc.lock")
    return {entry.path: entry.md5 for entry in entries if entry.written}


def stale(folder: Path) -> set[str]:
    """The stages that `dvc status` calls changed, but for the page, which shows the parameters as they are."""
    return set(json.loads(run(folder, "dvc", "status", "--json"))) - {"report"}


@pytest.fixture(scope="module")
def project(warm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the last commit in which the smoke recipe has run as an experiment, and is committed."""
    folder = tmp_path_factory.mktemp("clone") / "steady"
    run(tmp_path_factory.getbasetemp(), "git", "clone", "-q", str(ROOT), str(folder))
    (folder / "dvc.lock").unlink(missing_ok=True)
    run(folder, "git", "commit", "-qam", "without results", "--allow-empty")
    run(folder, "dvc", "exp", "run", "-S", "+recipe=smoke", *FEW_STEPS)
    run(folder, "python", "-m", "steady", "reproduced", "--record")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "smoke")
    return folder


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """A copy of the project to change, with its cache."""
    return Path(shutil.copytree(project, tmp_path / "steady", symlinks=True))


def test_a_finished_run_is_up_to_date_and_leaves_nothing_for_git(project):
    assert "up to date" in run(project, "dvc", "status")
    assert "up to date" in run(project, "dvc", "repro")
    assert run(project, "git", "status", "--short") == ""
    # The first time DVC looks, the second time nothing has another size or time.
    assert "byte for byte" in run(project, "python", "-m", "steady", "repro")
    assert "Nothing has changed" in run(project, "python", "-m", "steady", "repro")


def test_the_headline_has_at_most_twelve_numbers_and_shows_in_dvc(project):
    headline = json.loads((project / "metrics/headline.json").read_text())
    numbers = [leaf for part in headline.values() for leaf in (part.values() if isinstance(part, dict) else [part])]
    assert 1 <= len(numbers) <= 12
    assert "tuned.accuracy" in run(project, "dvc", "metrics", "show")
    run(project, "dvc", "metrics", "diff")
    shown = json.loads(run(project, "dvc", "exp", "show", "--json"))
    assert shown


def test_plots_draw_curves_and_confusion_matrices_of_every_arm(project, tmp_path):
    run(project, "dvc", "plots", "show", "-o", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text()
    for arm in ("control", "tuned"):
        assert f"reports/arms/{arm}/training/plots/metrics/eval/loss.tsv" in page
    for arm in ("baseline", "control", "tuned"):
        assert f"reports/arms/{arm}/confusion.json" in page


def test_a_clone_pulls_data_and_adapters_and_scores_without_training(project, tmp_path):
    remote, clone = tmp_path / "remote", tmp_path / "elsewhere" / "steady"
    run(project, "dvc", "remote", "add", "--local", "-f", "-d", "shared", str(remote))
    run(project, "dvc", "push")
    run(tmp_path, "git", "clone", "-q", str(project), str(clone))
    run(clone, "dvc", "remote", "add", "--local", "-d", "shared", str(remote))
    run(clone, "dvc", "pull")
    assert "up to date" in run(clone, "dvc", "status")
    assert "are what dvc.lock records" in run(clone, "python", "-m", "steady", "verify")
    pulled = (clone / "reports/arms/tuned/predictions.jsonl").read_bytes()
    run(clone, "dvc", "repro", "--force", "--single-item", "evaluate@tuned")
    assert (clone / "reports/arms/tuned/predictions.jsonl").read_bytes() == pulled
    assert outputs(clone) == outputs(project)


def test_another_folder_and_another_hash_seed_give_the_same_bytes(project, warm, tmp_path):
    clone = tmp_path / "another folder"
    run(tmp_path, "git", "clone", "-q", str(project), str(clone))
    cold = os.environ["PATH"].removeprefix(f"{warm}{os.pathsep}")  # each stage in a Python of its own, with that seed
    printed = run(clone, "python", "-m", "steady", "repro", "--force", PYTHONHASHSEED="7", PATH=cold)
    assert outputs(clone) == outputs(project) and "byte for byte" in printed
    assert len(printed.splitlines()) <= 60, printed
    assert "WARNING" not in printed and "it/s" not in printed


def test_another_rank_makes_only_the_lora_arms_stale(copy):
    change_params(copy / "params.yaml", {"lora.r": 8})
    assert stale(copy) == {"finetune@control", "finetune@tuned"}


def test_another_learning_rate_fits_the_probe_again_and_scores_it_no_second_time(copy):
    change_params(copy / "params.yaml", {"train.learning_rate": 0.0005})
    assert stale(copy) == {"finetune@baseline", "finetune@control", "finetune@tuned"}
    run(copy, "dvc", "repro", "--single-item", "finetune@baseline")
    assert not {name for name in stale(copy) if name.endswith("@baseline")}


def test_an_arm_can_be_dropped(copy):
    out = run(copy, "dvc", "exp", "run", "-S", "~arms.control")
    assert not re.search(r"Running stage '(prepare|format|finetune|evaluate|sensitivity)", out)
    assert "not tested" in out and "metrics/arms/control" in out
    assert not (copy / "metrics/arms/control").exists() and not (copy / "reports/arms/control").exists()
    assert set(json.loads((copy / "metrics/headline.json").read_text())) == {"baseline", "tuned"}
    assert "no arm control in this run" in (copy / "metrics/comparison.json").read_text()
    assert "up to date" in run(copy, "dvc", "status")


def test_a_renamed_and_a_fourth_arm_reach_the_page_the_plots_and_the_headline(copy):
    more = "{method: lora, wordings: variants, objective: sft}"
    out = run(copy, "dvc", "exp", "run", "-S", "~arms.tuned", "-S", f"+arms.many={more}", "-S", f"+arms.again={more}")
    assert "Running stage 'finetune@many'" in out and "Running stage 'finetune@control'" not in out
    headline = json.loads((copy / "metrics/headline.json").read_text())
    assert list(headline) == ["baseline", "control", "many", "again"]
    assert sum(map(len, headline.values())) <= 12
    page = (copy / "reports/index.html").read_text()
    assert "many" in page and "again" in page and "no arm tuned in this run" in page
    assert (copy / "models/many/adapter_model.safetensors").is_file()
    assert "up to date" in run(copy, "dvc", "status")


@pytest.mark.parametrize(
    "key, value", [("sensitivity.test_groups", 6), ("sensitivity.seed", 1), ("sensitivity.bootstrap_draws", 300)]
)
def test_no_key_of_sensitivity_reruns_training(copy, key, value):
    change_params(copy / "params.yaml", {key: value})
    run(copy, "dvc", "repro", "format")
    assert not {name for name in stale(copy) if name.startswith(("finetune", "evaluate"))}


def test_a_held_out_wording_reruns_no_training(copy):
    bank = copy / "data/raw/wordings/tickets.yaml"
    text = bank.read_text(encoding="utf-8")
    held_out = r"(split: held_out\n(?:    labels: .*\n)?    template: \|-\n      )"
    edited, count = re.subn(held_out, r"\1Now ", text)
    assert count > 3
    bank.write_text(edited, encoding="utf-8")
    run(copy, "dvc", "repro", "format")
    changed = stale(copy)
    assert changed and not {name for name in changed if name.startswith(("finetune", "evaluate"))}


def test_runtime_makes_nothing_stale(copy):
    change_params(copy / "params.yaml", {"runtime.progress": False})
    assert stale(copy) == set()


def test_seeds_share_the_cache_the_data_and_the_prompts(copy):
    run(copy, "python", "-m", "steady", "seeds", "0", "1")
    first, second = (path.read_text() for path in sorted(copy.glob(".cluster/seeds/logs/[0-9]*.log")))
    assert not re.search(r"Running stage '(?!report)", first)
    assert "Running stage 'finetune@tuned'" in second
    assert not re.search(r"Running stage '(prepare|format)'", second)
    seeds = json.loads((copy / "metrics/seeds.json").read_text())
    headline = json.loads((copy / "metrics/headline.json").read_text())
    assert seeds["seeds"] == [0, 1]
    assert seeds["arms"]["tuned"]["accuracy"]["values"][0] == headline["tuned"]["accuracy"]


def test_the_grid_of_the_readme_is_queued(copy):
    run(copy, "dvc", "exp", "run", "--queue", "-S", "+recipe=tickets-minilm,news-minilm", "-S", "lora.r=4,8")
    assert run(copy, "dvc", "queue", "status").count("Queued") == 4
    assert run(copy, "git", "status", "--short") == ""


def test_an_arm_without_fine_tuning_is_an_experiment_to_compare_with(copy):
    out = run(
        copy, "dvc", "exp", "run", "-S", "arms.tuned.method=none", "-S", "arms.tuned.objective=none", "-n", "untrained"
    )
    assert "Running stage 'finetune@tuned'" in out and "Running stage 'finetune@control'" not in out
    assert "tuned.accuracy" in run(copy, "dvc", "metrics", "diff")
    shown = run(copy, "dvc", "exp", "show", "--only-changed", "--drop", r".*\.(py|json|jsonl|txt|yaml)$")
    assert "untrained" in shown and "tuned.accuracy" in shown


@pytest.mark.parametrize(
    "command, message",
    [
        (("dvc", "exp", "run", "-S", "+recipe=nope"), "recipe/nope"),
        (("dvc", "exp", "run", "-S", "lora.rank=8"), "rank"),
        (("dvc", "repro", "nothing"), "nothing"),
    ],
)
def test_what_does_not_exist_is_named(copy, command, message):
    output = run(copy, *command, fails=True)
    assert message in output and "Traceback" not in output


def test_a_row_that_is_no_json_stops_the_pipeline_at_its_line(copy):
    path = copy / "data/raw/tickets.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:4], '{"text": "half', *lines[5:]]) + "\n", encoding="utf-8")
    output = run(copy, "dvc", "repro", fails=True)
    assert "data/raw/tickets.jsonl:5" in output and "Traceback" not in output


def test_a_damaged_output_is_pointed_at(copy):
    path = copy / "models/tuned/adapter_model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    path.write_bytes(content)
    output = run(copy, "python", "-m", "steady", "verify", fails=True)
    assert "models/tuned/adapter_model.safetensors" in output and "metrics/headline.json" not in output
