"""Records that get another id, or go: old addresses keep working, and the site says what changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_runs import Run
from small_checkout import Checkout

from catalog.model.redirects import FILE, Redirects, read_redirects
from catalog.outputs.site.changes import changes_page, write_redirects

OLD, NEW = "lindqvist2031fading", "lindqvist2031gentle"


def test_move(checkout: Checkout, run: Run) -> None:
    before = checkout.fading.read_bytes()
    checkout.change(checkout.gardens, "provenance:", f"state: {{kind: superseded, by: {OLD}}}\nprovenance:")
    ran = run("move", OLD, NEW)
    assert ran.status == 0, ran.err
    assert ran.out.split() == [
        f"papers/2031/{NEW}.yaml",
        FILE,
        "papers/2032/okonkwo2032gardens.yaml",
        "reference_impls/methods/gradient_ascent/fade.py",
    ]
    assert (checkout.root / f"papers/2031/{NEW}.yaml").read_bytes() == before
    assert not checkout.fading.exists()
    assert run("validate").status == 0
    shown = run("show", OLD)
    assert (shown.status, shown.err) == (0, f"{OLD} is now {NEW}.\n")
    assert run("move", NEW, "lindqvist2031soft").status == 0
    assert read_redirects(checkout.project)[0].moved == {OLD: "lindqvist2031soft", NEW: "lindqvist2031soft"}
    assert run("move", "lindqvist2031soft", OLD).status == 0
    assert OLD not in read_redirects(checkout.project)[0].moved, "an id in use again leads nowhere"
    assert run("validate").status == 0


def test_moving_changes_what_names_the_record(checkout: Checkout, run: Run) -> None:
    steps = f"    - {{paper: {OLD}, why: Begin here.}}\n    - paper: {OLD}\n      why: And again.\n"
    checkout.add("site/reading-paths.yaml", f"- id: a\n  title: One\n  audience: Anybody.\n  steps:\n{steps}")
    checkout.add("site/glossary.yaml", f"- id: a\n  term: Fade\n  definition: To go.\n  paper: {OLD}\n")
    ran = run("move", OLD, NEW)
    assert ran.out.split()[2:] == [
        "reference_impls/methods/gradient_ascent/fade.py",
        "site/glossary.yaml",
        "site/reading-paths.yaml",
    ]
    assert OLD not in (checkout.root / "site/reading-paths.yaml").read_text()
    assert run("validate").status == 0


def test_remove(checkout: Checkout, run: Run) -> None:
    (checkout.root / "reference_impls/tasks/gardens/__init__.py").unlink()
    checkout.change(checkout.gardens, "  - {id: gardens, relation: introduces}\n", "")
    run("move", "okonkwo2032gardens", "okonkwo2032weeds")
    assert run("remove", "okonkwo2032weeds", "--reason", "No such paper: it was a joke").status == 0
    redirects, _ = read_redirects(checkout.project)
    assert set(redirects.removed) == {"okonkwo2032gardens", "okonkwo2032weeds"}
    assert redirects.moved == {}
    assert "was removed: No such paper: it was a joke." in run("show", "okonkwo2032gardens").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("move", "nobody2031x", NEW), "there is no record"),
        (("move", OLD, "../../x"), "is no id"),
        (("move", OLD, "okonkwo2032gardens"), "is taken by papers/2032"),
        (("move", OLD, OLD), "is taken by papers/2031"),
        (("remove", "lindqvist2031fadin", "--reason", "x"), f"Did you mean '{OLD}'"),
        (("remove", OLD, "--reason", "<b>x</b>"), "html-in-text"),
        (("remove", OLD), "--reason"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], said: str, checkout: Checkout, run: Run) -> None:
    ran = run(*arguments)
    assert (ran.status, said in ran.err) == (2, True), ran.err
    assert checkout.fading.exists()
    assert not (checkout.root / FILE).exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("moved:\n  a2031b: nobody2031x\n", "leads to 'nobody2031x', which is no record"),
        ("moved:\n  a2031b: lindqvist2031fadin\n", f"Did you mean '{OLD}'"),
        (f"moved:\n  {OLD}: okonkwo2032gardens\n", "is a record"),
        ("moved:\n  x: y\n", "needs an id"),
        ("removed:\n  a2031b: [x]\n", "needs a reason"),
        ("removed:\n  a2031b: '**x**'\n", "markdown-in-text"),
        ("gone:\n  a2031b: x\n", "neither moved nor removed"),
        ("- x\n", "neither moved nor removed"),
    ],
)
def test_wrong_files(text: str, said: str, checkout: Checkout, run: Run) -> None:
    checkout.add(FILE, text)
    # A checkout with a folder catalog/ still uses the vocabularies of the package.
    ran = run("validate")
    assert ran.status == 1
    assert "error[bad-redirect]" in ran.out
    assert said in ran.out


def test_pages(checkout: Checkout, tmp_path: Path) -> None:
    redirects = Redirects({"a2031b": OLD}, {"c2031d": "A <joke> & more"})
    (tmp_path / "papers").mkdir()
    write_redirects(tmp_path, redirects)
    assert f'content="0; url={OLD}.html"' in (tmp_path / "papers/a2031b.html").read_text(encoding="utf-8")
    assert "A &lt;joke&gt; &amp; more" in (tmp_path / "papers/c2031d.html").read_text(encoding="utf-8")
    checkout.change(checkout.fading, "provenance:", 'state: {kind: withdrawn, note: "An *error*"}\nprovenance:')
    checkout.change(checkout.gardens, "authors:", "former_titles: [Weeds]\nauthors:")
    page = changes_page(checkout.catalog(), redirects)
    assert "## Withdrawn by their authors" in page
    assert "An \\*error\\*" in page
    assert "formerly “Weeds”" in page
    assert f"`a2031b` is now [`{OLD}`](papers/{OLD}.md)" in page
    assert "`c2031d` was removed: A \\<joke\\> \\& more" in page
