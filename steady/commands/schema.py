"""Write the JSON schema of `params.yaml`."""

from pathlib import Path
from typing import Any

import click

from steady.commands import FILE, command

# A JSON schema, or a part of one
Schema = dict[str, Any]


@command()
@click.option("--out", type=FILE, default="params.schema.json", show_default=False)
def main(out: Path) -> None:
    """Write the JSON schema of params.yaml, which editors use to complete and check keys."""
    from steady.parameters import SECTIONS
    from steady.records import write_json
    from steady.repro.workspaces import stage_views

    sections: Schema = {}
    optional = set()
    # a section that two stages read in part has the keys of both
    for view in stage_views():
        schema = view.model_json_schema()
        # A section whose every key has a default is there only where an arm is trained by it.
        optional |= set(schema["properties"]) - set(schema["required"])
        for name, section in schema["properties"].items():
            sections[name] = merged(sections.get(name, {}), inlined(section, schema.get("$defs", {})))
    # A method without settings has an empty section, which no stage reads.
    for name in SECTIONS:
        sections.setdefault(name, {"type": "object", "properties": {}})
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "params.yaml of Steady",
        "type": "object",
        "properties": {name: closed(section) for name, section in sorted(sections.items())},
        "required": sorted(set(sections) - optional),
        "additionalProperties": False,
    }
    write_json(out, schema)
    click.echo(f"wrote {out}; name it in the settings of your editor as the schema of params.yaml")


def inlined(node: Any, definitions: Schema) -> Any:
    """A copy of a schema in which every reference is replaced by what it refers to."""
    if isinstance(node, list):
        return [inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    # What several stages read of one section is merged, which needs the parts themselves.
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return inlined(target, definitions) | inlined(rest, definitions)
    return {key: inlined(value, definitions) for key, value in node.items()}


def merged(one: Schema, other: Schema) -> Schema:
    """Two schemas of one section as one: the properties and required keys of both; the longer description stays."""
    # `seed` and `arms` are no sections with keys of their own.
    if not one or "properties" not in one or "properties" not in other:
        return one or other
    both = max(one, other, key=lambda schema: len(schema["properties"]))
    required = dict.fromkeys([*one.get("required", []), *other.get("required", [])])
    return both | {"properties": one["properties"] | other["properties"], "required": list(required)}


def closed(section: Schema) -> Schema:
    """A section that allows no other keys: together the stages read all there are."""
    return section | {"additionalProperties": False} if "properties" in section else section
