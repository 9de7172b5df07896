"""Each check finds what it is for, at the right place."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable

import pytest
from invented_results import invented_result
from small_checkout import FADING, METHOD, REPOSITORY, Checkout

from catalog.model.results import RESULTS
from catalog.parsing.problems import Problem
from catalog.reading.checks import ALL_CHECKS
from catalog.reading.codes import ALL_CODES

FADING_FILE, GARDENS_FILE = "papers/2031/lindqvist2031fading.yaml", "papers/2032/okonkwo2032gardens.yaml"
METHOD_FILE = "reference_impls/methods/gradient_ascent/fade.py"
RESULT_FILE = f"{RESULTS}/gardens/m/fad-0.json"


def fading(old: str, new: str) -> Callable[[Checkout], object]:
    return lambda checkout: checkout.change(checkout.fading, old, new)


def gardens(old: str, new: str) -> Callable[[Checkout], object]:
    return lambda checkout: checkout.change(checkout.gardens, old, new)


def twin(checkout: Checkout) -> None:
    checkout.add(METHOD_FILE.replace("gradient_ascent", "relabeling"), METHOD)


def of_one_name(checkout: Checkout) -> None:
    checkout.add(METHOD_FILE.replace("ascent/", "ascent/another_"), METHOD)


def elsewhere(checkout: Checkout) -> None:
    checkout.add(METHOD_FILE.replace("gradient_ascent", "gradient_descent"), METHOD)
    (checkout.root / METHOD_FILE).unlink()


def method(old: str, new: str) -> Callable[[Checkout], object]:
    return lambda checkout: checkout.change(checkout.root / METHOD_FILE, old, new)


def same_id(checkout: Checkout) -> None:
    text = FADING.replace("2031-04", "2031-05").replace("3104.01234", "3105.00001").replace("Fading Out", "Other")
    checkout.add("papers/2030/lindqvist2031fading.yaml", text)


def result(checkout: Checkout) -> None:
    row = {"method": "fad", "task": "gardens", "model": "m", "seed": 0, "hyperparameters": {}, "metrics": {}}
    row |= {"seconds": 1, "peak_memory_bytes": 1, "versions": {}, "command": "c"}
    checkout.add(RESULT_FILE, json.dumps(row))


def copied_result(checkout: Checkout) -> None:
    """As a file manager names it."""
    file = checkout.add(f"{RESULTS}/{invented_result(method='fade', task='gardens').file}", "")
    file.write_text(invented_result(method="fade", task="gardens").to_json(), encoding="utf-8")
    shutil.copy(file, file.with_name("fade-0 copy.json"))


def claim(checkout: Checkout) -> None:
    result(checkout)
    checkout.change(checkout.root / RESULT_FILE, '"method": "fad"', '"method": "fade"')
    checkout.change(checkout.root / RESULT_FILE, '"metrics": {}', '"metrics": {"utility": 0.5}')
    comparison = "{task: gardens, measure: utility, is: above, of: target}"
    text = f"- method: fad\n  claim: Fades.\n  paper: lindqvist2031fading\n  evidence:\n    - {comparison}\n"
    checkout.add("reference_impls/claims.yaml", text)


def two_trials(checkout: Checkout) -> None:
    claim(checkout)
    claims = checkout.root / "reference_impls/claims.yaml"
    checkout.change(claims, "method: fad", "method: fade")
    checkout.change(claims, "is: above", "at: {learning_rate: 0.1}, is: above")
    trials = [
        {"settings": {"learning_rate": 0.1, "weight": weight}, "score": 0, "metrics": {}} for weight in (1.0, 2.0)
    ]
    checkout.add("reference_impls/tasks/gardens/search.json", json.dumps({"fade": trials}))


def stale_number(checkout: Checkout) -> None:
    claim(checkout)
    claims = checkout.root / "reference_impls/claims.yaml"
    checkout.change(claims, "method: fad", "method: fade")
    checkout.change(claims, "  evidence:", "  why: It keeps 0.25.\n  evidence:")


def term(*ids: str, kept: str = "") -> str:
    kept = f"  kept: {kept}\n" if kept else ""
    return "".join(f"- id: {one}\n  label: {one}\n  definition: It is {one}.\n{kept}" for one in ids)


def only_used_terms(checkout: Checkout) -> None:
    """Vocabularies of the checkout's own, without a term too many."""
    terms = {
        "type": ("method", "benchmark"),
        "family": ("gradient-ascent", "relabeling"),
        "target": ("privacy", "factual-knowledge"),
        "setting": (),
        "modality": ("text",),
        "dataset": ("tofu", "wmdp"),
        "venue": ("collas",),
        "track": (),
        "technique": (),
    }
    for name, ids in terms.items():
        checkout.add(f"catalog/vocabularies/{name}.yaml", term(*ids) or "[]\n")


