"""The README is true: its figures are those of `metrics/`, its files, commands, targets and parameters exist."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from checks.pipeline import leaf_paths, read_stages
from steady.__main__ import main
from steady.errors import SteadyError
from steady.metrics.files import read_metrics
from steady.metrics.seed_results import SeedsResults
from steady.prepare.params import DataParams
from steady.report import readme
from steady.report.front_figure import front_figures
from steady.report.study import studies

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
PAGES = "\n".join([TEXT, *GUIDES.values()])
NO_FIGURES = {"3.11": "the oldest Python", "1": "the first class of AG News"}  # numbers that are no figures of ours
FENCED = re.compile(r"^```(?:yaml|csv)[^\n]*\n.*?^```$", re.DOTALL | re.MULTILINE)  # files, not commands
PARAMS = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def shell_lines() -> list[str]:
    """The commands in code blocks and in running text, without the tree, comments, variables before them, and unfinished ones."""
    blocks = re.findall(r"^```(?:console|bash)?\n(.*?)^```$", FENCED.sub("", PAGES), re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", PAGES, flags=re.DOTALL | re.MULTILINE))
    lines = [line.split("   #")[0] for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    bare = [re.sub(r"^([A-Z_]+=\S* )+", "", line.strip()) for line in (*lines, *inline)]
    whole = [re.sub(r"^steady (?=[a-z-]+ )", "python -m steady ", line) for line in bare if "…" not in line]
    return [line for line in whole if re.match(r"(make|dvc|git|python|source|uv)\b", line)]


def prose() -> str:
    """The README without its rendered figures, code and links."""
    text = re.sub(r"```.*?```", "", readme.BLOCK.sub("", TEXT), flags=re.DOTALL)
    text = re.sub(r"`[^`]*`", "", text)
    return re.sub(r"\(https?://[^)]*\)|<!--.*?-->|<[a-z/][^>]*>", "", text)


def test_every_figure_is_the_one_of_the_metrics():
    blocks = readme.render(ROOT / "metrics") | {"studies": studies(ROOT / "metrics")}
    for text in (TEXT, *GUIDES.values()):
        assert readme.replace_blocks(text, blocks) == text, "run `make readme`"
    assert TEXT.count("\n") <= 200


def test_the_picture_is_the_one_of_the_metrics_in_the_colours_of_the_page_around_it():
    drawn = front_figures(ROOT / "metrics")
    shown = dict(zip(("dark", "light"), re.findall(r'(?:srcset|src)="docs/figures/([^"]+)"', TEXT), strict=True))
    for theme, name in shown.items():
        assert (ROOT / "docs/figures" / name).read_text(encoding="utf-8") == drawn[name], "run `make readme`"
        assert "var(" not in drawn[name] and f"arms-{theme}.svg" == name
    # the marks are where the table says: every value stands in the description of its mark
    arms = read_metrics(ROOT / "metrics/seeds.json", SeedsResults).arms
    for arm, found in arms.items():
        assert f'aria-label="the plain wording, {arm}: {found["accuracy"].value:.3f} [' in drawn[shown["light"]]


def test_a_picture_of_other_results_is_refused_and_drawn_anew(tmp_path):
    for name in ("metrics", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "README.md").write_text(TEXT, encoding="utf-8")
    picture = tmp_path / "docs/figures/arms-light.svg"
    picture.write_text(picture.read_text(encoding="utf-8").replace("baseline", "other"), encoding="utf-8")
    command = main.get_command(None, "readme")
    checked = CliRunner().invoke(command, ["--root", str(tmp_path), "--check"])
    assert checked.exit_code == 1 and "arms-light.svg: figures are not those of metrics/" in checked.output
    assert CliRunner().invoke(command, ["--root", str(tmp_path)]).output == f"rendered {picture}\n"
    assert CliRunner().invoke(command, ["--root", str(tmp_path), "--check"]).exit_code == 0


def test_there_is_no_other_figure():
    names = r"SmolLM2-135M|all-MiniLM-L\d-v\d|Apache-\d\.\d|CC0|L[012]\b"
    numbers = re.findall(r"(?<![\w.])[-+]?\d[\d.,]*\s?%?", re.sub(names, "", prose()))
    assert [number for number in numbers if number.strip(" .,") not in NO_FIGURES] == []


def test_an_edited_figure_is_found():
    block = "<!-- figures: x -->\n{}<!-- end of figures -->"
    assert readme.replace_blocks(block.format("0.9\n"), {"x": "0.8"}) == block.format("0.8\n")
    with pytest.raises(SteadyError, match="no figures called 'x'"):
        readme.replace_blocks(block.format(""), {"y": ""})


def test_the_tree_is_true_and_complete():
    tree = next(block for block in re.findall(r"```\n(.*?)```", TEXT, re.DOTALL) if block.startswith("params.yaml"))
    named, parent = set(), ""
    for line in tree.splitlines():
        name = line.split()[0]
        path = name if not line.startswith(" ") else parent + name
        parent = name if not line.startswith(" ") else parent
        assert (ROOT / path).exists(), path
        named.add(path.rstrip("/"))
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = {
        name.partition("/")[0] for name in tracked if "/" in name and not name.startswith((".", "data", "models"))
    }
    assert folders <= named
    library = {name.split("/")[1] for name in tracked if name.startswith("steady/") and name.count("/") > 1}
    assert {f"steady/{name}" for name in library} <= named


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    made = [shlex.split(line)[1:] for line in shell_lines() if line.startswith("make ")]
    assert len(made) > 10 and {word for words in made for word in words if "=" not in word} <= targets
    assert {word.partition("=")[0] for words in made for word in words if "=" in word} <= {"PYTHON", "RECIPE", "SEEDS"}
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]
    assert set(phony) == targets


def test_the_commands_of_the_program_exist():
    known = set(main.list_commands(None))
    assert set(re.findall(r"python -m steady ([a-z-]+)", PAGES)) <= known


@pytest.mark.parametrize(
    "line", sorted({line for line in shell_lines() if re.match(r"python -m steady \w|dvc (?!exp$)\w", line)})
)
def test_a_command_has_the_options_that_the_pages_give_it(line):
    words = shlex.split(line)
    if words[0] == "dvc":
        from dvc.cli import parse_args

        assert parse_args(words[1:])
        return
    name = words[3]
    # Reads every option and argument, without running anything.
    command = main.get_command(None, name)
    command.make_context(name, words[4:])


def test_the_modules_and_files_of_other_commands_exist():
    named = [line for line in shell_lines() if not re.match(r"python -m steady|dvc|make|git", line)]
    modules = {name for line in named for name in re.findall(r"python -m ((?:stages|checks|benchmarks)[a-z_.]*)", line)}
    paths = {name for line in named for name in re.findall(r"(?:tests|requirements|constraints)[a-z/_-]*\.\w+", line)}
    assert len(paths) > 4 and modules
    for path in (*paths, *(f"{name.replace('.', '/')}.py" for name in modules)):
        assert (ROOT / path).is_file(), path


def test_the_parameters_and_recipes_exist():
    leaves = {*leaf_paths(PARAMS), *PARAMS}
    assigned = re.findall(r"-S '?([a-z_]+(?:\.[a-z_A-Z]+)+)=", PAGES)
    assert assigned and set(assigned) <= leaves
    sections = "|".join(PARAMS)
    optional = {f"data.{name}" for name in DataParams.model_fields}
    assert set(re.findall(rf"`((?:{sections})\.[a-z_A-Z.]+)`", PAGES)) <= leaves | optional
    recipes = {path.stem for path in (ROOT / "recipe").glob("*.yaml")}
    named = {name for group in re.findall(r"\+recipe=([a-z0-9,-]+)", PAGES) for name in group.split(",")}
    rows = PAGES.split("| recipe | what it is |\n")[1].split("\n\n")[0].splitlines()[1:]
    table = [name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row.split(" | ")[0])]
    assert named <= recipes
    assert sorted(table) == sorted(recipes)


def test_the_links_to_files_work():
    for folder, text in ((ROOT, TEXT), *((path.parent, text) for path, text in GUIDES.items())):
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            assert (folder / target.partition("#")[0]).exists(), target


def test_the_table_of_stages_is_that_of_the_pipeline():
    rows = re.findall(r"^\| `([a-z]+)(?:@ARM)?` \| ([^|]*) \| `([^`]+)` \| `([^`]+)` \|$", TEXT, re.MULTILINE)
    declared: dict[str, set[str]] = {}
    for stage in read_stages(ROOT):
        declared.setdefault(stage.script, set()).update(key.split(".", maxsplit=1)[0] for key in stage.params)
    assert {name for name, *_ in rows} == set(declared)
    for name, sections, script, module in rows:
        assert set(re.findall(r"`([a-z]+)`", sections)) == declared[name], name
        assert (ROOT / script).is_file() and (ROOT / module).is_file()
