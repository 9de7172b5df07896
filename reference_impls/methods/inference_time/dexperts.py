r"""Decoding-time experts and anti-experts (DExperts).

Let two small models say what should be said and what should not: an expert that was trained on what is to be kept,
and an anti-expert that was trained on what is to be forgotten. Where they differ, the large model is pushed from the
one to the other, token by token.

## Objective

Ordinary fine-tuning of the two, each on its own data, and nothing of the model. Liu et al.:

$$
z(x) = z_{\theta_0}(x) + \alpha \left( z^{+}(x) - z^{-}(x) \right),
\qquad
\mathrm{softmax}(z) \propto p_{\theta_0} \left( \frac{p^{+}}{p^{-}} \right)^{\alpha} .
$$

## Symbols

- $z$: logits of the next token; $\theta_0$ the model, which is not touched.
- $z^{+}$, $z^{-}$: those of the expert (trained on the retain set) and of the anti-expert (on the forget set).
- $\alpha$ (`strength`): how hard the model is pushed; 0 leaves it as it is.
- A `share` of the model's blocks, the first of them, makes either.

## Facts

- **Where the two agree, nothing changes.** Both have learned how an answer sounds, so that this cancels; what is left
  is whom and what they know.
- **They are trained apart from the model**, so no gradient tells them when it has forgotten: $\alpha$ alone decides how
  much, and too much of it makes unlikely tokens win.
- With the model itself in the expert's place, $z = (1 + \alpha) z_{\theta_0} - \alpha z^{-}$: then whatever the
  anti-expert has learned counts against an answer, its form as well.
- **Nothing is unbounded**: both minimise a likelihood.
- The model is the same to the bit, and without the two everything is known again. Three models run at each token.

## Differences

1. The paper steers away from toxic and towards positive text; later work on unlearning takes its anti-expert to be
   trained on the forget set, as here.
2. The paper's experts are language models that were trained on their own. No such model comes with the embedded ones,
   so they are made of the first blocks of the model itself: what those know of the forget set, both begin with.
3. The paper samples from the part of $p_{\theta_0}$ that holds 0.9 of it. Here nothing is cut off, for what is cut off
   has no log-probability.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_impls.toolkit import (
    Kept,
    LanguageModel,
    Method,
    OffsetModel,
    Run,
    UnlearningData,
    first_blocks,
    hyperparameter,
)


@dataclass(frozen=True)
class DExperts(Method):
    """Add the difference of an expert and an anti-expert."""

    paper = "liu2021dexperts"
    acts_on = "decoding"
    retain = "needed"
    trains = "adapters"
    copies = 2
    parts = ("blocks",)

    strength: float = hyperparameter(
        2.0, "α, how hard the model is pushed", source="paper", minimum=0, trade_off=(0.25, 0.5, 1.0, 2.0)
    )
    share: float = hyperparameter(
        0.5, "of the blocks, the experts'", source="ours; paper: as large as the model, or smaller", above=0, maximum=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> OffsetModel:
        """Train expert and anti-expert; the model is not touched."""
        expert, anti_expert = (
            run.finetune(first_blocks(model, self.share), pairs, stage=stage)
            for pairs, stage in ((data.retain, "expert"), (data.forget, "anti-expert"))
        )
        return OffsetModel(model, expert, anti_expert, self.share, self.strength)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> OffsetModel:
        """The model between the two that were kept."""
        return OffsetModel.of(model, kept)