def orphan(checkout: Checkout) -> None:
    only_used_terms(checkout)
    checkout.add("catalog/vocabularies/dataset.yaml", term("tofu", "wmdp", "weeds"))


def homeless_track(checkout: Checkout) -> None:
    only_used_terms(checkout)
    checkout.change(checkout.fading, "year: 2032}", "year: 2032, track: findings}")
    checkout.add("catalog/vocabularies/track.yaml", term("findings") + "  named_at: [collas, colas]\n")


def two_names(checkout: Checkout) -> None:
    only_used_terms(checkout)
    text = term("tofu", "wmdp").replace("label: wmdp", "label: TOFU")
    checkout.add("catalog/vocabularies/dataset.yaml", text)


def one_summary(checkout: Checkout) -> None:
    text = "Lets what is to be forgotten fade with every step, and stops before anything else does."
    gardens("Asks about gardeners who do not exist, some of whom have to be forgotten.", text)(checkout)


ON_WMDP = {"benchmark": "wmdp", "metric": "mt-bench", "value": "7"}


def reports(*entries: dict[str, str]) -> Callable[[Checkout], object]:
    """Numbers that a paper reports, right but for what is changed in each."""
    right = {
        "benchmark": "tofu-forget10",
        "metric": "forget-quality",
        "model": "Llama-2-7B",
        "value": "0.5",
        "source": "Table 2",
    }
    lines = [", ".join(f"{key}: {value}" for key, value in (right | one).items()) for one in entries]
    text = "".join(f"  - {{{line}}}\n" for line in lines)
    return fading("implementations:", f"reported:\n{text}implementations:")


def reports_of_nothing(checkout: Checkout) -> None:
    reports({})(checkout)
    checkout.change(checkout.fading, "method:\n  name: Fade\n", "")
    checkout.change(checkout.fading, "  mechanism: Turns the loss around and lowers its weight as it grows.\n", "")


def namesakes(checkout: Checkout) -> None:
    text = FADING.replace("3104.01234", "3104.00001").replace("Fading Out", "Other").replace("Lets", "It lets")
    text = text.replace("Turns", "It turns").replace("introduces", "related").replace("Fade", "Lora-X")
    checkout.add("papers/2031/lindqvist2031other.yaml", text)
    checkout.add("papers/2031/lindqvist2031gentle.yaml", text.replace("00001", "00002").replace("Other", "Third"))
    checkout.change(checkout.gardens, "[fade]", "[lora-x]")


def lost_path(checkout: Checkout) -> None:
    steps = "\n    - {paper: lindqvist2031fading, why: First.}\n    - {method: fad, why: Then run it.}\n"
    checkout.add("site/reading-paths.yaml", f"- id: first\n  title: First\n  audience: Anybody.\n  steps:{steps}")


def lost_dataset(checkout: Checkout) -> None:
    only_used_terms(checkout)
    text = term("tofu", "wmdp") + "  paper: lindqvist2031fade\n"
    checkout.add("catalog/vocabularies/dataset.yaml", text)


