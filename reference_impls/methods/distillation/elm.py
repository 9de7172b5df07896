r"""Erasure of language memory (ELM).

A model is asked to judge its own words: which of them would an expert on the subject write rather than a beginner?
It is then trained to say what it said before, with the expert's words turned down, so that it goes on as somebody who
never heard of the subject would; to keep talking fluently where it is asked about it; and to change nowhere else.

## Objective

Gandikota et al. (their erasing, retaining and fluency objectives; the classifier $p(c \mid x)$ of the first is replaced
by what Bayes' rule makes of it):

$$
p^*(y_t \mid x) \propto p_{\theta_0}(y_t \mid x)
\left( \frac{p_{\theta_0}(y_t \mid c_-, x)}{p_{\theta_0}(y_t \mid c_+, x)} \right)^{\eta},
$$

$$
\mathcal L = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\mathrm{CE}\big(p^*(\cdot \mid x, y_{<t}),\, p_\theta(\cdot \mid x, y_{<t})\big)
+ \alpha\, \mathrm{KL}_{\mathcal D_r}\big(p_{\theta_0} \,\|\, p_\theta\big)
+ \beta\, \mathbb E_{x \sim \mathcal D_f}\, L(\tilde y \mid x; \theta),
\qquad \tilde y \sim p^*(\cdot \mid x) .
$$

## Symbols

- $c_+$ (`expert`), $c_-$ (`novice`): words before the text that say who writes it. `{concept}` in them stands for what
  is to be forgotten: the subjects of the forget set.
- $\eta$ (`strength`), `guidance` where $\tilde y$ is drawn: how hard the expert's words are turned down.
- $\tilde y$: what the model writes about $x$ once it is turned to the beginner; at most `length` tokens.
- $L$: mean negative log-likelihood; $\alpha$ (`retain_weight`), $\beta$ (`fluency_weight`): weights of the terms.
- The blocks from `shallow` to `deep` learn, as fractions of the depth.

## Facts

- With $\eta = 0$, or with the same words for both, $p^* = p_{\theta_0}$: the first term is then at its least value at
  the start, where its gradient is 0.
- **The target does not move**, and the first term has a floor, the entropy of $p^*$. The larger $\eta$, the nearer
  that is to 0, and the target to one token: the one that the beginner prefers most *by ratio*, however unlikely it is.
- The logits of the target are $z + \eta\,(z^- - z^+)$: the rule of `dexperts`, with the model itself, behind other
  words, for both experts; and what `dexperts` says at every query is trained into the weights.
- **It takes a model that knows what the words mean.** To one that was trained on questions and answers alone they are
  noise, and $\eta$ turns differences that mean nothing into a target: the answers go, and what comes in their place is
  not chosen by anybody.
- The retain term has value and gradient 0 at the start.

## Differences

1. The paper trains low-rank adapters in these blocks; here their weights train.
2. The released code lets $\eta$ rise along the text from 1 to 1000, divides logits by 1.2, and keeps the 50 likeliest
   tokens of the target. Here $\eta$ is one number, as in the paper's formula.
3. The retain term has the gradient of the paper's cross-entropy to $p_{\theta_0}$; the released code takes the
   likeliest token alone by default.
4. The released code sets a sentence that changes the subject before $\tilde y$, and its two prefixed readers see what
   has been generated and not $x$. Here $\tilde y$ follows $x$ at once, and all three read $x$.
5. The code draws $c_\pm$ from ten wordings each, for texts of a subject; here there is one of each, before questions.
   Behind a chat template it stands before the first turn. Of many subjects the first eight are named.
6. A loss is a mean over an answer's tokens, then over answers; the code sees whole texts, one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Combined,
    LanguageModel,
    Method,
    Prefixed,
    Run,
    UnlearningData,
    by_token,
    hyperparameter,
    mean_kl,
    mean_nll,
    offset_logits,
)

NAMED = 8
"""How many subjects the words before a text name."""


def cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    r"""(N,) $\mathrm{CE}(p^*, p_\theta)$ of (N, V) logits of $p_\theta$ and $p^*$."""
    return -(torch.softmax(wanted, dim=1) * torch.log_softmax(logits, dim=1)).sum(dim=1)


@dataclass(frozen=True)
class ELM(Method):
    r"""Let the model make its own target, then train some blocks towards it."""

    paper = "gandikota2024erasing"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    trains = "part"
    parts = ("blocks",)
    remembers = False
    published = {
        "learning_rate": 5e-5,
        "steps": 2250,
        "batch_size": 4,
        "source": "released code, Zephyr-7B on WMDP: 3000 samples of each of three subjects, four to a step; adapters",
    }

    strength: float = hyperparameter(
        1000.0, "η, how hard the expert's words are turned down", source="code, at a text's end", minimum=0
    )
    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain term", source="code", minimum=0, trade_off=(0.5, 1.0, 2.0, 5.0)
    )
    fluency_weight: float = hyperparameter(1.0, "β, weight of the fluency term", source="code", minimum=0)
    guidance: float = hyperparameter(3.0, "η where text is generated", source="code", minimum=0)
    expert: str = hyperparameter(
        "An expert on {concept}, who knows all there is to know, writes this:\n", "c₊", source="ours, after the code's"
    )
    novice: str = hyperparameter(
        "A beginner, who has never heard of {concept}, writes this:\n", "c₋", source="ours, after the code's"
    )
    shallow: float = hyperparameter(
        0.13, "first block that learns, as a fraction", source="layer 4 of Zephyr-7B's 32", minimum=0, maximum=1
    )
    deep: float = hyperparameter(0.23, "the last", source="layer 7", minimum=0, maximum=1)
    length: int = hyperparameter(32, "tokens of generated text", source="ours; code: 100 to 300", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Generate what is to be said instead, then minimise the three terms."""
        asked = data.prompted()
        subjects = dict.fromkeys(pair.subject for pair in asked.forget if pair.subject)
        concept = ", ".join(list(subjects)[:NAMED]) or "this"
        guided = Combined.of(model, lambda: self.voices(model, concept), lambda z: self.target(z, self.guidance))
        texts = guided.sample([pair.prompt for pair in asked.forget], self.length)
        told = zip(asked.forget, texts, strict=True)
        instead = tuple(replace(pair, alternates=(pair.spaced(text),)) for pair, text in told)
        weights = model.blocks[model.layer_at(self.shallow) : model.layer_at(self.deep) + 1].parameters()

        def erased(logits: Tensor, *voices: Tensor) -> Tensor:
            return cross_entropy(logits, self.target(voices, self.strength))

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            with torch.no_grad():
                voices = [voice.token_logits(batch.forget)[0] for voice in self.voices(batch.before, concept)]
                (before,) = batch.before.token_logits(batch.retain)
            forget, retain, fluent = model.token_logits(batch.forget, batch.retain, batch.preferred)
            kept = self.retain_weight * mean_kl(before, retain) + self.fluency_weight * mean_nll(fluent)
            return forget.mean(by_token(erased, (forget, *voices))) + kept

        prepared = replace(asked, forget=instead)
        return run.minimize(
            loss, model, prepared, weights, self.reference, alternates=True, retain=self.looks_at_retain
        )

    def voices(self, model: LanguageModel, concept: str) -> Sequence[LanguageModel]:
        """The model as it is, as an expert, and as a beginner."""
        words = (text.replace("{concept}", concept) for text in (self.expert, self.novice))
        return (model, *(Prefixed.of(model, text) for text in words))

    @staticmethod
    def target(logits: Sequence[Tensor], strength: float) -> Tensor:
        r"""(..., V) logits of $p^*$, from those of the three voices."""
        base, expert, novice = logits
        return offset_logits(base, novice, expert, strength)
