"""How much speaks for a paper: its title and abstract, held against the rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalog.intake.discovery.rules import TITLE, Rules, Signal, spaced
from catalog.model.vocabulary import DatasetTerm, Vocabulary


@dataclass(frozen=True)
class Relevance:
    """What the rules say about one paper."""

    score: int
    reasons: tuple[str, ...]
    """``"unlearning" in the title (+10)``; what they say of forgetting counts up to a limit."""
    wanted: bool
    """Whether a person should look at it."""
    likely: bool
    """Whether it probably belongs into the catalog."""


def relevance(title: str, abstract: str, rules: Rules, datasets: Vocabulary | None = None) -> Relevance:
    """The points of a paper, and what gave them.

    Each signal counts once: in the title, or else in the abstract, and there half where it is said in passing. Words of
    what lies elsewhere, as in *unlearnable* or *catastrophic forgetting*, speak for nothing else.
    """
    texts = _Texts(title, abstract, rules)
    elsewhere = list(texts.speaking_of(rules.elsewhere))
    texts = texts.without(rules.elsewhere)
    forgetting = [*texts.speaking_of(rules.forgetting), *texts.naming(datasets)]
    spoken = min(sum(statement.points for statement in forgetting), rules.most)
    language = list(texts.speaking_of(rules.language))
    told = [statement for statement in language if statement.telling and not statement.passing]
    if told:
        # A model of language in the abstract does not undo a title that is about another one.
        elsewhere = [
            statement for statement in elsewhere if statement.in_title and not any(other.in_title for other in told)
        ]
    silence = rules.silent if texts.long and not language else 0
    score = spoken + sum(statement.points for statement in (*language, *elsewhere)) + silence
    wanted = score >= rules.least and spoken >= rules.speaks
    reasons = [str(statement) for statement in (*forgetting, *language, *elsewhere)]
    reasons += [f"no model of language in the abstract ({silence:+})"] if silence else []
    return Relevance(score, tuple(reasons), wanted, wanted and score >= rules.likely)


@dataclass(frozen=True)
class _Said:
    """One thing that a paper says."""

    words: str
    in_title: bool
    points: int
    passing: bool = False
    telling: bool = False
    """Whether it alone says what kind of model this is about."""

    def __str__(self) -> str:
        where = "the title" if self.in_title else "the abstract, in passing" if self.passing else "the abstract"
        return f'"{self.words}" in {where} ({self.points:+})'


class _Texts:
    """A title and an abstract, as signals read them."""

    def __init__(self, title: str, abstract: str, rules: Rules) -> None:
        self._rules = rules
        self._names = [f" {' '.join(text.replace(',', ' ').replace('.', ' ').split())} " for text in (title, abstract)]
        self._title, self._abstract = spaced(title), spaced(abstract)
        self.long = self._abstract.count(" ") > rules.passing

    def without(self, signals: Iterable[Signal]) -> _Texts:
        """The same texts, where what some signals found is cut out."""
        rest = _Texts("", "", self._rules)
        rest._names, rest.long = self._names, self.long
        rest._title, rest._abstract = self._title, self._abstract
        for signal in signals:
            rest._title, rest._abstract = signal.cut(rest._title), signal.cut(rest._abstract)
        return rest

    def speaking_of(self, signals: Iterable[Signal]) -> Iterator[_Said]:
        """What the texts say of some signals, one each at most."""
        title, abstract = self._title, self._abstract
        for signal in signals:
            if match := signal.pattern.search(title):
                yield _Said(match[0], True, signal.points * TITLE, telling=signal.telling)
            elif match := signal.pattern.search(abstract):
                once = self.long and signal.pattern.search(abstract, match.end()) is None
                points = int(signal.points / 2) if once else signal.points
                yield _Said(match[0], False, points, once, signal.telling)
            # No word counts twice.
            title, abstract = signal.cut(title), signal.cut(abstract)

    def naming(self, datasets: Vocabulary | None) -> Iterator[_Said]:
        """The benchmarks of records whose names no ordinary word is mistaken for, as one thing."""
        terms = datasets.terms if datasets else ()
        labels = [term.label for term in terms if isinstance(term, DatasetTerm) and term.paper]
        telling = [label for label in labels if sum(letter.isupper() for letter in label) >= 3]
        for text, in_title in zip(self._names, (True, False), strict=True):
            if named := next((label for label in telling if f" {label} " in text), ""):
                yield _Said(named, in_title, self._rules.dataset * (TITLE if in_title else 1))
                return
