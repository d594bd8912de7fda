"""The schema of `params.yaml` knows every key that is there, and the seeds and workspaces do what they say."""

import json
from pathlib import Path

from click.testing import CliRunner
from ruamel.yaml import YAML

from checks.pipeline import leaf_paths
from steady.__main__ import main
from steady.commands.schema import closed, inlined, merged

ROOT = Path(__file__).resolve().parent.parent
PARAMS = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def test_every_key_of_the_parameters_is_in_the_schema_and_no_other(tmp_path):
    path = tmp_path / "schema.json"
    result = CliRunner().invoke(main, ["schema", "--out", str(path)])
    assert result.exit_code == 0, result.output
    schema = json.loads(path.read_text(encoding="utf-8"))
    # The section of an objective that no arm of the default has may be left out.
    assert set(schema["required"]) == set(PARAMS) == set(schema["properties"]) - {"consistency"}
    for leaf in leaf_paths({name: value for name, value in PARAMS.items() if name != "arms"}):
        node = schema
        for part in leaf.split("."):
            node = node["properties"][part]
    for name in set(PARAMS) - {"seed", "arms", "data"}:
        assert set(schema["properties"][name]["properties"]) == set(PARAMS[name]), name


def test_references_are_replaced_and_sections_merged_by_hand():
    definitions = {"A": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}
    one = inlined({"$ref": "#/$defs/A"}, definitions)
    other = {"type": "object", "properties": {"y": {"type": "number"}}, "required": ["y"]}
    both = merged(one, other)
    assert both["properties"] == {"x": {"type": "integer"}, "y": {"type": "number"}}
    assert both["required"] == ["x", "y"]
    assert closed(both)["additionalProperties"] is False
