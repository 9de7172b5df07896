"""What a method needs: declared once, in its class, and read from there by the site and by ``unlearn plan``.

A class says in literals what it can do without (``reference_impls.toolkit.method.Method`` has the same names)::

    access = "prompts"      # prompts, weights or training
    retain = "optional"     # needed, optional or unused
    trains = "adapters"     # all, part, adapters or nothing
    copies = 1              # further models that it holds; the frozen one of reference = "model" is counted by itself
    earlier = "needed"      # of a checkpoint from before the model met what must go: needed, optional or unused
    exact = True            # the result is what training without the data gives
    separate = True         # each request is served by itself
    reads_features = "blocks"  # of sparse autoencoders, which may be published ones
    parts = ("experts",)    # what a model must have inside; of these only a mixture of experts is a need that is told

What a class does not say, it is taken to need: the weights, all of them trained, and examples of what must stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from catalog.model.results import EMBEDDED, EXPERTS

ACCESS = ("prompts", "weights", "training")
"""How far one must reach, each further than the one before: inputs and outputs alone, what is inside a trained model,
the training from its start."""
DEGREES = ("needed", "optional", "unused")
TRAINS = ("all", "part", "adapters", "nothing")
STATE = 3
"""What training adds for each weight: its gradient, and the two moments of AdamW, each of 32 bits."""
IN_32_BITS = 4
"""Bytes of a number."""


class NeedError(ValueError):
    """A need is declared with a value that is none of the possible ones."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"{name} is {value!r}")
        self.name, self.hint = name, allowed


@dataclass(frozen=True)
class Needs:
    """What one must have to run a method, and what one gets for it."""

    access: str = "weights"
    """One of :data:`ACCESS`."""
    retain: str = "needed"
    """Examples of what must stay: one of :data:`DEGREES`."""
    trains: str = "all"
    """Which weights are trained, and so have gradients and an optimizer's state beside them: one of :data:`TRAINS`."""
    copies: int = 0
    """How many further models stand in memory beside the one that unlearns, a frozen reference included."""
    earlier: str = "unused"
    """A checkpoint of the model from before it met what is to be forgotten: one of :data:`DEGREES`."""
    exact: bool = False
    """Whether the result is what training without the data would have given, and not near it."""
    separate: bool = False
    """Whether each request is served by itself, so that nothing adds up over many."""
    experts: bool = False
    """Whether the model must be a mixture of experts."""

    features: str = ""
    """Of what it takes features of sparse autoencoders: blocks or memories; empty for one that takes none."""

    @property
    def embedded(self) -> str:
        """Which of the embedded models it runs on where none is named."""
        return EXPERTS if self.experts else EMBEDDED

    @property
    def words(self) -> list[str]:
        """What one must have, as a list: ``["the weights", "memory for 2 models"]``."""
        told = [_ACCESS_IN_WORDS[self.access]]
        told += [need.words for name, need in NEEDS.items() if name not in (*ACCESS, "memory") and need.of(self)]
        return told + ([f"memory for {self.models} models"] if self.models > 1 else [])

    @property
    def models(self) -> int:
        """How many models stand in memory while it unlearns."""
        return 1 + self.copies

    @property
    def weights(self) -> int:
        """How many times the weights of the model take their place in memory, but for what a part of them adds."""
        return self.models + (STATE if self.trains == "all" else 0)

    def bytes_per_weight(self, size: int, *, adapters: bool = False) -> tuple[int, int]:
        """How much memory a weight of the model takes while it unlearns, at least and at most.

        The two differ where a part of the weights is trained: it may be nearly none of them or nearly all.

        Args:
            size: bytes of a number in the model; what trains has a copy in 32 bits where those are fewer.
            adapters: whether low-rank adapters train in the place of the weights, which add little.
        """
        held = self.models * size
        trained = STATE * IN_32_BITS + (IN_32_BITS if size < IN_32_BITS else 0)
        if adapters or self.trains in ("nothing", "adapters"):
            return held, held
        return held + (trained if self.trains == "all" else 0), held + trained

    @classmethod
    def declared(cls, literals: Mapping[str, Any]) -> Needs:
        """The needs that a class's literals state.

        Args:
            literals: the class's attributes by name; others than needs are left alone.

        Raises:
            NeedError: a value is none of the possible ones.
        """
        for name, known in (("access", ACCESS), ("retain", DEGREES), ("earlier", DEGREES), ("trains", TRAINS)):
            if name in literals and literals[name] not in known:
                raise NeedError(name, literals[name], f"One of: {', '.join(known)}.")
        for name in ("exact", "separate"):
            if not isinstance(literals.get(name, False), bool):
                raise NeedError(name, literals[name], "True or False.")
        copies = literals.get("copies", 0)
        if isinstance(copies, bool) or not isinstance(copies, int) or copies < 0:
            raise NeedError("copies", copies, "A whole number, 0 or more.")
        return cls(
            access=literals.get("access", cls.access),
            retain=literals.get("retain", cls.retain),
            trains=literals.get("trains", cls.trains),
            copies=copies + (literals.get("reference") == "model"),
            earlier=literals.get("earlier", cls.earlier),
            exact=literals.get("exact", False),
            separate=literals.get("separate", False),
            experts="experts" in literals.get("parts", ()),
            features=literals.get("reads_features", cls.features),
        )


@dataclass(frozen=True)
class Need:
    """Something that methods may need, by which they can be picked."""

    words: str
    """What one must have."""
    of: Callable[[Needs], bool]
    """Whether a method needs it."""


_ACCESS_IN_WORDS = {"prompts": "prompts alone", "weights": "the weights", "training": "the training from its start"}
NEEDS: Mapping[str, Need] = MappingProxyType(
    {
        "weights": Need("more than prompts and answers", lambda needs: needs.access != "prompts"),
        "training": Need("the training from its start", lambda needs: needs.access == "training"),
        "retain": Need("examples of what must stay", lambda needs: needs.retain == "needed"),
        "experts": Need("a mixture of experts", lambda needs: needs.experts),
        "earlier": Need("an earlier checkpoint", lambda needs: needs.earlier == "needed"),
        "memory": Need("memory for a further model", lambda needs: needs.models > 1),
    }
)
"""By the name by which people ask for it."""
