"""The house rules hold for the tracked files, and each rule finds what it is for."""

import subprocess
import sys
from pathlib import Path

import pytest

from checks import code, imports, layers, pipeline, repository

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "transformers", "peft", "sklearn", "scipy", "pydantic", "numpy", "dvc", "dvclive", "datasets"}


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


def test_tracked_code_keeps_the_house_rules():
    names = [name for name in repository.tracked(ROOT) if name.startswith(repository.PYTHON)]
    assert list(repository.check_code(ROOT, names)) == []


def test_tracked_files_name_no_path_of_a_machine():
    assert list(repository.check_machine_paths(ROOT, repository.tracked(ROOT))) == []


@pytest.mark.parametrize(
    "line, found",
    [
        ("cache: /" + "home/ann/.cache", True),
        ("see /" + "work/main", True),
        ("open('/" + "root/x')", True),
        ("https://example.org/home/page", False),
        ("the data/work/folder", False),
        ("$HOME/" + "work/x", False),
    ],
)
def test_a_machine_path_is_told_from_a_link(tmp_path, line, found):
    (tmp_path / "file.md").write_text(line)
    assert (codes(repository.check_machine_paths(tmp_path, ["file.md"])) == ["machine-path"]) is found


def function_of(lines: int, name: str = "f") -> str:
    return f"def {name}():\n" + "    x = 1\n" * (lines - 1)


def test_functions_may_have_sixty_lines_and_not_sixty_one():
    assert codes(code.check_lengths("steady/a.py", function_of(60))) == []
    assert codes(code.check_lengths("steady/a.py", function_of(61))) == ["function-length"]


def test_stage_scripts_may_have_sixty_lines_and_files_three_hundred():
    assert codes(code.check_lengths("stages/a.py", "x = 1\n" * 61)) == ["file-length"]
    assert codes(code.check_lengths("steady/a.py", "x = 1\n" * 300)) == []
    assert codes(code.check_lengths("steady/a.py", "x = 1\n" * 301)) == ["file-length"]


def test_the_median_is_over_all_files():
    assert code.median_length([function_of(3), function_of(5), function_of(40)]) == 5


@pytest.mark.parametrize("path", ["steady/utils.py", "steady/helpers/text.py", "steady/Core.py"])
def test_names_that_say_nothing_are_found(path):
    assert codes(code.check_names(path)) == ["name"]


def test_click_is_kept_out_of_the_library():
    text = "from click import echo\n"
    assert codes(code.check_click("steady/metrics/a.py", text)) == ["click"]
    assert codes(code.check_click("steady/commands/a.py", text)) == []


@pytest.mark.parametrize(
    "text, good",
    [
        ("AutoModel.from_pretrained(x, trust_remote_code=False)", True),
        ("AutoModel.from_pretrained(x, **settings)", True),
        ("AutoModel.from_pretrained(x)", False),
        ("AutoTokenizer.from_pretrained(x, trust_remote_code=True)", False),
        ("load(x, trust_remote_code=flag)", False),
        ("settings = {'trust_remote_code': True}", False),
        ("settings = {'trust_remote_code': False}", True),
        ("PeftModel.from_pretrained(model, folder)", True),
    ],
)
def test_no_call_may_run_code_from_the_hub(text, good):
    assert (codes(code.check_remote_code("steady/a.py", text)) == []) is good


