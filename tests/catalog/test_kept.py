"""What is kept between runs changes nothing but time: whatever happens to files or to the memory, answers are right."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from command_runs import Run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_checkout import FADING, REPOSITORY, Checkout

from catalog.base.manifest import INSTANT, NONE, from_text, look
from catalog.base.project import Project
from catalog.base.sealed import open_sealed, write_sealed
from catalog.commands.answering import finder
from catalog.model.implementations import read_implementations
from catalog.model.paper import Paper
from catalog.model.vocabulary import read_vocabularies
from catalog.outputs.answers.filling import answers_of
from catalog.outputs.answers.tables import COLUMNS
from catalog.parsing.problems import Problem
from catalog.reading.checks import ALL_CHECKS, Corpus, run_checks
from catalog.reading.inputs import context_files, record_files
from catalog.reading.kept import FOLDER, Kept
from catalog.reading.load import load_catalog, read_entries, read_record
from catalog.reading.packing import pack, unpack

MORE = """\
title: "A Back Door in GPT 4, {number}"
authors: [Ada Quilter]
date: 2031-0{month}
type: method
family: [relabeling]
targets: [privacy]
links: {{url: "https://example.org/{number}"}}
summary: Says for the {number}th time what nobody said before about {word}.
method: {{name: Door{number}}}
implementations: []
provenance: {{source: hand, checked: 2031-06-01}}
"""


def more(number: int, word: str = "gardens") -> tuple[str, str]:
    """Name and text of one of the further records."""
    text = MORE.format(number=number, month=number % 9 + 1, word=word)
    return f"papers/2031/quilter2031door{'abcdefghij'[number]}.yaml", text


def settle(checkout: Checkout) -> None:
    """As if all files had been written long ago, so that only what the file system says can tell a change."""
    long_ago = time.time_ns() - 100 * INSTANT
    for path in checkout.root.rglob("*"):
        if path.is_file() and ".cache" not in path.parts:
            os.utime(path, ns=(long_ago, long_ago))


def remembered(checkout: Checkout) -> tuple[object, list[Problem]]:
    """What a run says that believes what is kept, and that keeps what it reads."""
    catalog, problems = load_catalog(checkout.project, kept=Kept(checkout.project))
    return catalog, problems


def told(database: sqlite3.Connection) -> dict[str, object]:
    """All that tables of answers hold, without the numbers of rows, which may differ."""
    found: dict[str, object] = {}
    for table, columns in (("fact", "fact.name, term"), ("handle", "handle"), ("name", "name")):
        query = f"SELECT {columns}, id FROM {table} JOIN paper ON {table}.paper = row"
        found[table] = sorted(database.execute(query))
    for table in ("word", "known", "old"):
        found[table] = database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
    found["search"] = database.execute(
        f"SELECT id, {', '.join(f'search.{one}' for one in COLUMNS.split(', '))} FROM search"
        " JOIN paper ON search.rowid = row ORDER BY id"
    ).fetchall()
    found["paper"] = database.execute(
        "SELECT id, date, called, title, shown, record, bibtex, written FROM paper ORDER BY id"
    ).fetchall()
    return found


def agree(checkout: Checkout) -> None:
    """With what is kept, everything is as it is without."""
    catalog, problems = load_catalog(checkout.project)
    assert remembered(checkout) == (catalog, problems)
    assert Kept(checkout.project).verdict is not None, "the run was not kept"
    assert remembered(checkout) == (catalog, problems)
    if catalog is not None:
        find, anew = finder(checkout.project), answers_of(catalog)
        assert told(find._database) == told(anew)


def rewrite(checkout: Checkout) -> None:
    checkout.change(checkout.fading, "Fading Out", "Drowning Out")


def rewrite_alike(checkout: Checkout) -> None:
    """As many bytes, in the same instant, for all that the modification time says."""
    state = checkout.fading.stat()
    checkout.change(checkout.fading, "Fading Out", "Hiding Out")
    os.utime(checkout.fading, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert checkout.fading.stat().st_size == state.st_size


def back_in_time(checkout: Checkout) -> None:
    checkout.change(checkout.fading, "Fading Out", "Hiding Out")
    os.utime(checkout.fading, (0, 0))


def rename(checkout: Checkout) -> None:
    checkout.fading.rename(checkout.fading.with_name("lindqvist2031gentle.yaml"))


def swap(checkout: Checkout) -> None:
    """Two files of one size and one time change their names."""
    names = [checkout.add(*more(number)) for number in (1, 2)]
    settle(checkout)
    remembered(checkout)
    aside = names[0].with_suffix(".aside")
    names[0].rename(aside)
    names[1].rename(names[0])
    aside.rename(names[1])


def delete(checkout: Checkout) -> None:
    checkout.gardens.unlink()


def restore(checkout: Checkout) -> None:
    text = checkout.fading.read_bytes()
    checkout.fading.unlink()
    remembered(checkout)
    checkout.fading.write_bytes(text)


def replace_by_copy(checkout: Checkout) -> None:
    """A file that another one is copied over with its times, as `cp -p` and `rsync` do."""
    other = checkout.add("other", FADING.replace("Fading Out", "Hiding Out"))
    shutil.copystat(checkout.fading, other)
    other.replace(checkout.fading)


def break_one(checkout: Checkout) -> None:
    checkout.change(checkout.fading, "type: method", "type: methode")


def take_an_id(checkout: Checkout) -> None:
    checkout.add("papers/2031/lindqvist2031fade.yaml", FADING.replace("summary: >-", "summary: |-"))


def link(checkout: Checkout) -> None:
    (checkout.root / "papers/2031/link.yaml").symlink_to(checkout.gardens)


def stray(checkout: Checkout) -> None:
    checkout.add("papers/2031/notes.txt", "x")


def change_a_vocabulary(checkout: Checkout) -> None:
    shutil.copytree(REPOSITORY / "catalog/vocabularies", checkout.root / "catalog/vocabularies")
    path = checkout.root / "catalog/vocabularies/dataset.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("label: TOFU", "label: TOFUU", 1), encoding="utf-8")


def change_what_runs(checkout: Checkout) -> None:
    checkout.change(
        checkout.root / "reference_impls/methods/gradient_ascent/fade.py", "Fading out (Fade)", "Fading out (Fader)"
    )


def move(checkout: Checkout) -> None:
    checkout.add("catalog/redirects.yaml", "moved:\n  quilter2031old: lindqvist2031fading\n")


def with_navigation(checkout: Checkout) -> None:
    checkout.add("site/mkdocs.yml", "nav:\n  - Authors: authors.md\n  - Lineage: lineage.md\n")
    step = "- {id: first, title: First, audience: Anybody., steps: [{page: authors, why: They wrote it.}]}\n"
    checkout.add("site/reading-paths.yaml", step)


def lose_a_page(checkout: Checkout) -> None:
    with_navigation(checkout)
    agree(checkout)
    checkout.change(checkout.root / "site/mkdocs.yml", "  - Authors: authors.md\n", "")


def find_a_page(checkout: Checkout) -> None:
    lose_a_page(checkout)
    agree(checkout)
    with_navigation(checkout)


RESULTS = "reference_impls/results/gardens/tiny"


def leave_what_a_mac_leaves(checkout: Checkout) -> None:
    beside = (
        f"{RESULTS}/._fade-0.json",
        "reference_impls/tasks/gardens/._search.json",
        "reference_impls/methods/gradient_ascent/._fade.py",
        "catalog/vocabularies/._family.yaml",
        "site/._glossary.yaml",
    )
    for name in beside:
        checkout.add(name, b"\0\5\x16\7")


def a_folder_for_a_result(checkout: Checkout) -> None:
    (checkout.root / f"{RESULTS}/fade-0.json").mkdir(parents=True)


def a_link_to_nothing(checkout: Checkout) -> None:
    checkout.add(f"{RESULTS}/fade-0.json", "{}")
    agree(checkout)
    (checkout.root / f"{RESULTS}/fade-0.json").unlink()
    (checkout.root / f"{RESULTS}/fade-0.json").symlink_to("nothing.json")


def a_link_to_a_folder(checkout: Checkout) -> None:
    checkout.add("elsewhere/tiny/fade-0.json", "{}")
    (checkout.root / "reference_impls/results").mkdir(parents=True)
    (checkout.root / "reference_impls/results/gardens").symlink_to(checkout.root / "elsewhere")
    (checkout.root / "reference_impls/tasks/other").symlink_to(checkout.root / "reference_impls/tasks/gardens")
    agree(checkout)
    checkout.add("elsewhere/tiny/fade-0.json", "[]")


def add_words(checkout: Checkout) -> None:
    """`backdoor` and `gpt4` are written in one by a paper that comes later than those that write them in two."""
    checkout.add(*more(1))
    remembered(checkout)
    checkout.add(*more(3, "backdoor and GPT-4"))


def take_words(checkout: Checkout) -> None:
    add_words(checkout)
    agree(checkout)
    (checkout.root / more(3)[0]).unlink()


CHANGES = (
    rewrite, rewrite_alike, back_in_time, rename, swap, delete, restore, replace_by_copy, break_one, take_an_id, link,
    stray, change_a_vocabulary, change_what_runs, move, add_words, take_words, lose_a_page, find_a_page,
    leave_what_a_mac_leaves, a_folder_for_a_result, a_link_to_nothing, a_link_to_a_folder,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_nothing_that_is_kept_outlives_a_change(change: Callable[[Checkout], None], checkout: Checkout) -> None:
    settle(checkout)
    finder(checkout.project)
    change(checkout)
    agree(checkout)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(["backdoor", "GPT-4", "fade-in", "gardens", "back door"]), st.booleans()
        ),
        min_size=2,
        max_size=6,
    )
)
def test_whatever_comes_and_goes(checkout: Checkout, steps: list[tuple[int, str, bool]]) -> None:
    for number, word, there in steps:
        name, text = more(number, word)
        if there:
            checkout.add(name, text)
        else:
            (checkout.root / name).unlink(missing_ok=True)
        find = finder(checkout.project)
    assert told(find._database) == told(answers_of(checkout.catalog()))


def test_a_run_reads_only_what_changed(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(checkout)
    remembered(checkout)
    rewrite(checkout)
    read: list[str] = []

    def note(stem: str, *_: object) -> tuple[None, list[Problem]]:
        read.append(stem)
        return None, []

    monkeypatch.setattr("catalog.reading.load._record", note)
    load_catalog(checkout.project, kept=Kept(checkout.project))
    assert read == ["lindqvist2031fading"]


def state(path: Path, changed: int) -> tuple[str, str, os.stat_result]:
    """A file whose times say that it was changed then; the true ones cannot be set."""
    path.touch()
    true = path.stat()
    fields = (*true[:7], changed // 10**9, changed // 10**9, changed // 10**9)
    return "one", str(path), os.stat_result(fields, {"st_mtime_ns": changed, "st_ctime_ns": changed})


@pytest.mark.parametrize("since", [0, 1, INSTANT])
def test_a_file_of_the_same_instant_is_read_again(since: int, tmp_path: Path) -> None:
    path, now = tmp_path / "one", 10**18
    path.write_text("old")
    before = look([state(path, now - since)], NONE, now)
    path.write_text("new")
    after = look([state(path, now - since)], before, now + INSTANT)
    assert after.seen["one"].digest != before.seen["one"].digest
    assert after.new


def test_a_file_of_a_time_long_past_is_not_read_again(tmp_path: Path) -> None:
    path, now = tmp_path / "one", 10**18
    path.write_text("old")
    before = look([state(path, now - INSTANT - 1)], NONE, now)
    path.write_text("new")
    after = look([state(path, now - INSTANT - 1)], before, now + 1)
    assert after.seen == before.seen
    assert not after.new


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[1, []]", '[1, {"one": [1, 2]}]', '["x", {}]'])
def test_a_manifest_of_another_version_is_none(text: str) -> None:
    assert from_text(text) == NONE


def test_nothing_is_believed_that_a_later_clock_says(tmp_path: Path) -> None:
    path, now = tmp_path / "one", 10**18
    path.write_text("old")
    before = look([state(path, now - 10 * INSTANT)], NONE, now)
    path.write_text("new")
    after = look([state(path, now - 10 * INSTANT)], before, now - 1)
    assert after.seen["one"].digest != before.seen["one"].digest


def test_the_clock_may_stand_anywhere(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    for year in (2100, 1970, 2000, 2100):
        monkeypatch.setattr("catalog.reading.kept.time.time_ns", lambda year=year: (year - 1970) * 31_556_952 * 10**9)
        checkout.change(checkout.fading, "with every step", f"with every step of {year}")
        agree(checkout)
        checkout.change(checkout.fading, f"with every step of {year}", "with every step")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def flip(path: Path) -> None:
    """Other letters within, such as a database would not notice."""
    data = path.read_bytes()
    path.write_bytes(data.replace(b"Fading Out", b"Hiding Out").replace(b"fading", b"hiding"))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [cut, empty, garbage, flip, Path.unlink, folder])
def test_a_damaged_memory_is_none(damage: Callable[[Path], None], checkout: Checkout, run: Run) -> None:
    right = [run("show", "lindqvist2031fading"), run("search", "fading"), run("validate")]
    kept = sorted((checkout.root / FOLDER).glob("*.sqlite"))
    assert len(kept) == 2
    for path in kept:
        damage(path)
    assert [run("show", "lindqvist2031fading"), run("search", "fading"), run("validate")] == right
    if damage is not folder:
        assert Kept(checkout.project).verdict is not None, "it is there again"


def test_where_nothing_can_be_kept_all_works(checkout: Checkout, run: Run) -> None:
    (checkout.root / ".cache").write_text("no folder")
    assert run("show", "lindqvist2031fading").status == 0
    assert "Fading Out" in run("search", "fading").out
    assert run("validate").err.strip().endswith("records: no problems.")
    assert (checkout.root / ".cache").read_text() == "no folder"


def test_git_ignores_what_is_kept(tmp_path: Path) -> None:
    assert write_sealed(tmp_path / "new" / "kept.sqlite", "1", lambda database: None, goes_on=False)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    said = subprocess.run(["git", "status", "--porcelain"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == ""


def test_writers_and_readers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    wrong: list[object] = []

    def write(number: int) -> None:
        def fill(database: sqlite3.Connection) -> None:
            database.execute("CREATE TABLE IF NOT EXISTS one (value)")
            database.execute("DELETE FROM one")
            database.executemany("INSERT INTO one VALUES (?)", [(number,)] * 500)

        for turn in range(8):
            write_sealed(path, "1", fill, goes_on=bool(turn % 2))
            if found := open_sealed(path, "1"):
                values = found.execute("SELECT DISTINCT value, count(*) FROM one GROUP BY value").fetchall()
                found.close()
                wrong.extend(values if len(values) != 1 or values[0][1] != 500 else [])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert open_sealed(path, "1") is not None
    assert open_sealed(path, "2") is None
    assert [left.name for left in tmp_path.iterdir()] == ["kept.sqlite"]


def test_what_killed_writers_left_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    old, young = tmp_path / ".kept.sqlite.1-2-0.part", tmp_path / ".kept.sqlite.1-3-0.part"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    assert write_sealed(path, "1", lambda database: None, goes_on=False)
    assert sorted(left.name for left in tmp_path.iterdir()) == [young.name, path.name]


def test_a_write_that_fails_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.sqlite"
    assert write_sealed(path, "1", lambda database: None, goes_on=False)

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("catalog.base.sealed.os.replace", fails)
    assert not write_sealed(path, "1", lambda database: None, goes_on=True)
    assert [left.name for left in tmp_path.iterdir()] == [path.name]
    assert open_sealed(path, "1") is not None


def test_a_file_that_changes_while_it_is_read_is_not_kept(checkout: Checkout) -> None:
    settle(checkout)
    kept = Kept(checkout.project)
    rewrite(checkout)
    load_catalog(checkout.project, kept=kept)
    assert not (checkout.root / FOLDER).exists()
    agree(checkout)


def outputs(checkout: Checkout) -> dict[str, bytes]:
    return {
        path.relative_to(checkout.root).as_posix(): path.read_bytes()
        for path in sorted(checkout.root.rglob("*"))
        if path.is_file() and path.parts[len(checkout.root.parts)] in ("build", "lists", "README.md", "catalog")
    }


@pytest.mark.parametrize(
    "change", ["nothing", "a record", "a template", "an output", "no output", "another list", "an output alike"]
)
def test_a_build_that_stands_is_the_one_that_would_be_made(change: str, checkout: Checkout, run: Run) -> None:
    first = run("build")
    right = outputs(checkout)
    settle(checkout)
    output = checkout.root / "build/exports/papers.bib"
    if change == "a record":
        rewrite(checkout)
    elif change == "a template":
        (checkout.root / "templates/readme.md.j2").write_text("# Another\n", encoding="utf-8")
    elif change == "an output":
        output.write_text("", encoding="utf-8")
    elif change == "an output alike":
        state = output.stat()
        output.write_bytes(output.read_bytes().replace(b"Fading", b"Hiding"))
        os.utime(output, ns=(state.st_atime_ns, state.st_mtime_ns))
    elif change == "no output":
        output.unlink()
    elif change == "another list":
        page = next(name for name in right if name.startswith("lists/"))
        checkout.add("lists/old.md", right[page])
    again = run("build")
    if change in ("a record", "a template"):
        shutil.rmtree(checkout.root / ".cache")
        found = outputs(checkout)
        assert found != right
        run("build")
        assert outputs(checkout) == found
    else:
        assert outputs(checkout) == right
        assert again == first
    assert run("build").err == again.err


def test_a_build_with_nothing_to_do_makes_nothing(
    checkout: Checkout, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("build")
    monkeypatch.setattr("catalog.outputs.build.build", None)
    assert run("build") == first


OPENED: list[str] = []


def test_every_file_that_is_read_is_an_input(checkout: Checkout) -> None:
    shutil.copytree(REPOSITORY / "catalog/vocabularies", checkout.root / "catalog/vocabularies")
    move(checkout)
    for name in ("claims.yaml", "metrics/metrics.yaml"):
        checkout.add(f"reference_impls/{name}", (REPOSITORY / "reference_impls" / name).read_bytes())
    for path in (REPOSITORY / "site").glob("*.y*ml"):
        checkout.add(f"site/{path.name}", path.read_bytes())
    for name in ("search", "pools"):
        checkout.add(f"reference_impls/tasks/gardens/{name}.json", "{}")
    result = min((REPOSITORY / "reference_impls/results").rglob("*.json"))
    checkout.add("reference_impls/results/gardens/tiny/fade.json", result.read_bytes())
    named = set(Kept(checkout.project).manifest.seen)
    listen(True)
    load_catalog(checkout.project)
    listen(False)
    read = {Path(path).relative_to(checkout.root).as_posix() for path in OPENED if path.startswith(str(checkout.root))}
    assert len(read) > 15
    assert "site/mkdocs.yml" in read
    assert read <= named


def test_every_file_that_is_read_of_the_repository_is_an_input() -> None:
    project = Project(REPOSITORY)
    named = {path for _, path, _ in (*record_files(project), *context_files(project))}
    listen(True)
    load_catalog(project)
    listen(False)
    read = {path for path in OPENED if path.startswith(f"{REPOSITORY}/")}
    assert len(read) > 1000
    assert read <= named


def listen(on: bool) -> None:
    """Note every file that is opened; a hook cannot be taken away, and so stays, deaf."""
    if on:
        OPENED.clear()

    def heard(event: str, given: tuple[object, ...]) -> None:
        if LISTENING and event == "open" and isinstance(given[0], str):
            OPENED.append(given[0])

    if not LISTENING:
        sys.addaudithook(heard)
    LISTENING[:] = [True] if on else []


LISTENING: list[bool] = []


def test_checks_that_look_at_one_record_find_the_same_in_many(checkout: Checkout) -> None:
    checkout.add(
        "papers/2031/wrong2030name.yaml",
        FADING.replace("venue: {id: collas, year: 2032}", "venue: {id: collass, year: 2042}")
        .replace("Fading Out", "FADING OUT  -- `X`")
        .replace("[gradient-ascent]", "[gradient-ascent, gradient-ascent, nothing]")
        .replace("id: fade", "id: fadee"),
    )
    vocabularies, _ = read_vocabularies(checkout.project.vocabularies, checkout.root)
    running, _ = read_implementations(checkout.project.reference_impls, checkout.root)
    whole = Corpus(tuple(read_entries(checkout.project)), tuple(running), vocabularies=vocabularies)
    apart = [problem for entry in whole.entries for problem in run_checks(replace(whole, entries=(entry,)), alone=True)]
    together = run_checks(whole, alone=True)
    assert sorted(together) == sorted(apart)
    assert len({problem.code for problem in together}) > 4
    assert {check.alone for check in ALL_CHECKS} == {True, False}


def test_papers_come_out_as_they_went_in() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "papers").glob("*/*.yaml"))}
    # One for each field that a record may have, and some more.
    chosen = {next((path for path in texts if f"\n{name}:" in texts[path]), None) for name in Paper.model_fields}
    for path in (*sorted(path for path in chosen if path), *list(texts)[::50]):
        entry, _ = read_record(path, path.relative_to(REPOSITORY).as_posix())
        assert entry is not None
        again = unpack(Paper, json.loads(json.dumps(pack(entry.paper))))
        assert again == entry.paper
        assert list(again.__dict__) == list(entry.paper.__dict__)
        assert again.model_dump_json() == entry.paper.model_dump_json()
        assert hash(again) == hash(entry.paper)


def test_looking_up_needs_no_schema_and_no_yaml(checkout: Checkout, run: Run) -> None:
    assert run("show", "lindqvist2031fading").status == 0
    script = (
        "import sys; from catalog.cli import main\n"
        "for words in (['show', 'lindqvist2031fading'], ['search', 'fade'], ['validate']):\n"
        "    sys.argv = ['catalog', *words]\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        "heavy = {'yaml', 'catalog.model.paper', 'catalog.reading.load', 'jinja2', 'requests'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=checkout.root, capture_output=True, text=True, check=True)
    assert "Fading Out" in done.stdout
    assert done.stdout.splitlines()[-1] == ""