# id: (change, file, line, part of message or hint)
ROWS: dict[str, tuple[Callable[[Checkout], object], str, int, str]] = {
    "duplicate-id": (same_id, FADING_FILE, 1, "papers/2030/lindqvist2031fading.yaml"),
    "id-year": (fading("2031-04", "2029-04"), FADING_FILE, 3, "says 2031"),
    "id-author": (fading("Åsa Lindqvist", "Someone Else"), FADING_FILE, 2, "Someone Else"),
    "wrong-folder": (fading("2031-04", "2030-04"), FADING_FILE, 3, "papers/2030/"),
    "duplicate-paper": (
        gardens('"Gardens: A Benchmark of Invented Gardeners"', "fading out gentle FORGETTING - for small models."),
        GARDENS_FILE,
        1,
        "papers/2031/lindqvist2031fading.yaml:1",
    ),
    "unknown-type": (gardens("also: [method]", "also: [methods]"), GARDENS_FILE, 5, "'method'"),
    "unknown-family": (gardens("[relabeling]", "[relabelling]"), GARDENS_FILE, 6, "'relabeling'"),
    "unknown-target": (fading("[privacy]", "[privac]"), FADING_FILE, 7, "'privacy'"),
    "unknown-setting": (fading("datasets:", "settings: [continuall]\ndatasets:"), FADING_FILE, 8, "'continual'"),
    "unknown-modality": (fading("datasets:", "modalities: [VLM]\ndatasets:"), FADING_FILE, 8, "'vision-language'"),
    "unknown-dataset": (gardens("tofu, wmdp", "tofu, wdmp"), GARDENS_FILE, 8, "'wmdp'"),
    "unknown-venue": (fading("id: collas", "id: colas"), FADING_FILE, 4, "'collas'"),
    "unknown-track": (fading("2032}", "2032, track: finding}"), FADING_FILE, 4, "'findings'"),
    "unknown-benchmark": (reports({"benchmark": "tofu-forget15"}), FADING_FILE, 18, "'tofu-forget10'"),
    "unknown-metric": (reports({"metric": "forget-qualty"}), FADING_FILE, 18, "'forget-quality'"),
    "metric-elsewhere": (reports({"metric": "privleak"}), FADING_FILE, 18, "muse-news"),
    "off-scale": (reports({"value": "50"}), FADING_FILE, 18, "from 0 to 1"),
    "reported-twice": (reports({}, {"value": "0.6"}), FADING_FILE, 19, "reported twice"),
    "reported-of-nothing": (reports_of_nothing, FADING_FILE, 15, "no method"),
    "reported-dataset": (
        reports({"benchmark": "wmdp", "metric": "mt-bench", "value": "7"}),
        FADING_FILE,
        18,
        "Add wmdp",
    ),
    "orphan-term": (orphan, "catalog/vocabularies/dataset.yaml", 7, "'weeds'"),
    "shared-name": (two_names, "catalog/vocabularies/dataset.yaml", 4, "'tofu'"),
    "track-of-unknown": (homeless_track, "catalog/vocabularies/track.yaml", 1, "'collas'"),
    "venue-year": (fading("year: 2032", "year: 2029"), FADING_FILE, 4, "first public in 2031"),
    "derived-doi": (
        fading("links:\n", "links:\n  doi: 10.48550/arXiv.3104.01234\n"),
        FADING_FILE,
        10,
        '"3104.01234"',
    ),
    "link-form": (
        gardens("https://example.org/gardens", "https://arxiv.org/abs/3201.00001"),
        GARDENS_FILE,
        10,
        "arxiv",
    ),
    "anthology-venue": (
        fading("links:\n", "links:\n  acl: 2032.findings-acl.1\n"),
        FADING_FILE,
        4,
        "{id: acl, year: 2032, track: findings}",
    ),
    "id-word": (fading("Fading Out: Gentle", "Gentle"), FADING_FILE, 1, "former_titles"),
    "long-summary": (gardens("Asks about", "word " * 50 + "asks about"), GARDENS_FILE, 11, "at most 60"),
    "same-text": (one_summary, GARDENS_FILE, 11, "papers/2031/lindqvist2031fading.yaml:12"),
    "odd-title": (gardens("Gardens: A", "Gardens:A"), GARDENS_FILE, 1, "as printed"),
    "odd-author": (gardens("Béla Müller", "Béla Müller et al"), GARDENS_FILE, 2, "no name"),
    "unknown-base": (gardens("[fade]", "[attention]"), GARDENS_FILE, 14, "technique.yaml"),
    "ambiguous-base": (namesakes, GARDENS_FILE, 14, "lindqvist2031other"),
    "closer-link": (
        gardens(
            "  - {id: gardens, relation: introduces}\n  - {id: fade, relation: uses}\n",
            "  - {id: gardens, relation: related}\n",
        ),
        GARDENS_FILE,
        16,
        "{id: fade, relation: extends}",
    ),
    "no-implementation": (
        gardens(
            "implementations:\n  - {id: gardens, relation: introduces}\n  - {id: fade, relation: uses}\n",
            "",
        ),
        GARDENS_FILE,
        4,
        "relation: related",
    ),
    "repeated-term": (gardens("tofu, wmdp", "tofu, tofu"), GARDENS_FILE, 8, "named twice"),
    "no-text": (gardens("url: https", "code: https"), GARDENS_FILE, 10, "doi"),
    "late-date": (fading("3104.01234", "3103.01234"), FADING_FILE, 3, "2031-03"),
    "too-early": (fading("checked: 2031-06-01", "checked: 1970-01-01"), FADING_FILE, 19, "clock"),
    "no-family": (fading("family: [gradient-ascent]\n", ""), FADING_FILE, 5, "family:"),
    "long-mechanism": (fading("Turns the loss", "word " * 20 + "Turns the loss"), FADING_FILE, 16, "at most 25"),
    "base-typo": (gardens("[fade]", "[fades]"), GARDENS_FILE, 14, "'fade'"),
    "unknown-successor": (
        gardens("provenance:", "state: {kind: superseded, by: lindqvist2031fadin}\nprovenance:"),
        GARDENS_FILE,
        18,
        "'lindqvist2031fading'",
    ),
    "unknown-implementation": (gardens("{id: fade,", "{id: Fade,"), GARDENS_FILE, 17, "'fade'"),
    "unknown-paper": (method("lindqvist2031fading", "lindqvist2031fade"), METHOD_FILE, 16, "'lindqvist2031fading'"),
    "one-way-link": (
        fading("implementations:\n  - {id: fade, relation: introduces}\n", ""),
        METHOD_FILE,
        16,
        "link back",
    ),
    "duplicate-implementation": (twin, METHOD_FILE.replace("gradient_ascent", "relabeling"), 16, "Rename"),
    "shared-short-name": (of_one_name, METHOD_FILE.replace("ascent/", "ascent/another_"), 16, "another short form"),
    "implementation-family": (
        elsewhere,
        METHOD_FILE.replace("gradient_ascent", "gradient_descent"),
        16,
        "'gradient-ascent'",
    ),
    "result-of-unknown": (result, RESULT_FILE, 1, "'fade'"),
    "misplaced-result": (copied_result, f"{RESULTS}/gardens/tiny/fade-0 copy.json", 1, "Delete it"),
    "claim-of-unknown": (claim, "reference_impls/claims.yaml", 1, "'fade'"),
    "claim-of-several-trials": (two_trials, "reference_impls/claims.yaml", 5, "{weight: 1.0}, {weight: 2.0}"),
    "stale-number": (stale_number, "reference_impls/claims.yaml", 4, "gives 0.25"),
    "guide-to-unknown": (lost_path, "site/reading-paths.yaml", 6, "'fade'"),
    "dataset-of-unknown": (lost_dataset, "catalog/vocabularies/dataset.yaml", 4, "'lindqvist2031fading'"),
}


