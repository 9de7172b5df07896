"""What runs here, and all that names it: methods, results, claims, reading paths."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from catalog.base.text import did_you_mean
from catalog.model.claims import CLAIMS_FILE, Claim, matching, stale_numbers
from catalog.model.guide import GLOSSARY_FILE, PATHS_FILE, SEARCHES_FILE
from catalog.model.implementations import Implementation
from catalog.model.results import EMBEDDED, REFERENCES, RESULTS, Result
from catalog.model.selection import Selection
from catalog.model.trials import Trial
from catalog.model.vocabulary import DatasetTerm
from catalog.parsing.tree import Mark, Place
from catalog.reading.checks.corpus import (
    Corpus,
    Finding,
    TermPlace,
    check,
    instead,
)


@check("no-implementation", "hint", alone=True)
def _no_implementation(corpus: Corpus) -> Iterator[Finding]:
    """A paper that proposes a method leads to something that runs: its own, what it builds on, or a relative.

    An empty list says that somebody looked, and that nothing that runs is akin.
    """
    for entry in corpus.entries:
        looked = ("implementations",) in entry.tree.values
        if "method" in entry.paper.contributions and not looked and corpus.implementations:
            family = entry.paper.family[0] if entry.paper.family else None
            near = next((runs.id for runs in corpus.implementations if family and runs.family == family), None)
            nearest = f"implementations: - {{id: {near or 'gradient-ascent'}, relation: related}}"
            hint = f"Add the nearest: {nearest}; where nothing is akin: implementations: []"
            yield Finding(entry, ("type",), "a method that leads to nothing that runs", hint)


@check("closer-link", "hint")
def _closer_link(corpus: Corpus) -> Iterator[Finding]:
    """A paper whose method builds on something that runs here links to that, not to a relative only."""
    for entry in corpus.entries:
        links = entry.paper.implementations
        if "method" in entry.paper.contributions and {link.relation for link in links} <= {"related"}:
            bases = entry.paper.method.builds_on if entry.paper.method else ()
            method = next((method for base in bases if (method := corpus.bases.method(base))), None)
            if method:
                place: Place = ("implementations",) if links else ("method", "builds_on")
                message = f"what the method builds on runs here, as {method.id!r}, and is not linked"
                yield Finding(entry, place, message, f"Write implementations: - {{id: {method.id}, relation: extends}}")


@check("unknown-implementation", alone=True)
def _unknown_implementation(corpus: Corpus) -> Iterator[Finding]:
    """A linked implementation exists: a method or a task of ``reference_impls/``."""
    for entry in corpus.entries:
        for index, link in enumerate(entry.paper.implementations):
            if link.id not in corpus.implementation_ids:
                names = {runs.name: runs.id for runs in corpus.implementations}
                otherwise = f"What runs: {', '.join(corpus.implementation_ids) or 'nothing yet'}."
                hint = did_you_mean(link.id, corpus.implementation_ids, names) or otherwise
                yield Finding(entry, ("implementations", index, "id"), f"no implementation {link.id!r}", hint)


@check("unknown-paper")
def _unknown_paper(corpus: Corpus) -> Iterator[Finding]:
    """The ``paper`` of a file that runs is the id of a record."""
    for runs in corpus.implementations:
        if runs.paper not in corpus.by_id:
            hint = did_you_mean(runs.paper, corpus.by_id) or "Add that record, or correct the id."
            yield Finding(runs, (), f"{runs.kind} {runs.id!r} follows {runs.paper!r}, which is no record", hint)


@check("one-way-link")
def _one_way_link(corpus: Corpus) -> Iterator[Finding]:
    """Links go both ways: the record that a file follows links to that file."""
    for runs in corpus.implementations:
        entry = corpus.by_id.get(runs.paper)
        if entry and runs.id not in {link.id for link in entry.paper.implementations}:
            message = f"{runs.kind} {runs.id!r} follows {runs.paper!r}, but {entry.paper.file} does not link back"
            hint = f"Add to that record's implementations: - {{id: {runs.id}, relation: introduces}}"
            yield Finding(runs, (), message, hint)


@check("duplicate-implementation")
def _duplicate_implementation(corpus: Corpus) -> Iterator[Finding]:
    """No two methods, tasks or attacks share an id, which is the file's name: commands and addresses use it alone."""
    first: dict[str, Implementation] = {}
    for runs in corpus.implementations:
        other = first.setdefault(runs.id, runs)
        if other is not runs:
            yield Finding(runs, (), f"the id {runs.id!r} is taken by {other.file}", "Rename one of the two files.")


@check("shared-short-name")
def _shared_short_name(corpus: Corpus) -> Iterator[Finding]:
    """A method's short name, in any case, is neither another one's nor another one's id: people type either."""
    methods = [runs for runs in corpus.implementations if runs.kind == "method"]
    named: dict[str, Implementation] = {runs.id: runs for runs in methods}
    for runs in methods:
        other = named.setdefault(runs.short, runs)
        if other.id != runs.id:
            message = f"the method {runs.id!r} is called {runs.name!r}, as {other.id!r} is"
            yield Finding(runs, (), message, "Put another short form that its paper uses behind the title.")


