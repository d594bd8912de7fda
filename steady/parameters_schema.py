"""The JSON schema of `params.yaml`, merged from what every stage reads of it."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel


def params_schema(views: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """One schema (draft 2020-12) of the whole file; a section that two stages read in part has the keys of both.

    Args:
        views: the `StageParams` of the stages.
    """
    sections: dict[str, Any] = {}
    for view in views:
        schema = view.model_json_schema()
        for name, section in schema["properties"].items():
            sections[name] = merged(sections.get(name, {}), inlined(section, schema.get("$defs", {})))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "params.yaml of Steady",
        "type": "object",
        "properties": {name: closed(section) for name, section in sorted(sections.items())},
        "required": sorted(sections),
        "additionalProperties": False,
    }


def inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """A copy of a schema in which every reference is replaced by what it refers to."""
    if isinstance(node, list):
        return [inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return inlined(target, definitions) | inlined(rest, definitions)
    return {key: inlined(value, definitions) for key, value in node.items()}


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two schemas of one section as one: the properties and required keys of both; the longer description stays."""
    if not one or "properties" not in one or "properties" not in other:
        return one or other
    both = max(one, other, key=lambda schema: len(schema["properties"]))
    required = dict.fromkeys([*one.get("required", []), *other.get("required", [])])
    return both | {"properties": one["properties"] | other["properties"], "required": list(required)}


def closed(section: dict[str, Any]) -> dict[str, Any]:
    """A section that allows no other keys: together the stages read all there are."""
    return section | {"additionalProperties": False} if "properties" in section else section