def test_every_check_has_a_row_and_a_line_of_documentation() -> None:
    assert set(ROWS) == {check.id for check in ALL_CHECKS}
    assert len(ALL_CHECKS) == len(ROWS)
    assert all(check.doc.endswith(".") for check in ALL_CHECKS)


@pytest.mark.parametrize("code", ROWS)
def test_finds(code: str, checkout: Checkout) -> None:
    change, file, line, part = ROWS[code]
    assert checkout.problems() == []
    change(checkout)
    found = [problem for problem in checkout.problems() if problem.code == code]
    assert [(problem.file, problem.line) for problem in found] == [(file, line)]
    assert part in f"{found[0].message} {found[0].hint}"


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("odd-title", "Gentle Forgetting", "``Gentle'' Forgetting"),
        ("odd-title", "Gentle Forgetting", "Gentle -- Forgetting"),
        ("odd-title", "Small Models", "Small Models^AO"),
        ("odd-title", "Small Models", "Small~Models"),
        ("odd-title", "Small Models", "Small H_2 Models"),
        ("odd-title", "Small Models", "Small `Models'"),
        ("odd-author", "Åsa Lindqvist, ", "Åsa Lindqvist, Grace, "),
        ("odd-author", "Åsa Lindqvist, ", '"Lindqvist, Åsa", '),
        ("odd-author", "Åsa Lindqvist, ", "Åsa Lindqvist and Jane Doe, "),
        ("odd-author", "Åsa Lindqvist, ", "Åsa Lindqvist; Jane Doe, "),
        ("derived-doi", "links:\n", "links:\n  acl: 2031.acl-long.7\n  doi: 10.18653/v1/2031.acl-long.8\n"),
        ("link-form", "links:\n", "links:\n  code: https://github.com/a/b.git\n"),
        ("link-form", "links:\n", "links:\n  code: https://github.com/a/b/tree/main\n"),
        ("link-form", "links:\n", "links:\n  project: https://example.org/?utm_source=x\n"),
        ("link-form", "links:\n", "links:\n  data: http://huggingface.co/datasets/a\n"),
        ("link-form", "links:\n", "links:\n  url: https://www.doi.org/10.1000/5\n"),
    ],
)
def test_finds_too(code: str, old: str, new: str, checkout: Checkout) -> None:
    checkout.change(checkout.fading, old, new)
    assert code in {problem.code for problem in checkout.problems()}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Gentle Forgetting", "In- vs. Out-of-Distribution Forgetting"),
        ("links:\n", "links:\n  doi: 10.18653/v1/2031.acl-long.8\n"),
        ("links:\n", "links:\n  data: https://github.com/a/b/tree/main/examples\n"),
        ("links:\n", "links:\n  project: https://a.github.io/b/\n"),
        ("year: 2032", "year: 2030"),
    ],
)
def test_finds_nothing_in(old: str, new: str, checkout: Checkout) -> None:
    checkout.change(checkout.fading, old, new)
    assert checkout.problems() == []


