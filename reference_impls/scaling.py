"""How a model that is large for its machine is trained, as people say it: no torch here, so that a run can be named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class LoRA:
    """Low-rank adapters that train in the model's place."""

    rank: int = 16
    alpha: float | None = None
    """The adapters count ``alpha / rank`` times; twice the rank by default."""
    targets: tuple[str, ...] = ()
    """Ends of the names of the layers that get one; by default all linear layers of the blocks."""

    @property
    def scale(self) -> float:
        """Alpha, chosen or not."""
        return 2.0 * self.rank if self.alpha is None else self.alpha


@dataclass(frozen=True)
class Scaling:
    """What may be chosen so that a model fits: none of it changes what a step is meant to be, but :attr:`lora`."""

    lora: LoRA | None = None
    accumulate: int = 1
    """In how many parts each batch goes through the model, one after another."""
    gradient_checkpointing: bool = False
    """Whether a block's activations are computed again in the backward pass instead of kept."""
    checkpoint_every: int | None = None
    """After how many steps the state of training is written down, so that a run that was killed can go on."""

    @property
    def words(self) -> Iterator[str]:
        """The options of a command line that say what decides the result; how often it is kept does not."""
        if self.lora:
            yield "--lora"
            yield from ("--lora-rank", str(self.lora.rank))
            if self.lora.alpha is not None:
                yield from ("--lora-alpha", f"{self.lora.alpha:g}")
            if self.lora.targets:
                yield from ("--lora-targets", ",".join(self.lora.targets))
        if self.accumulate != 1:
            yield from ("--accumulate", str(self.accumulate))
        if self.gradient_checkpointing:
            yield "--gradient-checkpointing"
