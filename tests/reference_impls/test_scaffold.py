"""``unlearn new``, as a contributor uses it: what it writes runs, is shown, and passes every check."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from catalog.base.files import write_whole
from catalog.base.project import Project
from catalog.model.implementations import read_implementations
from catalog.reading.load import load_catalog
from reference_impls.commands import scaffold
from reference_impls.commands.scaffold import KINDS, add
from reference_impls.errors import UsageError
from reference_impls.running.registry import PACKAGE

ROOT = PACKAGE.parent
NAME = "moonlit-example"
PAPERS = {"method": "zhang2024negative", "attack": "hu2024unlearning", "task": "maini2024tofu"}


def copy_checkout(folder: Path) -> Path:
    """All of the checkout that an addition touches, and what its tests import."""
    for name in ("papers", "templates", "reference_impls", "tests/reference_impls"):
        # Claims are about results, and say nothing without them.
        ignored = shutil.ignore_patterns("results", "claims.yaml", "__pycache__", "test_*.py", "published_logs")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "tests/reference_impls/test_method_interface.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "site").mkdir()
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path / "checkout")


def python(checkout: Path, *words: str) -> str:
    """What a command prints inside the copy; it has to end well."""
    environment = {**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, *words], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_added_is_read_and_linked_without_a_problem(kind: str, checkout: Path) -> None:
    files = add(kind, NAME, PAPERS.get(kind), root=checkout)
    assert all((checkout / file).is_file() for file in files)
    catalog, problems = load_catalog(Project(checkout))
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert catalog
    if kind != "metric":
        added = catalog.implementation_by_id[NAME]
        assert (added.kind, added.paper) == (kind, PAPERS[kind])
        assert ("introduces", catalog.by_id[PAPERS[kind]]) in catalog.papers_of[NAME]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_added_is_in_shape_and_its_test_passes(kind: str, checkout: Path) -> None:
    files = [file for file in add(kind, NAME, PAPERS.get(kind), root=checkout) if file.endswith(".py")]
    tests = [file for file in files if file.startswith("tests/")]
    tests += ["tests/reference_impls/test_method_interface.py"] if kind == "method" else []
    python(checkout, "-m", "ruff", "check", "--no-cache", *files)
    python(checkout, "-m", "ruff", "format", "--no-cache", "--check", *files)
    chosen = " or ".join((NAME, NAME.replace("-", "_")))
    python(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", chosen)


@pytest.mark.slow
def test_a_new_method_shows_its_effect_at_once(checkout: Path) -> None:
    add("method", NAME, PAPERS["method"], root=checkout)
    shutil.copytree(ROOT / "reference_impls/results", checkout / "reference_impls/results")
    words = ["-c", "import sys; from reference_impls.cli import main; sys.argv[0] = 'unlearn'; main()"]
    metrics = json.loads(python(checkout, *words, "run", NAME, "--json"))["metrics"]
    assert metrics["forget_probability"] < 0.7  # 0.96 before
    assert metrics["model_utility"] > 0.5  # 0.62 before


def test_a_method_goes_into_its_papers_family_or_the_one_that_is_named(checkout: Path) -> None:
    assert add("method", NAME, PAPERS["method"], root=checkout)[0] == (
        "reference_impls/methods/preference_optimization/moonlit_example.py"
    )
    # As if nothing of the family ran yet.
    shutil.rmtree(checkout / "reference_impls/methods/second_order")
    files = add("method", "other", PAPERS["method"], "second-order", root=checkout)
    assert "reference_impls/methods/second_order/__init__.py" in files
    found, problems = read_implementations(checkout / "reference_impls")
    assert not problems
    assert {one.id: one.family for one in found}["other"] == "second-order"


LINKS = st.lists(st.sampled_from(["npo", "idk", "dpo"]), unique=True, max_size=3)


@given(LINKS, st.sampled_from(["block", "flow", "empty", "none"]), st.booleans())
def test_the_record_links_to_the_addition_once_and_keeps_all_else(
    tmp_path_factory: pytest.TempPathFactory, links: list[str], form: str, comment: bool
) -> None:
    folder = tmp_path_factory.mktemp("records")
    items = [f"{{id: {link}, relation: related}}" for link in links]
    listed = {
        "block": "implementations:\n" + "".join(f"  - {item}\n" for item in items),
        "flow": f"implementations: [{', '.join(items)}]\n",
        "empty": "implementations: []\n",
        "none": "",
    }[form if links or form != "block" else "none"]
    expected = [] if form in ("empty", "none") else links
    remark = "# why these\n" if comment and listed else ""
    record = (
        "title: A Paper about Forgetting\nauthors: [Ada Doe]\ndate: 2031-01\ntype: method\nfamily: [relabeling]\n"
        f'links: {{url: "https://a.example/b"}}\n{remark}{listed}'
        "provenance: {source: web, checked: 2031-01-02}\n"
    )
    path = folder / "papers/2031/doe2031paper.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(record, encoding="utf-8")
    addition = scaffold.Addition(NAME, Project(folder), "doe2031paper")
    (text,) = scaffold._linked(addition, scaffold._paper(addition)).values()
    before, after = yaml.safe_load(record), yaml.safe_load(text)
    assert [one["id"] for one in after.pop("implementations")] == [*expected, NAME]
    before.pop("implementations", None)
    assert after == before
    assert ("# why these" in text) == bool(remark)


@pytest.mark.parametrize(
    "name", ["", "My-Method", "my_method", "my--method", "-a", "1st", "../up", "a b", "class", "é"]
)
def test_a_name_that_cannot_be_one_is_refused(name: str, checkout: Path) -> None:
    with pytest.raises(UsageError, match="cannot be an id"):
        add("method", name, PAPERS["method"], root=checkout)


def test_what_is_there_is_not_written_over(checkout: Path) -> None:
    npo = checkout / "reference_impls/methods/preference_optimization/npo.py"
    before = npo.read_text(encoding="utf-8")
    with pytest.raises(UsageError, match=r"npo\.py is there already"):
        add("method", "npo", PAPERS["method"], root=checkout)
    assert npo.read_text(encoding="utf-8") == before
    with pytest.raises(UsageError, match="defines 'relearning' already"):
        add("metric", "relearning", root=checkout)


def test_what_it_follows_has_to_be_there(checkout: Path) -> None:
    with pytest.raises(UsageError, match="--paper ID"):
        add("method", NAME, root=checkout)
    with pytest.raises(UsageError, match="Did you mean 'zhang2024negative'"):
        add("method", NAME, "zhang2024negativ", root=checkout)
    with pytest.raises(UsageError, match="Did you mean 'relabeling'"):
        add("method", NAME, PAPERS["method"], "relabelling", root=checkout)


def test_an_installed_package_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="added to a checkout"):
        add("method", NAME, PAPERS["method"], root=tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_all_or_nothing_is_written(kind: str, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def contents() -> dict[str, bytes]:
        return {path.as_posix(): path.read_bytes() for path in sorted(checkout.rglob("*")) if path.is_file()}

    before, count, write = contents(), 0, write_whole

    def fails_late(path: Path, content: str | bytes) -> bool:
        nonlocal count
        count += 1
        if count == 2:
            raise OSError(28, "No space left on device", str(path))
        return write(path, content)

    monkeypatch.setattr(scaffold, "write_whole", fails_late)
    with pytest.raises(UsageError, match=r"No space left on device\. Nothing was added"):
        add(kind, NAME, PAPERS.get(kind), root=checkout)
    assert contents() == before
