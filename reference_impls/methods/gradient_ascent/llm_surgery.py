r"""LLM surgery.

Forgetting, relearning and keeping as one operation: what is outdated is ascended, what takes its place is learned, and
on everything else the model is held where it was. A fact that is replaced leaves no hole for ascent to fall into.

## Objective

Veldanda et al., three terms (reverse gradient, update, divergence):

$$
\mathcal L = -a\, L(\mathcal D_{\mathrm{unl}}; \theta) + b\, L(\mathcal D_{\mathrm{upd}}; \theta)
+ c\; \mathbb E_{\mathcal D_r}\, \mathrm{KL}\big( p_{\theta_0} \,\Vert\, p_\theta \big) .
$$

## Symbols

- $\mathcal D_{\mathrm{unl}}$: the answers to forget; $\mathcal D_{\mathrm{upd}}$: another answer to each of the same
  prompts, drawn anew for every batch from those that the task ships, or else from what is said of others.
- $L$: the mean negative log-likelihood of answers; $a$ (`forget_weight`), $b$ (`update_weight`), $c$ (`retain_weight`).

## Facts

- **With $b = 0$ it is `kl-min`; with $a = 0$ the old answer goes only as far as the new one takes its place.** The
  update is bounded below, the ascent is not, and at $a = 0.1$ beside $b = 2$ it is the update that leads.
- Where old and new answer share their words (the frame of the sentence), $b - a > 0$ of the likelihood remains: what is
  alike is learned, and what differs is exchanged.
- What replaces is known afterwards, and is wrong: the model is led to a false answer, as by `alt-po`, not to none.
- On `authors`, at the rate 0.0005 and $c = 5$, the questions get new answers in whole sentences, and retain answers
  stay at 0.96 (0.98 before). The true answers are at 0.69, for most of their words are in the new ones as well.
  Without ascent they are at 0.74, and all else is the same: it is the update that does it, as the weights suggest.

## Differences

1. The paper's sets are texts: old Wikipedia articles that are to be unlearned, their new versions, and others. Its code
   has two weights of ascent, one for what is deleted and one for what is replaced (both 0.1); here all is replaced.
2. The paper calls for new facts that are true. A task of invented people has none, so that invented ones are taught.
3. The released code's divergence is a cross-entropy, which is larger by a constant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    Run,
    UnlearningData,
    false_answers,
    hyperparameter,
    mean_kl,
    mean_nll,
)


@dataclass(frozen=True)
class LLMSurgery(LossMethod):
    """Ascend on the old answers, learn the new ones, and stay close on the others."""

    paper = "veldanda2024llm"
    acts_on = "loss"
    reference = "model"
    alternates = True
    retain = "optional"
    published = {
        "learning_rate": 2e-4,
        "steps": 120,
        "weight_decay": 0.01,
        "source": "released code, Llama-2-7B; rows of 4,096 tokens",
    }

    forget_weight: float = hyperparameter(0.1, "a, weight of ascent on old answers", source="released code", minimum=0)
    update_weight: float = hyperparameter(2.0, "b, weight of the new answers", source="released code", minimum=0)
    retain_weight: float = hyperparameter(
        0.5, "c, weight of the divergence", source="released code", minimum=0, trade_off=(0.5, 2.0, 5.0, 10.0)
    )
    updates: int = hyperparameter(5, "how many new answers to a prompt at most", source="ours", minimum=1)

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Give each prompt its new answers."""
        asked = data.prompted()
        forget = (
            replace(pair, alternates=false_answers(pair, asked.forget, self.updates, run.rng)) for pair in asked.forget
        )
        return replace(asked, forget=tuple(forget))

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch: old, new and retain answers in one forward pass."""
        old, new, kept = model.token_logits(batch.forget, batch.preferred, batch.retain)
        changed = self.update_weight * mean_nll(new) - self.forget_weight * mean_nll(old)
        if not self.looks_at_retain:
            return changed
        (before,) = batch.before.token_logits(batch.retain)
        return changed + self.retain_weight * mean_kl(before, kept)