def test_two_papers_may_have_one_title(checkout: Checkout) -> None:
    title = '"Gardens: A Benchmark of Invented Gardeners"'
    checkout.change(
        checkout.gardens, title, '"Fading Out: Gentle Forgetting for Small Models"\nformer_titles: [Gardens]'
    )
    checkout.change(checkout.gardens, "  url: https://example.org/gardens", '  arxiv: "3201.00001"')
    assert [problem.code for problem in checkout.problems()] == ["duplicate-paper"]
    checkout.change(checkout.fading, "Grace Okonkwo, ", "")
    assert checkout.problems() == []


def test_hints_do_not_stop_anything(checkout: Checkout) -> None:
    checkout.change(checkout.fading, "family: [gradient-ascent]\n", "")
    assert [problem.severity for problem in checkout.problems()] == ["hint"]
    assert len(checkout.catalog().papers) == 2


def test_an_empty_list_says_that_nothing_that_runs_is_akin(checkout: Checkout) -> None:
    links = "implementations:\n  - {id: gardens, relation: introduces}\n  - {id: fade, relation: uses}\n"
    checkout.change(checkout.gardens, links, "implementations: []\n")
    checkout.change(checkout.gardens, "  builds_on: [fade]\n", "")
    task = checkout.root / "reference_impls/tasks/gardens/__init__.py"
    checkout.change(task, "okonkwo2032gardens", "lindqvist2031fading")
    links = "  - {id: fade, relation: introduces}\n"
    checkout.change(checkout.fading, links, f"{links}  - {{id: gardens, relation: introduces}}\n")
    assert checkout.problems() == []
    checkout.change(checkout.gardens, "implementations: []\n", "")
    assert [problem.code for problem in checkout.problems()] == ["no-implementation"]


