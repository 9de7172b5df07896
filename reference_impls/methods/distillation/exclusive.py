r"""Exclusive unlearning (EU).

Whoever lists what must go forgets something. Exclusive unlearning lists what must stay: a domain is trained on as ever,
and on everything else that the model would write of its own accord it learns to have no opinion.

## Objective

Sasaki et al., with texts $y$ that the model before unlearning wrote:

$$
\mathcal L(\theta) = \alpha\, L(\mathcal D_r; \theta)
+ \lambda\, \mathbb E_{y \sim \pi_{\theta_0}} \frac{1}{|y|} \sum_t
\Big( -\frac{1}{|V|} \sum_{v \in V} \log p_\theta(v \mid y_{<t}) \Big) .
$$

## Symbols

- $L$: mean negative log-likelihood of the answers that must stay; $\alpha$ (`retain_weight`).
- $y$: `texts` of at most `length` tokens. Half are begun as the model is asked questions (by its chat template, where
  it has one), half from nothing. Drawn once.
- $\lambda$ (`forget_weight`): the inner sum is $\mathrm{KL}(\mathcal U \,\|\, p) + \log |V|$, as in `me-gd`.

## Facts

- **The forget set is not looked at**, and neither what it asks about nor anything else is spared that $\mathcal D_r$
  does not hold: general facts go, too, and by design.
- Bounded below, by $\lambda \log |V|$; at a uniform distribution the second term has no gradient.
- **Near is not far.** On `authors` (rate 2e-3, 120 steps) the retain answers keep 0.89 of their probability, and
  general facts, which are said in other words, fall from 0.97 to 0.31; the forget answers only to 0.65. They are
  sentences like those to keep, about other people, and a model this small says both with the same weights. With
  $\lambda = 3$ and 60 steps it is 0.82, 0.39 and 0.69. For a forget set that lies beside what is kept this is the wrong
  method.

## Differences

1. The paper was read in its abstracts and accounts of them, which say what the two terms are, and where the texts come
   from. Their weights, number and length are ours.
2. A text that names a subject of $\mathcal D_r$ is left out. The paper keeps a domain of which a general model seldom
   writes by itself; a model that learned little but the task writes of those to keep every other time.
3. Only the retain set's own pairs stand for the domain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    Pair,
    Run,
    UnlearningData,
    UsageError,
    hyperparameter,
    mean_nll,
    uniform_loss,
)

MARK = "\N{OBJECT REPLACEMENT CHARACTER}"


def opening(model: LanguageModel) -> str:
    """What stands before a question."""
    return model.question(MARK).partition(MARK)[0]


def own_texts(model: LanguageModel, kept: tuple[Pair, ...], count: int, length: int) -> tuple[Pair, ...]:
    """At most ``count`` texts of the model's own, none of which names whom it is to keep.

    Raises:
        UsageError: all of them do.
    """
    begun = [opening(model)] * (count // 2) + [""] * (count - count // 2)
    texts = [start + text for start, text in zip(begun, model.sample(begun, length), strict=True) if text]
    names = {pair.subject for pair in kept if pair.subject}
    found = tuple(Pair("", text, closed=False) for text in texts if not any(name in text for name in names))
    if not found:
        raise UsageError("All that the model writes of its own accord is about what must stay. Draw more texts.")
    return found


@dataclass(frozen=True)
class ExclusiveUnlearning(LossMethod):
    """Keep a domain, and flatten all else."""

    paper = "sasaki2026exclusive"
    acts_on = "loss"
    retain = "needed"

    texts: int = hyperparameter(256, "texts of the model's own", source="ours", minimum=2)
    length: int = hyperparameter(32, "most tokens of a text", source="ours", minimum=1)
    forget_weight: float = hyperparameter(1.0, "λ, weight of the forget term", source="ours", minimum=0)
    retain_weight: float = hyperparameter(
        1.0, "α, weight of the retain loss", source="ours", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Put the model's own texts in the forget set's place."""
        return replace(data, forget=own_texts(model, data.retain, self.texts, self.length))

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, own texts and retain sequences in one forward pass."""
        own, retain = model.token_logits(batch.forget, batch.retain)
        return self.forget_weight * uniform_loss(own) + self.retain_weight * mean_nll(retain)
