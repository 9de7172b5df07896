"""The record as a JSON Schema, so that editors complete and check what people type.

Made from the models of :mod:`catalog.model.paper`, with the vocabularies' terms as the values that they allow. It
knows one record: what concerns several is left to ``catalog validate``.
"""

from __future__ import annotations

import ast
import inspect
import json
from typing import Any

from catalog.model import paper as schema
from catalog.model.facets import FIELDS
from catalog.model.vocabulary import Vocabularies, Vocabulary

FILE = "catalog/record.schema.json"
"""Where the schema is kept, relative to the checkout."""


def record_schema(vocabularies: Vocabularies) -> dict[str, Any]:
    """The schema of a file of ``papers/``."""
    made = schema.Record.model_json_schema()
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "The record of one paper"}
    _describe(made, schema.Record.__name__)
    for name, definition in made.get("$defs", {}).items():
        _describe(definition, name)
    for field, name in FIELDS.items():
        if name in vocabularies:
            _allow(made["properties"][field], vocabularies[name])
    for key, name in (("id", "venue"), ("track", "track")):
        if name in vocabularies:
            place = made["$defs"]["Venue"]["properties"][key]
            _allow(place.get("anyOf", [place])[0], vocabularies[name])
    for name in ("benchmark", "metric"):
        if name in vocabularies:
            _allow(made["$defs"]["Reported"]["properties"][name], vocabularies[name])
    _tidy(made)
    return made


def render(vocabularies: Vocabularies) -> str:
    """The schema as the text of its file; same vocabularies, same text."""
    return json.dumps(record_schema(vocabularies), indent=1, ensure_ascii=False) + "\n"


def _allow(property: dict[str, Any], vocabulary: Vocabulary) -> None:  # noqa: A002
    place = property.get("items", property)
    for key in ("minLength", "maxLength"):
        place.pop(key, None)
    place["enum"] = list(vocabulary.ids)
    # Editors show these beside the values.
    place["markdownEnumDescriptions"] = [f"**{term.label}**: {term.definition}" for term in vocabulary.terms]
    if "items" in property:
        property["uniqueItems"] = True


def _tidy(value: Any) -> None:
    """Without the titles that are made from names, and without ``null``: an unknown is left out of a record."""
    if isinstance(value, dict):
        if isinstance(value.get("title"), str) and value["title"] != "The record of one paper":
            del value["title"]
        kinds = value.get("anyOf")
        if kinds and {"type": "null"} in kinds and len(kinds) == 2:
            del value["anyOf"]
            value |= next(kind for kind in kinds if kind != {"type": "null"})
        if isinstance(value.get("pattern"), str):
            # JavaScript's expressions know no escaped quote.
            value["pattern"] = value["pattern"].replace('\\"', '"')
        if value.get("default", "") in (None, [], ()):
            del value["default"]
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _tidy(part)


def _describe(definition: dict[str, Any], name: str) -> None:
    """The docstrings of a model and of its fields, as descriptions."""
    tree = ast.parse(inspect.getsource(getattr(schema, name)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for field, said in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = said.value.value if isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant) else None
            if isinstance(text, str) and field.target.id in definition.get("properties", {}):
                definition["properties"][field.target.id]["description"] = " ".join(text.replace("``", "`").split())
