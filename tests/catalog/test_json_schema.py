"""The JSON Schema for editors: it says of a record what the models say, and is kept in step with them."""

from __future__ import annotations

import copy
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command_runs import Run
from small_checkout import FADING, GARDENS, REPOSITORY

from catalog.model.paper import Record
from catalog.model.vocabulary import load_vocabularies
from catalog.parsing.tree import parse_tree
from catalog.parsing.validation import validate
from catalog.reading.json_schema import FILE, record_schema, render

SCHEMA = record_schema(load_vocabularies())


def record(text: str = FADING) -> dict[str, Any]:
    """The values as an editor sees them: plain JSON."""
    tree, _ = parse_tree(text.encode(), "x")
    assert tree
    found: dict[str, Any] = json.loads(json.dumps(tree.value, default=lambda value: int(value.text)))
    return found


def test_it_is_kept_in_step() -> None:
    assert (REPOSITORY / FILE).read_text(encoding="utf-8") == render(load_vocabularies()), "run `catalog build`"


def test_it_is_a_schema_that_editors_use() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    settings = json.loads((REPOSITORY / ".vscode/settings.json").read_text(encoding="utf-8"))
    assert settings["yaml.schemas"] == {f"./{FILE}": "papers/*/*.yaml"}


def test_terms_are_completed_with_their_meaning() -> None:
    family = SCHEMA["properties"]["family"]["items"]
    assert family["enum"][0] == "relabeling"
    assert family["markdownEnumDescriptions"][0].startswith("**Relabeling-based fine-tuning**: The model")
    assert len(family["enum"]) == len(family["markdownEnumDescriptions"])
    assert SCHEMA["properties"]["date"]["description"].startswith("First public version")


def test_every_record_passes_as_check_jsonschema_reads_it() -> None:
    records = [str(path) for path in sorted((REPOSITORY / "papers").glob("*/*.yaml"))]
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(REPOSITORY / FILE), *records]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_refuses_what_the_models_refuse() -> None:
    changes: list[tuple[tuple[str | int, ...], Any]] = [
        (("title",), None),
        (("title",), ""),
        (("authors",), []),
        (("authors",), "A. Bee"),
        (("links", "arxiv"), "31.1"),
        (("links", "code"), 7),
        (("links", "cod"), "https://example.org/"),
        (("implementations", 0, "relation"), "invents"),
        (("provenance", "source"), "rumor"),
        (("state",), {"kind": "lost"}),
        (("extra",), "x"),
    ]
    for place, value in changes:
        broken = record()
        inner: Any = broken
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value
        assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(broken)), place
        tree, _ = parse_tree(json.dumps(broken).encode(), "x")
        assert tree
        assert validate(Record, tree)[1], place
    for place, value in ((("type",), "meth"), (("family",), ["x"]), (("datasets",), ["tofu", "tofu"])):
        broken = copy.deepcopy(record())
        broken[str(place[0])] = value
        assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(broken)), place


@pytest.mark.parametrize("text", [FADING, GARDENS])
def test_it_accepts_what_the_models_accept(text: str) -> None:
    assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(record(text))) == []


# catalog new ------------------------------------------------------------------------------------------


def test_new(run: Run, tmp_path: Path) -> None:
    ran = run("new", "okonkwo2033seeds")
    assert (ran.status, ran.out) == (0, "papers/2033/okonkwo2033seeds.yaml\n")
    path = tmp_path / "checkout" / ran.out.strip()
    problems = json.loads(run("validate", ran.out.strip(), "--format", "json").out)
    assert {one["line"] for one in problems} == {
        number
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.startswith(("title:", "authors:", "date:", "type:", "  url:"))
    }
    assert "is there already" in run("new", "okonkwo2033seeds").err
    assert "is no id" in run("new", "../../x").err
    assert run("new", "okonkwo2033weeds", "--dry-run").out == path.read_text(encoding="utf-8")
    assert not (tmp_path / "checkout/papers/2033/okonkwo2033weeds.yaml").exists()


def test_a_filled_in_template_is_valid(run: Run, tmp_path: Path) -> None:
    text = run("new", "okonkwo2033seeds", "--dry-run").out
    for old, new in (
        ("title:\n", "title: Seeds\n"),
        ("authors: []", "authors: [Grace Okonkwo]"),
        ("date: 2033-", "date: 2033-02"),
        (datetime.date.today().isoformat(), "2033-03-01"),  # no paper is looked at before it is there
        ("type:\n", "type: blog\n"),
        ("  url:\n", "  url: https://example.org/seeds\n"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "checkout/papers/2033/okonkwo2033seeds.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    assert run("validate", "--strict").err == "3 records: no problems.\n"
    assert run("fmt", str(path)).status == 0