def test_builds_on_may_name_what_is_no_unlearning(checkout: Checkout) -> None:
    checkout.change(checkout.gardens, "[fade]", "[fade, weed, lindqvist2031fading, lora, kl-min]")
    assert checkout.problems() == []


@pytest.mark.parametrize(
    ("title", "word", "fits"),
    [
        ("Who's Harry Potter?", "whos", True),
        ("Mass-Editing Memory", "massediting", True),
        ("Mass-Editing Memory", "mass", True),
        ("Machine Unlearning in 2024", "machineb", True),
        ("T2VUnlearning: A Method", "tvunlearning", True),
        ("Machine Unlearning", "editing", False),
    ],
)
def test_ids_end_with_a_word_of_the_title(title: str, word: str, fits: bool, checkout: Checkout) -> None:
    path = checkout.root / f"papers/2031/lindqvist2031{word}.yaml"
    checkout.fading.rename(path)
    checkout.change(path, "Fading Out: Gentle Forgetting for Small Models", title)
    checkout.change(checkout.root / METHOD_FILE, "lindqvist2031fading", path.stem)
    assert [problem.code for problem in checkout.problems()] == ([] if fits else ["id-word"])


def test_terms_that_are_kept_are_unused(checkout: Checkout) -> None:
    only_used_terms(checkout)
    assert checkout.problems() == []
    path = checkout.root / "catalog/vocabularies/setting.yaml"
    checkout.add(path.relative_to(checkout.root).as_posix(), term("far", kept="Soon."))
    assert checkout.problems() == []
    checkout.change(checkout.fading, "datasets:", "settings: [far]\ndatasets:")
    assert [(one.code, one.file, one.line) for one in checkout.problems()] == [
        ("orphan-term", "catalog/vocabularies/setting.yaml", 1)
    ]


@pytest.mark.parametrize("author", ["Åsa Lindqvist", "Lindqvist Åsa", "Åsa van Lindqvist", "The Lindqvist Group"])
def test_family_names_come_first_and_last(author: str, checkout: Checkout) -> None:
    checkout.change(checkout.fading, "Åsa Lindqvist", author)
    assert checkout.problems() == []


def test_every_superseding_paper_is_another_one(checkout: Checkout) -> None:
    state = "state: {kind: superseded, by: okonkwo2032gardens}\nprovenance:"
    checkout.change(checkout.gardens, "provenance:", state)
    found: list[Problem] = checkout.problems()
    assert [problem.message for problem in found] == ["superseded by itself"]


def test_every_code_is_documented() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "catalog").rglob("*.py")]
    source = "\n".join(texts)
    problems = re.findall(r'"([a-z0-9-]+)", "(?:error|hint)", ', source)
    stops = re.findall(r'(?:_StopError\(|report\()\s*[\w().,\s]+?, "([a-z0-9-]+)"', source)
    raised = re.findall(r'ValueError\(f?"([a-z-]+): ', source)
    worded = re.findall(r'return "([a-z-]+)", f"', source)
    forms = re.findall(r'\bcode(?:: str)? ?= ?"([a-z-]+)"', source)
    written = {*problems, *stops, *raised, *worded, *forms}
    known = [code.id for code in ALL_CODES]
    assert len(written) > 30
    assert written <= set(known)
    assert len(known) == len(set(known))
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code.id) and code.doc.endswith(".") for code in ALL_CODES)
