"""Records that get another id, or go: old addresses keep working, and the site says what changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_runs import Run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_checkout import REPOSITORY, Checkout

from catalog.model.redirects import FILE, MoveError, Redirects, read_redirects, remove
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
        (("move", OLD, "lindqvist2030fading"), "date is of 2031, and 'lindqvist2030fading' says 2030"),
        (("move", OLD, "lindqvist0000fading"), "An id of it is 'lindqvist2031fading'"),
        (("move", OLD, "somebody2031fading"), "the first author is 'Åsa Lindqvist'"),
        (("move", OLD, "lindqvist٢٠٣١fading"), "is no id"),
        (("remove", "lindqvist2031fadin", "--reason", "x"), f"Did you mean '{OLD}'"),
        (("remove", OLD, "--reason", "<b>x</b>"), "html-in-text"),
        (("remove", OLD), "--reason"),
        (("remove", OLD, "--reason", ""), "the reason is empty"),
        (("remove", OLD, "--reason", "dup \xc2\x9b31m x"), "U+009B"),
        (("remove", OLD, "--reason", "dup \udcff"), "is no text in UTF-8"),
        (("remove", OLD, "--reason", "dup \ufffd"), "U+FFFD"),
        (("remove", OLD, "--reason", "dup \ufeff"), "U+FEFF"),
        (("remove", OLD, "--reason", "two\nlines"), "spaces"),
        (("remove", OLD, "--reason", "long " * 60_000 + "x"), "larger than what is read"),
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


WAYS = {
    "bases in brackets": ("builds_on: [fade, {}]", ""),
    "bases in quotes": ('builds_on: ["{}"]', ""),
    "bases in single quotes": ("builds_on: ['{}', fade]", ""),
    "bases on lines": ("builds_on:\n    - fade\n    - {}  # the first", ""),
    "bases on lines in quotes": ('builds_on:\n    - "{}"\n    - fade', ""),
    "a base in a block": ("builds_on:\n    - >-\n      {}", ""),
    "a successor in braces": ("", "state: {{kind: superseded, by: {}}}\n"),
    "a successor in quotes": ("", "state: {{kind: superseded, by: '{}'}}\n"),
    "a successor on a line": ("", 'state:\n  kind: superseded\n  by: "{}"\n'),
    "both": ("builds_on: [{}]", "state:\n  by: {}  # as its authors say\n  kind: superseded\n"),
}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("way", WAYS)
def test_lineage_moves_along(way: str, mark: str, ends: str, checkout: Checkout, run: Run) -> None:
    bases, state = WAYS[way]

    def naming(ident: str) -> bytes:
        text = before.replace("builds_on: [fade]", bases.format(ident) or "builds_on: [fade]")
        text = text.replace("provenance:", f"{state.format(ident)}provenance:")
        return (mark + text.replace("\n", ends)).encode()

    before = checkout.gardens.read_text(encoding="utf-8")
    checkout.gardens.write_bytes(naming(OLD))
    assert run("validate").status == 0
    assert run("move", OLD, NEW).status == 0
    assert checkout.gardens.read_bytes() == naming(NEW)
    assert run("validate").status == 0


def test_what_only_looks_like_the_id_stays(checkout: Checkout, run: Run) -> None:
    checkout.add(
        f"papers/2031/{OLD}b.yaml", checkout.fading.read_text(encoding="utf-8").replace("3104.01234", "3104.00009")
    )
    checkout.change(checkout.gardens, "builds_on: [fade]", f"builds_on: [{OLD}b, {OLD}]")
    checkout.change(checkout.gardens, "Asks about", f"As {OLD} does, asks about")
    run("move", OLD, NEW)
    text = checkout.gardens.read_text(encoding="utf-8")
    assert f"builds_on: [{OLD}b, {NEW}]" in text
    assert f"As {OLD} does, asks about" in text


def test_a_reader_that_goes_away_says_nothing_of_the_move(checkout: Checkout) -> None:
    command = [sys.executable, "-c", "from catalog.cli import main; main()", "move", OLD, NEW]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    read, write = os.pipe()
    os.close(read)
    moved = subprocess.run(
        command, cwd=checkout.root, env=environment, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert moved.returncode in (0, 1)  # the library of the command line ends with 1
    assert moved.stderr == b""
    assert read_redirects(checkout.project)[0].moved == {OLD: NEW}


def test_moves_at_once_lose_nothing(checkout: Checkout) -> None:
    """Processes that move and remove records side by side, each reading and writing the same file of redirects."""
    words = [f"lindqvist2031{word}" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight")]
    for number, ident in enumerate(words):
        text = checkout.fading.read_text(encoding="utf-8").replace("3104.01234", f"3104.0000{number}")
        checkout.add(f"papers/2031/{ident}.yaml", text)
    checkout.change(checkout.gardens, "builds_on: [fade]", f"builds_on: [{', '.join(words[:6])}]")
    commands = [["move", ident, f"{ident}b"] for ident in words[:6]]
    commands += [["remove", ident, "--reason", "A joke"] for ident in words[6:]]
    run = [sys.executable, "-c", "from catalog.cli import main; main()"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    started = [subprocess.Popen([*run, *command], cwd=checkout.root, env=environment) for command in commands]
    assert [one.wait() for one in started] == [0] * len(started)
    redirects, problems = read_redirects(checkout.project)
    assert not problems
    assert redirects.moved == {ident: f"{ident}b" for ident in words[:6]}
    assert set(redirects.removed) == set(words[6:])
    assert f"builds_on: [{', '.join(f'{ident}b' for ident in words[:6])}]" in checkout.gardens.read_text(
        encoding="utf-8"
    )


@given(st.text(min_size=1, max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_reason_is_refused_or_can_be_read(checkout: Checkout, reason: str) -> None:
    text = checkout.fading.read_bytes()
    try:
        remove(checkout.project, OLD, reason, {OLD: "papers/2031/lindqvist2031fading.yaml"})
    except MoveError:
        assert checkout.fading.exists()
    else:
        redirects, problems = read_redirects(checkout.project, [])
        assert (redirects.removed, problems) == ({OLD: reason}, [])
    finally:
        (checkout.root / FILE).unlink(missing_ok=True)
        checkout.fading.write_bytes(text)


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
