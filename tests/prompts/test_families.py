import subprocess
import sys
from pathlib import Path

from minilm_params import minilm_values
from ruamel.yaml import YAML

from steady.prompts import families

ROOT = Path(__file__).parents[2]
REVERSED = """
from steady.prompts.canonical import canonical_parts
from steady.prompts.levels import placed
from steady.prompts.parts import join
from steady.records import Wording


def wordings(task):
    names = {"words": True, "letters": False}
    return [
        placed(Wording(id=f"backwards/{name}", family="backwards", operator=name, trained=trained), task.params)
        for name, trained in names.items()
    ]


def render(example, wording, bank):
    prompt = join(canonical_parts(example, bank))
    return " ".join(prompt.split()[::-1]) if wording.operator == "words" else prompt[::-1]
"""
RUN = """
import sys
from steady.prompts import families
families.__path__.append(sys.argv.pop(1))
from stages.format import main
main()
"""


def test_a_family_is_one_new_file_and_its_name_in_the_parameters(tmp_path: Path) -> None:
    (tmp_path / "backwards.py").write_text(REVERSED)
    values = minilm_values()
    values["data"] |= {"train_rows": 20, "validation_rows": 5, "test_rows": 20}
    values["format"] |= {"trained_families": ["backwards", "surface"], "formats": 8, "wordings_per_example": 6}
    values["sensitivity"] |= {
        "families": ["backwards", "surface"],
        "wordings_per_family": 1,
        "wordings_per_group": None,
        "test_groups": 4,
        "train_groups": 4,
    }
    params = tmp_path / "params.yaml"
    YAML(typ="safe", pure=True).dump(values, params)
    prepared = [f"--{name}={tmp_path}/{name}.jsonl" for name in ("train", "validation", "test", "rejected")]
    run("-m", "stages.prepare", f"--params={params}", *prepared, f"--metrics={tmp_path}/data.json")
    arguments = [
        f"--params={params}",
        f"--prepared={tmp_path}",
        f"--out={tmp_path}",
        f"--metrics={tmp_path}/format.json",
    ]
    run("-c", RUN, str(tmp_path), *arguments)
    assert '"backwards/words"' in (tmp_path / "schedule/variants.jsonl").read_text()
    assert '"backwards/letters"' in (tmp_path / "sensitivity.jsonl").read_text()
    assert "## Backwards (2)" in (tmp_path / "preview.md").read_text()


def run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_each_family_has_the_functions_that_the_package_describes() -> None:
    assert families.names() == ("spelling", "format", "paraphrase", "surface", "order", "composed")
    for module in families.modules().values():
        assert callable(module.wordings) and callable(module.render)
