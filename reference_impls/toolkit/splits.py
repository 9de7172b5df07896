"""The data of a task, by what it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from reference_impls.toolkit.data import Pair, UnlearningData


@dataclass(frozen=True)
class Splits:
    """The data of a task. Methods see ``forget``, ``retain`` and ``anchors``; evaluation sees all."""

    forget: tuple[Pair, ...]
    retain: tuple[Pair, ...]
    retain_probe: tuple[Pair, ...] = ()
    """The part of the retain set that evaluation asks about; all of it if empty."""
    holdout: tuple[Pair, ...] = ()
    """Like the forget set, but never trained on."""
    members: tuple[Pair, ...] = ()
    """The part of the forget set that the holdout is like; all of it if empty."""
    facts: tuple[Pair, ...] = ()
    """General knowledge that has nothing to do with the forget set."""
    authors: tuple[Pair, ...] = ()
    """Real people of whom the model knew before it was fine-tuned: TOFU's general knowledge near the forget set."""
    asked: Mapping[str, tuple[Pair, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """What only a benchmark's own evaluation asks, by name; :meth:`probes` leaves it out."""
    anchors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def part(self, start: float, end: float) -> Splits:
        """The same with a part of the forget set, from one share of its subjects to another, in their order.

        What one subject is about stays together. The rest of the forget set is neither forgotten nor kept.
        """
        subjects = list(dict.fromkeys(pair.about for pair in self.forget))
        first, last = round(start * len(subjects)), round(end * len(subjects))
        chosen = set(subjects[first : max(last, first + 1)])
        forget, members = (
            tuple(pair for pair in pairs if pair.about in chosen) for pairs in (self.forget, self.members)
        )
        return replace(self, forget=forget, members=members)

    @property
    def subjects(self) -> int:
        """How many subjects the forget set is about, where pairs that name none are each about their own."""
        return len({pair.about for pair in self.forget})

    @property
    def data(self) -> UnlearningData:
        """What a method is given."""
        return UnlearningData(self.forget, self.retain, self.anchors)

    def probes(self) -> dict[str, tuple[Pair, ...]]:
        """What evaluation asks about, by the name that its metrics begin with; empty splits left out."""
        named = {
            "forget": self.forget,
            "retain": self.retain_probe or self.retain,
            "holdout": self.holdout,
            "facts": self.facts,
            "authors": self.authors,
        }
        return {name: pairs for name, pairs in named.items() if pairs}
