"""What reads text of strangers, with what it promises whatever the text: no crash, and nothing accepted with a loss.

A target is called with any bytes and raises where the promise is broken. Hypothesis and the corpus try every target in
the tests; ``fuzz.py`` lets a coverage-guided fuzzer look for bytes that break one.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import rispy
from markdown_it import MarkdownIt
from pydantic import BaseModel
from small_checkout import GARDENS, REPOSITORY, small_checkout

from catalog.base.names import in_reading_order
from catalog.base.project import Project
from catalog.base.text import unfit
from catalog.base.web.errors import WebError
from catalog.intake.forms import Form, IssueError, issue_text, read_answers, read_forms
from catalog.intake.sources.lookup import read_saved
from catalog.intake.sources.reference import references
from catalog.model import discovery
from catalog.model.claims import read_claims
from catalog.model.discovery import DiscoveryFile, read_discovery
from catalog.model.guide import read_guide
from catalog.model.metrics import read_metrics
from catalog.model.paper import Paper
from catalog.model.pasted import read_pasted
from catalog.model.redirects import read_redirects
from catalog.model.results import read_results
from catalog.model.trials import read_trials
from catalog.model.vocabulary import read_vocabularies
from catalog.outputs.answers.filling import answers_of
from catalog.outputs.answers.finding import Finder
from catalog.outputs.export import bibtex, csl, records, ris, table
from catalog.outputs.readme.lines import title as title_in_markdown
from catalog.outputs.site.feeds import Feed, Feeds, feed_files
from catalog.outputs.site.formulas import FormulaError, to_mathml
from catalog.outputs.site.markdown import inline
from catalog.parsing.problems import Problem, render
from catalog.reading.fmt import format_record
from catalog.reading.load import load_catalog, read_record
from reference_impls.errors import UsageError
from reference_impls.tasks import rows
from reference_impls.tasks.tables import read_rows

CORPUS = Path(__file__).with_name("corpus")
FILE = "papers/2031/lindqvist2031fading.yaml"


@dataclass(frozen=True)
class Target:
    """One reader of text, and its promise."""

    name: str
    promise: str
    keep: Callable[[bytes], None]
    """Raises where the promise is broken."""
    seeds: Callable[[], list[bytes]] = field(default=lambda: [])
    """What it is made to read, to begin with."""


TARGETS: dict[str, Target] = {}


def target(promise: str, *seeds: Path | str) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    """Enter a function in `TARGETS`, under its name.

    Args:
        promise: what holds for any bytes.
        seeds: texts that it reads, or files and folders of the repository that hold such.
    """

    def entered(function: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def read() -> list[bytes]:
            found: list[bytes] = []
            for seed in seeds:
                if isinstance(seed, str):
                    found.append(seed.encode())
                else:
                    paths = sorted(path for path in seed.rglob("*") if path.is_file()) if seed.is_dir() else [seed]
                    found += [path.read_bytes() for path in paths[:40]]
            return found

        name = function.__name__.removeprefix("_").replace("_", "-")
        TARGETS[name] = Target(name, promise, function, read)
        return function

    return entered


def seeds_and_corpus(name: str) -> list[bytes]:
    """All that is known to be worth reading: what the target is made for, and what once broke something."""
    folder = CORPUS / name
    kept = sorted(folder.iterdir()) if folder.is_dir() else []
    return [*TARGETS[name].seeds(), *(path.read_bytes() for path in kept)]


@cache
def scratch(name: str) -> Project:
    """A small checkout that may be written to."""
    return small_checkout(Path(tempfile.mkdtemp(prefix=f"fuzzing-{name}-"))).project


def forget_scratch() -> None:
    """Remove what was written."""
    for name in TARGETS:
        shutil.rmtree(scratch(name).root, ignore_errors=True)
    scratch.cache_clear()


def written(at: Project, name: str, data: bytes) -> Path:
    """A file of a checkout that holds the data."""
    path = at.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def text_of(data: bytes) -> str:
    """The data as whoever types or pastes sends it."""
    return data.decode("utf-8", errors="replace")


def check_places(problems: list[Problem]) -> None:
    """Every problem says where it is, and can be printed in each way."""
    for problem in problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message
    render(problems, "text")
    render(problems, "github")
    json.loads(render(problems, "json"))


@contextmanager
def refusing(*errors: type[Exception]) -> Iterator[None]:
    """What reads may refuse, with one of these errors and a sentence."""
    try:
        yield
    except errors as error:
        if not str(error):
            raise


# Records ------------------------------------------------------------------------------------------------


@target(
    "a record is read or has a problem with its place; one that is read holds nothing that cannot be seen, is laid out "
    "without a loss, and comes back whole from every format and every feed",
    GARDENS,
    GARDENS.replace("Gardens: A", "G\\x9bar\\u3164dens\\uffff:\\ue000 A\\0").replace(
        "Béla Müller", '"Plato, Jr.", X AND Wang'
    ),
    GARDENS.replace("https://example.org/gardens", '"https://example.org/\\x1b]0;\\u202e"'),
    REPOSITORY / "papers/2024",
)
def _record(data: bytes) -> None:
    path = written(scratch("record"), FILE, data)
    entry, problems = read_record(path, FILE)
    check_places(problems)
    if entry is None or any(problem.severity == "error" for problem in problems):
        assert any(problem.severity == "error" for problem in problems)
        return
    laid_out, refused = format_record(path, FILE)
    check_places(refused)
    assert (laid_out is None) == bool(refused)
    if laid_out is not None:
        again, _ = read_record(written(scratch("record"), FILE, laid_out.encode()), FILE)
        assert again is not None
        assert again.paper == entry.paper, "laid out, the record says something else"
        assert format_record(path, FILE)[0] == laid_out, "laid out twice, it is not as after once"
    check_seen(entry.paper)
    check_formats(entry.paper)
    check_feeds(entry.paper)


def check_seen(value: object) -> None:
    """Of what was read, every text can be seen, and every number is one."""
    for part in parts_of(value):
        if isinstance(part, str):
            assert not unfit(part), ascii(part)
        if isinstance(part, int | float):
            assert abs(part) < 2**63 or isinstance(part, float)
            assert math.isfinite(part)


def parts_of(value: object) -> Iterator[object]:
    """All that something consists of."""
    if isinstance(value, BaseModel):
        value = dict(value)
    elif is_dataclass(value) and not isinstance(value, type):
        value = {one.name: getattr(value, one.name) for one in fields(value)}
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from (*parts_of(key), *parts_of(part))
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from parts_of(part)
    else:
        yield value


def check_feeds(paper: Paper) -> None:
    """Every feed with a paper in it is what its format asks for, and says the title and the people."""
    everything = Feed("feed", "", (paper,))
    for path, text in feed_files(Feeds(everything, (), {}), "https://example.org/"):
        if path.endswith(".json"):
            (item,) = json.loads(text, parse_constant=refuse)["items"]
            assert (item["title"], [one["name"] for one in item["authors"]]) == (paper.title, [*paper.authors])
            continue
        told = ElementTree.fromstring(text)
        assert paper.title in [one.text for one in told.iter() if one.tag.rpartition("}")[2] == "title"]
        if "rss" not in path:
            named = [one.text for one in told.iter() if one.tag.rpartition("}")[2] == "name"]
            assert named[1:] == [*paper.authors]


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def letters(name: str) -> list[str]:
    """A name whatever the order of its parts."""
    return sorted(re.sub("[ ,]", "", name))


def unquoted(text: str) -> str:
    """Without its quotes, of which BibTeX knows none that neither open nor close; two hyphens are a dash to it, and
    readers take a tilde for a space."""
    return re.sub("-{2,3}|[–—]+-?", "–", re.sub("[\"'“”‘’`]", "", text).replace("~", " "))


def check_formats(paper: Paper) -> None:
    """Every format gives back what went in."""
    (row,) = csv.DictReader(io.StringIO(table.render([paper])))
    assert row["title"].removeprefix("'") == paper.title.removeprefix("'")
    assert all(not cell or cell[0] not in "=+-@\t\r" for cell in row.values()), "a spreadsheet would compute it"
    (cited,) = rispy.loads(ris.render([paper]))
    assert cited["title"] == paper.title
    assert [*map(letters, cited["authors"])] == [*map(letters, paper.authors)], (cited["authors"], paper.authors)
    (item,) = json.loads(csl.render([paper]))
    assert item["title"] == paper.title
    assert [letters(" ".join(one.values())) for one in item["author"]] == [*map(letters, paper.authors)], item["author"]
    assert json.loads(records.render([paper]))[0]["title"] == paper.title
    entry = bibtex.render([paper])
    if entry and 1900 <= paper.year < 2100:  # other years are no papers'
        (found,) = read_saved(entry.encode(), "an export")
        assert unquoted(found.title) == unquoted(paper.title), (found.title, paper.title)
        said, meant = ([*map(unquoted, map(in_reading_order, names))] for names in (found.authors, paper.authors))
        assert said == meant, (found.authors, paper.authors)
    line = title_in_markdown(paper)
    assert "\n" not in line
    shown = "".join(
        child.content
        for token in MarkdownIt("gfm-like", {"linkify": False}).parse(line)
        for child in token.children or ()
        if child.type in ("text", "text_special")
    )
    assert shown == paper.title, "a list of papers shows another title"


# What people type and paste -----------------------------------------------------------------------------


@cache
def finder() -> Finder:
    catalog, problems = load_catalog(scratch("query"))
    assert catalog is not None, render(problems)
    return Finder(answers_of(catalog))


@target(
    "any words are a query, without a special meaning for the database; what they find is there",
    "negative preference ICLR 2025",
    "https://arxiv.org/abs/3104.01234v2",
    '"fading" NOT title:x* OR -a ^b NEAR(c d)',
    "'; DROP TABLE paper; --",
)
def _query(data: bytes) -> None:
    text = text_of(data)
    answer = finder()(text)
    assert {*answer.papers, *answer.others} <= {"lindqvist2031fading", "okonkwo2032gardens"}
    assert finder().ids() == ["lindqvist2031fading", "okonkwo2032gardens"]
    read_pasted(text)


@target(
    "a list of references is taken apart",
    "arXiv:2404.05868\n10.18653/v1/2024.acl-long.1\n# a comment\nhttps://openreview.net/forum?id=abcdefghij\n",
    "@inproceedings{a, title={B}, author={C and D}, year={2024}, eprint={2404.05868}}",
)
def _references(data: bytes) -> None:
    found = references(text_of(data))
    assert all(paper.kind and paper.id for paper in found.papers)
    assert len(set(found.papers)) == len(found.papers)


@target(
    "an issue is answered, or refused with a sentence",
    REPOSITORY / ".github/ISSUE_TEMPLATE",
    '{"issue": {"body": "### A\\n\\nb"}}',
)
def _issue(data: bytes) -> None:
    with refusing(IssueError):
        form, answers = read_answers(issue_text(text_of(data)), forms())
        assert form in forms()
        assert all(isinstance(answer, str) for answer in answers.values())


@cache
def forms() -> list[Form]:
    return read_forms(Project(REPOSITORY))


# What sources say ---------------------------------------------------------------------------------------


@target(
    "an answer of a source gives papers that have a title, or is refused with a sentence",
    '{"notes": [{"id": "a", "content": {"title": {"value": "B"}, "authors": {"value": ["C D"]}}, "cdate": 1}]}',
    '{"message": {"DOI": "10.1/a", "title": ["B"], "author": [{"given": "C", "family": "D"}]}}',
    "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>http://arxiv.org/abs/3104.01234v1</id></entry></feed>",
    "@article{a, title={B}, author={C, D and {E F}}, year={2024}, month=jan}",
)
def _source(data: bytes) -> None:
    with refusing(WebError):
        assert all(one.title for one in read_saved(data, "an answer"))


# Data files ---------------------------------------------------------------------------------------------

DATA_FILES: Mapping[str, tuple[str, Callable[[Project], tuple[object, list[Problem]]]]] = {
    "claims": ("reference_impls/claims.yaml", lambda at: read_claims(at.root / "reference_impls", at.root)),
    "metrics": ("reference_impls/metrics/metrics.yaml", lambda at: read_metrics(at.root / "reference_impls", at.root)),
    "trials": (
        "reference_impls/tasks/gardens/search.json",
        lambda at: read_trials(at.root / "reference_impls", at.root),
    ),
    "results": (
        "reference_impls/results/gardens/tiny/fade-0.json",
        lambda at: read_results(at.root / "reference_impls/results", at.root),
    ),
    "redirects": ("catalog/redirects.yaml", read_redirects),
    "discovery": (
        "catalog/discovery.yaml",
        lambda at: read_discovery(at.root / discovery.FILE, discovery.FILE, DiscoveryFile),
    ),
    "glossary": ("site/glossary.yaml", lambda at: read_guide(at.root / "site", at.root)),
    "vocabulary": (
        "catalog/vocabularies/family.yaml",
        lambda at: read_vocabularies(at.root / "catalog/vocabularies", at.root),
    ),
}
"""Where each is, and who reads it."""


def _data_file(name: str) -> None:
    file, read = DATA_FILES[name]

    def keep(data: bytes) -> None:
        written(scratch(name), file, data)
        read_data, problems = read(scratch(name))
        check_places(problems)
        if not any(problem.severity == "error" for problem in problems):
            check_seen(read_data)

    keep.__name__ = name
    special: dict[str, Path | str] = {
        "trials": '{"fade": [{"settings": {"learning_rate": 0.1}, "score": 0.5, "metrics": {"model_utility": 0.4}}]}',
        "results": REPOSITORY / "reference_impls/results/authors/tiny/target-0.json",
    }
    target(f"{file} is read, or has problems with their places", special.get(name, REPOSITORY / file))(keep)


for _name in DATA_FILES:
    _data_file(_name)


@target(
    "rows of a user's data are examples, or refused with their places",
    '{"question": "Who?", "answer": "Ann."}\n{"text": "A passage."}\n',
    '[{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}]',
    '{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "subject": 1}\n',
)
def _rows(data: bytes) -> None:
    path = written(scratch("rows"), "forget.jsonl", data)
    with refusing(UsageError):
        for _, row in read_rows("forget", path, rows.problem, rows.FORM):
            rows.read(row)


# What pages show ----------------------------------------------------------------------------------------


@target(
    "a formula is well-formed MathML in one line, or refused with the formula",
    r"\mathcal{L} = -\log \pi_\theta(y \mid x)",
    r"\frac{2}{\beta} \mathbb{E}\left[\log \sigma\left(-\beta \log \frac{a}{b}\right)\right]",
    r"\text{<script>alert(1)</script>} < \textbf{<mi onclick='x'>}",
)
def _formula(data: bytes) -> None:
    with refusing(FormulaError):
        made = to_mathml(text_of(data))
        assert "\n" not in made
        tree = ElementTree.fromstring(made)
        assert tree.tag == "math"
        assert all(re.fullmatch("m[a-z]+", element.tag) for element in tree.iter())
        assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on")]


@target(
    "text of a record is shown as text, whatever it holds",
    "<script>alert(1)</script> *a* `b` $c$ [d](javascript:e)",
    '"><img src=x onerror=alert(1)> &lt; {{ 7*7 }}',
)
def _inline(data: bytes) -> None:
    text = " ".join(re.sub(r"[$`*]", "", text_of(data)).split())
    tree = html5lib.parseFragment(str(inline(text)), namespaceHTMLElements=False)
    assert not {element.tag for element in tree.iter() if isinstance(element.tag, str)} - {"DOCUMENT_FRAGMENT"}