def test_imports_are_followed_into_functions_and_packages(tmp_path):
    files = {
        "steady/__init__.py": '"""Only a docstring."""\n',
        "steady/a/__init__.py": "X = 1\n",
        "steady/a/one.py": "def f():\n    from steady.b import two\n",
        "steady/b/__init__.py": "",
        "steady/b/two.py": "import json\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import steady.b.three\n",
        "steady/b/three.py": "",
        "stages/x.py": "from steady.a.one import f\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {path.as_posix() for path in imports.imported_files(tmp_path, "stages.x")}
    assert found == {"stages/x.py", "steady/a/__init__.py", "steady/a/one.py", "steady/b/two.py"}


def many(*names: str) -> str:
    return f"def f({', '.join(names)}): ...\n"


def test_a_function_has_six_parameters_and_a_command_as_many_as_it_has_options():
    seven = many(*"abcdefg")
    assert codes(code.check_parameters("steady/a.py", many(*"abcdef"))) == []
    assert codes(code.check_parameters("steady/a.py", seven)) == ["parameters"]
    assert codes(code.check_parameters("steady/a.py", f"class A:\n    {many('self', *'abcdef')}")) == []
    assert codes(code.check_parameters("stages/a.py", f"@click.command()\n{seven}")) == []


def test_eight_files_may_lie_beside_the_packages():
    names = [f"steady/{letter}.py" for letter in "abcdefgh"]
    assert codes(code.check_loose_files([*names, "steady/metrics/a.py"])) == []
    assert codes(code.check_loose_files([*names, "steady/i.py"])) == ["loose-files"]


@pytest.mark.parametrize(
    "module, imported, found",
    [
        ("steady/format/a.py", "steady.prompts.a", []),
        ("steady/format/a.py", "steady.records", []),
        ("steady/serve/a.py", "steady.finetune.a", []),
        ("steady/format/a.py", "steady.prepare.a", ["crossing"]),
        ("steady/metrics/a.py", "steady.compare.a", ["upwards"]),
        ("steady/records.py", "steady.prompts.a", ["upwards"]),
        ("steady/report/a.py", "steady.measure.a", ["upwards"]),
    ],
)
def test_imports_point_downwards(module, imported, found):
    sources = {module: f"def f():\n    import {imported}\n", f"{imported.replace('.', '/')}.py": ""}
    assert codes(layers.check_directions(layers.import_graph(sources))) == found


def test_each_circle_of_imports_is_found():
    imports_of = {"a": "b", "b": "c", "c": "a", "d": "e", "e": "d", "f": "a"}
    sources = {f"steady/x/{name}.py": f"import steady.x.{other}\n" for name, other in imports_of.items()}
    found = [finding.reason for finding in layers.check_circles(layers.import_graph(sources))]
    assert len(found) == 2 and not any("steady.x.f" in reason for reason in found)


def test_a_package_covers_the_code_below_it_and_the_lock_of_a_stage_needs_no_dependency(tmp_path):
    files = {
        "stages/x.py": "from stages.process import lock\nfrom steady.a.one import f\n",
        "stages/process.py": "lock = 1\n",
        "steady/a/one.py": "from steady.a.by_name import modules\n",
        "steady/a/two.py": "X = 1\n",
        "steady/a/by_name/__init__.py": "names = list(iter_modules(__path__))\n",
        "steady/a/by_name/three.py": "import steady.b\n",
        "steady/b.py": "X = 1\n",
        "steady/c/four.py": "X = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert imports.code_dependencies(tmp_path, "stages.x") == ["stages/x.py", "steady/a", "steady/b.py"]

    def found(*deps: str) -> list[str]:
        return codes(pipeline.check_code(tmp_path, pipeline.Stage("x", "", ["stages/x.py", *deps], [], [])))

    assert found("steady/a", "steady/b.py") == []
    assert found("steady/a") == ["undeclared-code"]
    assert found("steady/a", "steady/b.py", "steady/c") == ["idle-code"]


def modules_after(*arguments: str) -> set[str]:
    """The top-level modules that a command has imported when it has printed its help."""
    script = f"import runpy, sys\nsys.argv = {list(arguments)!r}\n" + (
        "try:\n    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n"
        "except SystemExit:\n    print('MODULES', *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("MODULES")[2].split())


@pytest.mark.parametrize(
    "stage",
    sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py") if path.stem not in ("process", "options")),
)
def test_the_help_of_a_stage_imports_nothing_heavy(stage):
    assert modules_after(f"stages.{stage}", "--help") & HEAVY == set()


def test_the_help_of_the_program_imports_nothing_heavy():
    assert modules_after("steady", "--help") & HEAVY == set()


@pytest.mark.parametrize("stage", ["prepare", "format", "compare"])
def test_stages_without_a_model_import_no_model_library(stage):
    files = imports.imported_files(ROOT, f"stages.{stage}")
    assert files
    names = {
        name.partition(".")[0]
        for path in files
        # a model in a GGUF file is converted before its tokenizer can be read, a tokenizer of an older form by transformers alone
        if path.name not in ("gguf.py", "lengths.py")
        for name in imports.imported_names(code.ast.parse((ROOT / path).read_text(encoding="utf-8")))
    }
    assert names & {"torch", "transformers", "peft", "trl", "accelerate"} == set()


def test_dvc_is_told_to_send_nothing_and_to_compose_params_yaml():
    config = (ROOT / ".dvc/config").read_text(encoding="utf-8")
    lines = [line.strip() for line in config.splitlines()]
    for line in ("analytics = false", "check_update = false", "autostage = true", "enabled = true"):
        assert line in lines
    assert "config_dir = ." in lines and "config_name = params" in lines
