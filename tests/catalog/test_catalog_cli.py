"""The command line as people meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_runs import Run
from small_checkout import FADING, Checkout
from typer.main import get_group

from catalog.cli import app

COMMAND = [sys.executable, "-c", "from catalog.cli import main; main()"]


def test_validate(checkout: Checkout, run: Run) -> None:
    ran = run("validate")
    assert (ran.status, ran.out, ran.err) == (0, "", "2 records: no problems.\n")
    assert json.loads(run("validate", "--format", "json").out) == []
    checkout.change(checkout.fading, "family: [gradient-ascent]\n", "")
    assert run("validate").status == 0
    assert run("validate", "--strict").status == 1
    assert "1 hint." in run("validate").err


def test_validate_one_path(checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.gardens, "tofu, wmdp", "tofv, wmdp")
    assert run("validate", "papers/2031").status == 0
    assert run("validate", "papers/2032").status == 1
    assert run("validate", "papers/2032/okonkwo2032gardens.yaml").out.count("error[") == 1
    assert run("validate", ".").status == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("validate", "papers/none.yaml"), "does not exist"),
        (("validate", "/"), None),
        (("validate", "--format", "jsn"), "Did you mean 'json'?"),
        (("validate", "--root", "nowhere"), "is not a folder"),
        (("validate", "--root", "/dev"), "No catalog found"),
        (("fmt", "templates"), "not among the files"),
        (("show", "lindqvist2031fadin"), "Did you mean 'lindqvist2031fading'?"),
        (("show", "qqqq"), "catalog search"),
        (("search", "--family", "relabelling"), "Did you mean 'relabeling'?"),
        (("search", "--dataset", "zzzzzz"), "One of:"),
        (("search", "--year", "soon"), "--year"),
        (("export", "bibtx"), "Did you mean 'bibtex'?"),
        (("export", "json", "-o", "/dev/null/x"), "cannot write"),
        (("serve",), "serve"),
        (("validate", "--bogus"), "bogus"),
    ],
)
def test_wrong_use_is_answered(arguments: tuple[str, ...], message: str | None, run: Run) -> None:
    ran = run(*arguments)
    if message is None:
        assert ran.status == 0
        return
    assert ran.status == 2
    assert message in ran.err
    assert ran.out == ""


def test_search(run: Run) -> None:
    ran = run("search", "gardners")
    assert "Did you mean: gardeners" in ran.err
    found = json.loads(run("search", "gardeners", "--json").out)
    assert [one["id"] for one in found] == ["okonkwo2032gardens"]
    assert run("search", "fade", "--bibtex").out.startswith("@inproceedings{lindqvist2031fading,")
    assert "lindqvist2031fading" in run("search", "--family", "Gradient Ascent and its variants").out
    assert "1 more" in run("search", "-n", "1").err
    assert "Nothing found." in run("search", "zzzz").err
    assert json.loads(run("search", "gentle elephants", "--json").out) == []
    assert "these have some" in run("search", "gentle elephants").err


def test_show(run: Run) -> None:
    out = run("show", "lindqvist2031fading").out
    assert "Fading Out: Gentle Forgetting for Small Models" in out
    assert "unlearn run fade" in out
    assert json.loads(run("show", "lindqvist2031fading", "--json").out)["id"] == "lindqvist2031fading"
    assert run("show", "lindqvist2031fading", "--bibtex").out.startswith("@inproceedings{lindqvist2031fading,")


def test_texts_are_not_markup(checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.fading, "Gentle", "[red]Gentle[/red]")
    assert "[red]Gentle[/red]" in run("show", "lindqvist2031fading").out
    assert "[red]Gentle[/red]" in run("search", "fading").out


def test_stats(run: Run) -> None:
    assert json.loads(run("stats", "--json").out)["papers"] == 2
    assert "2 papers by 5 authors" in run("stats").out


@pytest.mark.parametrize("form", ["bibtex", "csl", "ris", "csv", "json"])
def test_export(form: str, checkout: Checkout, run: Run) -> None:
    out = run("export", form).out
    assert "lindqvist2031fading" in out
    assert run("export", form, "-o", "x/papers").out == ""
    assert (checkout.root / "x/papers").read_text(encoding="utf-8") == out


def test_export_database(checkout: Checkout, run: Run) -> None:
    assert run("export", "sqlite", "-o", "x.sqlite").status == 0
    assert (checkout.root / "x.sqlite").read_bytes().startswith(b"SQLite format 3")


def test_build_and_drift(checkout: Checkout, run: Run) -> None:
    ran = run("build", "--check")
    assert ran.status == 1
    assert "README.md is missing" in ran.err
    assert not (checkout.root / "README.md").exists()
    assert not (checkout.root / "build").exists()
    assert run("build").status == 0
    assert run("build", "--check").status == 0
    checkout.change(checkout.fading, "Gentle", "Mild")
    assert run("build", "--check").out.startswith("README.md and lists/family/gradient-ascent.md are behind by 1 paper")
    ran = run("build", "--check", "--strict")
    assert ran.status == 1
    assert "Mild Forgetting" in ran.err
    assert run("build", "--strict").status == 2
    assert "Mild" not in (checkout.root / "README.md").read_text(encoding="utf-8")


def test_broken_template(checkout: Checkout, run: Run) -> None:
    checkout.add("templates/readme.md.j2", "a\n{% if %}\n")
    ran = run("build")
    assert ran.status == 1
    assert "readme.md.j2:2" in ran.err
    assert not (checkout.root / "build").exists()


def test_fmt(checkout: Checkout, run: Run) -> None:
    run("fmt")
    assert run("fmt", "--check").status == 0
    checkout.change(checkout.fading, "date: 2031-04\n", "")
    checkout.change(checkout.fading, "type: method", "type: method\ndate: 2031-04")
    before = checkout.fading.read_bytes()
    ran = run("fmt", "--check")
    assert (ran.status, ran.out) == (1, "papers/2031/lindqvist2031fading.yaml\n")
    assert checkout.fading.read_bytes() == before
    assert run("fmt").status == 0
    assert checkout.fading.read_text(encoding="utf-8").index("date:") < checkout.fading.read_text().index("type:")
    checkout.change(checkout.gardens, "type: benchmark", "typ: benchmark")
    assert run("fmt").status == 1


def test_site_problems_stop_it(checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.fading, "type: method", "type: meth")
    assert run("site", "build").status == 1


@pytest.mark.parametrize("command", sorted(get_group(app).commands))
def test_help_has_examples(command: str, run: Run) -> None:
    ran = run(command, "--help")
    assert ran.status == 0
    assert command == "site" or "Example" in ran.out


# As a process ---------------------------------------------------------------------------------------


def start(*arguments: str, folder: Path, **more: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run([*COMMAND, *arguments], cwd=folder, env=environment, stderr=subprocess.PIPE, **more)


def test_help_loads_nothing_that_takes_long() -> None:
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr))\n"
        "sys.argv = ['catalog', '--help']\n"
        "from catalog.cli import main\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(ran.stderr.split())
    assert "catalog" in loaded
    assert loaded.isdisjoint(
        {"pydantic", "yaml", "jinja2", "mkdocs", "markdown", "requests", "arxiv", "torch", "sqlite3"}
    )


def test_reader_that_goes_away(checkout: Checkout) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = start("export", "json", folder=checkout.root, stdout=writing)
    os.close(writing)
    assert b"Traceback" not in ran.stderr
    assert b"Exception ignored" not in ran.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize("arguments", [("export", "json"), ("stats",), ("show", "lindqvist2031fading")])
def test_output_that_cannot_be_written(arguments: tuple[str, ...], checkout: Checkout) -> None:
    with open("/dev/full", "wb") as full:
        ran = start(*arguments, folder=checkout.root, stdout=full)
    assert ran.returncode == 2
    assert ran.stderr == b"catalog: No space left on device\n"


def test_terminals_without_unicode(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ran = start("show", "lindqvist2031fading", folder=checkout.root, stdout=subprocess.PIPE)
    assert ran.returncode == 0
    assert b"Lindqvist" in ran.stdout


def test_no_torch(checkout: Checkout) -> None:
    code = (
        "import sys; sys.argv = ['catalog', 'build']\nfrom catalog.cli import main\n"
        "try: main()\nfinally: assert not {'torch', 'transformers', 'reference_impls'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run([sys.executable, "-c", code], cwd=checkout.root, env=environment, capture_output=True)
    assert ran.returncode == 0, ran.stderr


def test_many_records_are_checked_together(checkout: Checkout) -> None:
    for number in range(300):
        text = FADING.replace("3104.01234", f"3104.{number:05}").replace("Fading Out", f"Fading {number}")
        text = text.replace("relation: introduces", "relation: related").replace("name: Fade", f"name: Fade {number}")
        text = text.replace("Lets what", f"Number {number} lets what").replace(
            "Turns the", f"Number {number} turns the"
        )
        checkout.add(f"papers/2031/lindqvist2031a{number}.yaml", text)
    assert [problem.severity for problem in checkout.problems()] == []
