"""The form of the static JSON API as a JSON Schema: made from the models that the data is made from."""

from __future__ import annotations

from typing import Any, get_args

from catalog.model.claims import Verdict
from catalog.model.registries import PAPER_ID
from catalog.model.results import Result
from catalog.model.vocabulary import Vocabularies
from catalog.reading.json_schema import record_schema

_TEXT = {"type": "string"}
_MAYBE = {"type": ["string", "null"]}


def api_schema(vocabularies: Vocabularies, version: int) -> dict[str, Any]:
    """What every file of ``api/`` is: an object with a version, and one of the contents.

    Within a version fields may be added, so that further ones are allowed everywhere.
    """
    paper = record_schema(vocabularies)
    definitions = paper.pop("$defs", {})
    del paper["$schema"]
    del paper["properties"]["added"]
    paper["title"] = "Paper"
    paper["properties"] |= {
        "id": {"type": "string", "pattern": PAPER_ID, "description": "The record's id, and the address of its page"},
        "year": {"type": "integer", "description": "The year of the first public version"},
        "file": {**_TEXT, "description": "The record's file in the repository"},
        "appeared": {**_TEXT, "description": "The venue in words"},
        "addresses": {
            "type": "object",
            "additionalProperties": {"type": "string", "format": "uri"},
            "description": "The full addresses of its links, by kind",
        },
    }
    paper["required"] = ["id", "year", *paper["required"], "file", "addresses"]
    result = Result.model_json_schema()
    result["properties"].pop("examples")
    definitions |= {name: definition for name, definition in result.pop("$defs", {}).items() if name != "Example"}
    definitions |= {"Paper": paper, "Result": result, "Implementation": _implementation(), "Claim": _claim()}
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The catalog's JSON API",
        "type": "object",
        "required": ["version"],
        "properties": {
            "version": {"const": version},
            "papers": {"type": "array", "items": {"$ref": "#/$defs/Paper"}},
            "paper": {"$ref": "#/$defs/Paper"},
            "implementations": {"type": "array", "items": {"$ref": "#/$defs/Implementation"}},
            "results": {"type": "array", "items": {"$ref": "#/$defs/Result"}},
            "claims": {"type": "array", "items": {"$ref": "#/$defs/Claim"}},
        },
        "oneOf": [{"required": [name]} for name in ("papers", "paper", "implementations", "results", "claims")],
        "$defs": definitions,
    }
    _open(made)
    return made


def _implementation() -> dict[str, Any]:
    texts = dict.fromkeys(("id", "name", "title", "summary", "file"), _TEXT)
    kinds = {"kind": {"enum": ["method", "task", "benchmark", "attack"]}}
    return {
        "type": "object",
        "required": [*texts, "kind"],
        "properties": texts | kinds | dict.fromkeys(("paper", "family", "acts_on"), _MAYBE),
    }


def _claim() -> dict[str, Any]:
    texts = dict.fromkeys(("id", "method", "claim", "paper", "where", "verdict", "why", "elsewhere"), _TEXT)
    numbers = {name: {"type": "integer"} for name in ("held", "undecided", "comparisons")}
    objects = {"type": "array", "items": {"type": "object"}}
    lists = {"commands": {"type": "array", "items": _TEXT}, "findings": objects, "other_tasks": objects}
    return {
        "type": "object",
        "required": [*texts, *numbers, *lists],
        "properties": texts | numbers | lists | {"verdict": {"enum": list(get_args(Verdict))}},
    }


def _open(value: Any) -> None:
    """Allow further fields: a later file of the same version may have them."""
    if isinstance(value, dict):
        if value.get("additionalProperties") is False:
            del value["additionalProperties"]
        for part in value.values():
            _open(part)
    elif isinstance(value, list):
        for part in value:
            _open(part)