@check("implementation-family")
def _implementation_family(corpus: Corpus) -> Iterator[Finding]:
    """The folder of a method's file or a guide, with dashes, is a family of ``catalog/vocabularies/family.yaml``."""
    families = corpus.vocabularies.get("family")
    for runs in corpus.implementations:
        if families and runs.kind == "method" and runs.family not in families:
            yield Finding(runs, (), f"unknown family {runs.family!r}", instead(runs.family, families))
    for family, guide in corpus.family_guides.items():
        if families and family not in families and all(runs.family != family for runs in corpus.implementations):
            yield Finding(guide.file, (), f"unknown family {family!r}", instead(family, families))


@check("result-of-unknown")
def _result_of_unknown(corpus: Corpus) -> Iterator[Finding]:
    """A committed result is of a method (or ``target`` or ``retrained``) and of a task that exist."""
    methods = [*REFERENCES, *(runs.id for runs in corpus.implementations if runs.kind == "method")]
    tasks = [runs.id for runs in corpus.implementations if runs.kind == "task"]
    for file, result in corpus.results.items():
        for kind, name, known in (("method", result.method, methods), ("task", result.task, tasks)):
            if name not in known:
                hint = did_you_mean(name, known) or "Delete the result, or restore what it measured."
                yield Finding(file, (), f"result of the {kind} {name!r}, which does not exist", hint)


@check("misplaced-result")
def _misplaced_result(corpus: Corpus) -> Iterator[Finding]:
    """A committed result is in the file of its task, model, method and seed: a copy would count as one run more."""
    for file, result in corpus.results.items():
        right = f"{RESULTS}/{result.file}"
        if file != right:
            kind = "copy" if right in corpus.results else "result"
            message = f"the {kind} of {result.method!r} on {result.task!r} with seed {result.seed} belongs into {right}"
            yield Finding(file, (), message, "Delete it." if kind == "copy" else "Move it there, or measure it again.")


@check("claim-of-unknown")
def _claim_of_unknown(corpus: Corpus) -> Iterator[Finding]:
    """A claim of ``reference_impls/claims.yaml`` is about a method, a task, a comparison and a paper that exist."""
    methods = [runs.id for runs in corpus.implementations if runs.kind == "method"]
    tasks = [runs.id for runs in corpus.implementations if runs.kind == "task"]
    models = sorted({EMBEDDED, *(result.model for result in corpus.results.values())})
    measures = sorted({name for result in corpus.results.values() for name in (*result.metrics, *result.attacks)})
    named: list[tuple[Claim, Place, str, str, Collection[str]]] = []
    for index, claim in corpus.claims.by_index.items():
        named.append((claim, (index, "method"), "method", claim.method, methods))
        named.append((claim, (index, "paper"), "paper", claim.paper, corpus.by_id))
        for row, evidence in enumerate(claim.evidence):
            at: Place = (index, "evidence", row)
            named.append((claim, (*at, "task"), "task", evidence.task, tasks))
            named.append((claim, (*at, "model"), "model", evidence.model, models))
            named.append((claim, (*at, "measure"), "measure", evidence.measure, measures))
            named.append((claim, (*at, "of"), "comparison", evidence.of, [*REFERENCES, *methods, *measures]))
    for claim, place, kind, name, known in named:
        if name not in known:
            otherwise = "Add its record first." if kind == "paper" else f"There is: {', '.join(known)}."
            hint = did_you_mean(name, known) or otherwise
            message = f"a claim about {claim.method!r} names the {kind} {name!r}, which is none"
            yield Finding(TermPlace(CLAIMS_FILE, corpus.claims.mark(place)), (), message, hint)


@check("claim-of-several-trials")
def _claim_of_several_trials(corpus: Corpus) -> Iterator[Finding]:
    """The settings in a claim's comparison are those of one trial, for a mean over others hides what they differ in."""
    methods = {runs.id for runs in corpus.implementations if runs.kind == "method"}
    for index, claim in corpus.claims.by_index.items():
        for row, evidence in enumerate(claim.evidence):
            sides = [("at", claim.method, evidence.at)]
            if evidence.of not in REFERENCES:
                # What is no method is another measure of the same one.
                other = evidence.of if evidence.of in methods else claim.method
                sides.append(("of_at" if evidence.of_at else "at", other, evidence.other_at))
            for key, method, settings in sides:
                tried = corpus.trials.get((evidence.task, evidence.model, method), ())
                found = matching(tried, settings) if settings else []
                if len(found) > 1:
                    place = TermPlace(CLAIMS_FILE, corpus.claims.mark((index, "evidence", row, key)))
                    yield Finding(place, (), *_several(method, found))


