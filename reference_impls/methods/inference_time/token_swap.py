r"""Token swap (TokenSwap).

A text that was learned by heart is recited word by word, and every other word is one of a few: *the*, *of*, *was*. How
likely each of those is, a small model can tell as well, and it knows no texts by heart. So the large model says how
likely it is that one of them comes next, and the small one which.

## Objective

Nothing is trained to forget. Prashant et al. (algorithm 1), with a set $\mathcal G$ of function words:

$$
p'(v) = \begin{cases}
q(v)\, \dfrac{p(\mathcal G)}{q(\mathcal G)} & \text{if } v \in \mathcal G, \\
p(v) & \text{else,}
\end{cases}
\qquad p(\mathcal G) = \sum_{v \in \mathcal G} p(v) .
$$

## Symbols

- $p$: what the model expects next; it is not touched.
- $q$: what a small model expects, which was trained on the retain set alone and reads the same text. A `share` of the
  model's blocks, the first of them, makes it.
- $\mathcal G$: articles, prepositions, conjunctions, pronouns and auxiliary verbs of English, about 110, each as the
  token that stands for it behind another word.

## Facts

- **No forget set is needed**, for nobody asks what is to be forgotten: every text is recited less well.
- **Words with a meaning keep their probability**, exactly, and so does the sum of all function words. With $q = p$, or
  where there are no function words, nothing changes.
- So it breaks texts, not facts: a name or a place that the model would say, it says as before, if it comes to it.
- **Where any model knows which function word comes next, nothing is gained.** All texts of `passages` and `authors` are
  told by the same few templates, and the small model has learned those: the passages to forget are recited as before
  (0.99 of them, by ROUGE). The same passages with their function words drawn by lot, then learned by heart, were
  recited to the end in 14 of 16 cases; with a small model of the first one or two blocks beside it in none, and right
  for 0.04 to 0.18 of their words.
- It takes no strength: $p'$ is all of $q$ within $\mathcal G$. What can be chosen is how small the small model is.
- The model is the same to the bit, and by itself it recites as ever. Two models run at each token.

## Differences

1. The paper's small models, such as DistilGPT-2 or Pythia-70M, were trained on their own. No such model comes with
   the embedded ones, so it is made of the first blocks of the model itself, and knows by heart what those do.
2. The released code names its words; the list here was made anew, of the same kinds of words.
3. A word of several tokens is left out; the released code takes the first of them, which may begin other words.
4. The released code does not let a probability fall below $10^{-10}$.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Combined,
    Kept,
    LanguageModel,
    Method,
    Run,
    UnlearnedModel,
    UnlearningData,
    UnsupportedModelError,
    Wrapped,
    first_blocks,
    hyperparameter,
)

WORDS = (
    "a an the this that these those each every some any no all both either neither another such what which whose "
    "of in to for with on at by from about into over after under between through during before against without within "
    "among along across behind beyond around near above below off upon toward towards until since despite "
    "and or but nor so yet if because although though while whereas whether unless than as when where why how "
    "i you he she it we they me him her us them my your his its our their who whom himself herself itself themselves "
    "is are was were be been being am do does did have has had having will would shall should can could may might must"
).split()
"""Words of the closed classes of English, which every text has."""


def function_tokens(model: LanguageModel) -> list[int]:
    """The tokens that stand for one of the words behind another word, in the order of the list.

    Raises:
        UnsupportedModelError: there is none.
    """
    before = model.tokenizer.encode("x", add_special_tokens=False)
    spelled = [model.tokenizer.encode(f"x {word}", add_special_tokens=False) for word in WORDS]
    found = [tokens[-1] for tokens in spelled if tokens[:-1] == before]
    if not found:
        raise UnsupportedModelError("TokenSwap finds no English function word among the tokens of this model.")
    return found


def swapped(main: Tensor, small: Tensor, words: Tensor) -> Tensor:
    r"""(..., V) $\log p'$.

    Args:
        main: (..., V) logits of $p$.
        small: (..., V) logits of $q$.
        words: (G,) the tokens of $\mathcal G$.
    """
    logprobs = torch.log_softmax(main, dim=-1)
    total = logprobs[..., words].logsumexp(dim=-1, keepdim=True)
    within = torch.log_softmax(small[..., words], dim=-1)
    return logprobs.index_copy(-1, words, within + total)


@dataclass(frozen=True)
class TokenSwap(Method):
    """Let a small model choose among function words."""

    paper = "prashant2025lightweight"
    acts_on = "decoding"
    retain = "needed"
    trains = "adapters"
    copies = 1
    parts = ("blocks",)

    share: float = hyperparameter(
        0.5,
        "of the blocks, the small model's",
        source="ours; paper: a hundredth of the weights",
        above=0,
        maximum=1,
        trade_off=(0.25, 0.5, 0.75, 1.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> SwappedModel:
        """Train the small model; the model is not touched."""
        words = function_tokens(model)
        small = run.finetune(first_blocks(model, self.share), data.retain, stage="small model")
        return SwappedModel(model, small, self.share, words)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> SwappedModel:
        """The model beside the small one that was kept."""
        small = first_blocks(model, float(kept.facts["share"]))
        kept.put_into(small.model.named_parameters())
        return SwappedModel(model, small, **kept.facts)


@dataclass
class SwappedModel(Wrapped):
    """An unchanged model, which leaves the choice among some tokens to a small one."""

    model: LanguageModel
    small: LanguageModel
    share: float
    words: list[int]

    @cached_property
    def _together(self) -> Combined:
        words = torch.tensor(self.words, device=self.model.device)

        def rule(logits: Sequence[Tensor]) -> Tensor:
            main, small = logits
            return swapped(main, small, words)

        return Combined.of(self.model, lambda: (self.model, self.small), rule)

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """Both, whatever is asked."""
        return self._together

    def to_json(self) -> dict[str, Any]:
        """How large the small model is, and what it chooses among."""
        return {"share": self.share, "words": self.words}

    def tensors(self) -> dict[str, Tensor]:
        """The weights of the small model; tied ones once."""
        return {name: weight.detach() for name, weight in self.small.model.named_parameters()}
