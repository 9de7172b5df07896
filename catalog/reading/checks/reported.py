"""Numbers that papers report: on known benchmarks, in known metrics, within their scales, each once.

What is measured here is held to its scales, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from catalog.model.metrics import off_scale, scale_in_words
from catalog.model.paper import Reported
from catalog.model.vocabulary import BenchmarkTerm, MetricTerm, Vocabulary
from catalog.reading.checks.corpus import Corpus, Finding, check, instead


def _unknown(corpus: Corpus, key: str) -> Iterator[Finding]:
    vocabulary = corpus.vocabularies.get(key)
    for entry, place, reported in corpus.reported if vocabulary else ():
        term = getattr(reported, key)
        if vocabulary is not None and term not in vocabulary:
            yield Finding(entry, (*place, key), f"unknown {key} {term!r}", instead(term, vocabulary))


@check("unknown-benchmark")
def _unknown_benchmark(corpus: Corpus) -> Iterator[Finding]:
    """Every benchmark of a reported number is a term of ``catalog/vocabularies/benchmark.yaml``."""
    yield from _unknown(corpus, "benchmark")


@check("unknown-metric")
def _unknown_metric(corpus: Corpus) -> Iterator[Finding]:
    """Every metric of a reported number is a term of ``catalog/vocabularies/metric.yaml``."""
    yield from _unknown(corpus, "metric")


@check("metric-elsewhere")
def _metric_elsewhere(corpus: Corpus) -> Iterator[Finding]:
    """A metric is reported on a benchmark that defines it."""
    for entry, place, reported in corpus.reported:
        metric = _metric(corpus.vocabularies.get("metric"), reported)
        if metric and reported.benchmark not in metric.benchmarks:
            message = f"{metric.label} is no metric of {reported.benchmark!r}"
            yield Finding(entry, (*place, "metric"), message, f"It is one of {', '.join(metric.benchmarks)}.")


@check("off-scale")
def _off_scale(corpus: Corpus) -> Iterator[Finding]:
    """A number lies on the scale of its metric, whether a paper reports it or it was measured here.

    Percent are not shares, and what lies beyond a scale nobody measured.
    """
    for entry, place, reported in corpus.reported:
        metric = _metric(corpus.vocabularies.get("metric"), reported)
        if metric and not metric.holds(reported.value):
            message = f"{metric.label} is {scale_in_words(metric.low, metric.high)}, and not {reported.value:g}"
            yield Finding(entry, (*place, "value"), message, "Look it up; is it in another unit?")
    metrics = {metric.id: metric for metric in corpus.metrics}
    for file, result in corpus.results.items():
        for message in off_scale(result, metrics):
            yield Finding(file, (), message, "It is written by `unlearn run --record`; run that again.")


@check("reported-twice")
def _reported_twice(corpus: Corpus) -> Iterator[Finding]:
    """A paper has one headline number for each benchmark, metric and model."""
    seen: set[tuple[str, str, str, str]] = set()
    for entry, place, reported in corpus.reported:
        key = (entry.paper.id, reported.benchmark, reported.metric, reported.model)
        if key in seen:
            message = f"{reported.metric} of {reported.model} on {reported.benchmark} is reported twice"
            yield Finding(entry, place, message, "Keep the headline number, that of the main table.")
        seen.add(key)


@check("reported-of-nothing")
def _reported_of_nothing(corpus: Corpus) -> Iterator[Finding]:
    """Numbers are reported of a method that the paper proposes."""
    for entry in {entry.paper.id: entry for entry, _, _ in corpus.reported}.values():
        if entry.paper.method is None:
            message = "numbers are reported, but the paper proposes no method"
            yield Finding(entry, ("reported",), message, "Add method: with its name, or delete the numbers.")


@check("reported-dataset", "hint")
def _reported_dataset(corpus: Corpus) -> Iterator[Finding]:
    """The data set of a reported number is among those of the record."""
    vocabulary = corpus.vocabularies.get("benchmark")
    for entry, place, reported in corpus.reported if vocabulary else ():
        term = vocabulary.get(reported.benchmark) if vocabulary else None
        if isinstance(term, BenchmarkTerm) and term.dataset not in entry.paper.datasets:
            message = f"numbers on {term.label} are reported, and the data set {term.dataset!r} is not named"
            yield Finding(entry, (*place, "benchmark"), message, f"Add {term.dataset} to datasets.")


def _metric(vocabulary: Vocabulary | None, reported: Reported) -> MetricTerm | None:
    term = vocabulary.get(reported.metric) if vocabulary else None
    return term if isinstance(term, MetricTerm) else None