@check("stale-number", "hint")
def _stale_number(corpus: Corpus) -> Iterator[Finding]:
    """A decimal in a claim's ``why`` is a committed number, of the method or of what it is compared with.

    One that was true of earlier measurements is found when there are new ones.
    """
    runs: dict[str, list[Result]] = {}
    for result in corpus.results.values():
        runs.setdefault(result.method, []).append(result)
    for index, claim in corpus.claims.by_index.items():
        methods = dict.fromkeys((claim.method, *REFERENCES, *(evidence.of for evidence in claim.evidence)))
        measured = [result for method in methods for result in runs.get(method, ())]
        for number in stale_numbers(claim, measured, corpus.trials, corpus.headlines):
            place = TermPlace(CLAIMS_FILE, corpus.claims.mark((index, "why")))
            message = f"a claim about {claim.method!r} gives {number}, which is no number that was measured"
            hint = "Look it up in the records: it may have been measured anew. What no record holds is said in words."
            yield Finding(place, (), message, hint)


def _several(method: str, found: Sequence[Trial]) -> tuple[str, str]:
    """What is wrong with settings that several trials have, and what would tell these apart."""
    names = dict.fromkeys(name for trial in found for name in trial.settings)
    apart = [name for name in names if len({str(trial.settings.get(name)) for trial in found}) > 1]
    each = [", ".join(f"{name}: {trial.settings[name]}" for name in apart if name in trial.settings) for trial in found]
    hint = f"Add what tells one from the others, {{{'}, {'.join(each)}}}; a method without it has its own in of_at."
    return f"these settings are those of {len(found)} trials of {method!r}", hint


@check("guide-to-unknown")
def _guide_to_unknown(corpus: Corpus) -> Iterator[Finding]:
    """What people are led to exists.

    Reading paths, the glossary and saved searches (``site/*.yaml``) name records, things that run and terms. In the
    guide to a family (``reference_impls/methods/*/__init__.py``), a list's entry that begins with an id names a method
    that runs.
    """
    known: dict[str, list[str]] = {"paper": list(corpus.by_id)}
    for kind in ("method", "task", "attack"):
        known[kind] = [runs.id for runs in corpus.implementations if runs.kind == kind]
    named: list[tuple[str, Place, str, str]] = []
    for path in corpus.guide.paths:
        named += [(PATHS_FILE, (path.id, index), step.kind, step.id) for index, step in enumerate(path.steps)]
    known["term"] = [definition.id for definition in corpus.guide.glossary]
    for definition in corpus.guide.glossary:
        named += [(GLOSSARY_FILE, (definition.id,), "paper", definition.paper)] if definition.paper else []
        named += [(GLOSSARY_FILE, (definition.id,), "term", other) for other in definition.see]
    for name, place, kind, ident in named:
        if kind in known and ident not in known[kind]:
            (file, mark) = next(
                (file, mark) for (file, at), mark in corpus.guide.marks.items() if at == place and file.endswith(name)
            )
            hint = did_you_mean(ident, known[kind]) or "Name another one, or delete the line."
            yield Finding(TermPlace(file, mark), (), f"names the {kind} {ident!r}, which does not exist", hint)
    yield from _unknown_in_families(corpus, known["method"])
    yield from _unknown_in_searches(corpus)


def _unknown_in_searches(corpus: Corpus) -> Iterator[Finding]:
    for search in corpus.guide.searches:
        for name, value, terms in Selection.parsed(search.list).unknown(corpus.vocabularies):
            file, mark = next(
                (file, mark)
                for (file, at), mark in corpus.guide.marks.items()
                if at == (search.id,) and file.endswith(SEARCHES_FILE)
            )
            hint = did_you_mean(value, terms) or f"One of: {', '.join(terms[:12])}."
            yield Finding(TermPlace(file, mark), (), f"names the {name} {value!r}, which does not exist", hint)


def _unknown_in_families(corpus: Corpus, methods: list[str]) -> Iterator[Finding]:
    for guide in corpus.family_guides.values():
        for ident, line in guide.named:
            if ident not in methods:
                source = TermPlace(guide.file, Mark(line, 1))
                hint = did_you_mean(ident, methods) or "Name another one, or delete the entry."
                yield Finding(source, (), f"names the method {ident!r}, which does not exist", hint)


@check("dataset-of-unknown")
def _dataset_of_unknown(corpus: Corpus) -> Iterator[Finding]:
    """The ``paper`` of a dataset is the record that introduces it."""
    vocabulary = corpus.vocabularies.get("dataset")
    if vocabulary is None or not vocabulary.file:
        return
    for term in vocabulary.terms:
        if isinstance(term, DatasetTerm) and term.paper and term.paper not in corpus.by_id:
            message = f"the dataset {term.id!r} is introduced by {term.paper!r}, which is no record"
            hint = did_you_mean(term.paper, corpus.by_id) or "Add the record, or delete the line."
            yield Finding(TermPlace(vocabulary.file, vocabulary.marks[term.id]), (), message, hint)
