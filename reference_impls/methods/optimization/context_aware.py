r"""Context-aware unlearning (context-aware).

Who unlearns a fact also unlearns to read it: put into the prompt, by its user or by a retriever, it is not taken up any
more. A third term, for any objective, asks that behind a text that has the answer the model says what it said before
unlearning. What it knows by itself is not in that term.

## Objective

Peng et al., around a forget loss $\mathcal L_f$ and a retain loss:

$$
\mathcal L(\theta) = \mathcal L_f(\theta) + \lambda\, L(\mathcal D_r; \theta) + \lambda_c\, \mathcal C(\theta),
\qquad
\mathcal C(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\mathrm{KL}\big( p_\theta(\cdot \mid c, x, y_{<t}) \,\|\, p_{\mathrm{ref}}(\cdot \mid c, x, y_{<t}) \big).
$$

## Symbols

- $c$: a context that says what $y$ says, here the question with its true answer, before the question.
- $p_{\mathrm{ref}}$: the model before unlearning. $\mathrm{KL}$ is the divergence per answer token, in the direction of
  the penalties of reinforcement learning: it costs to say what the model would not have said.
- $\mathcal L_f$ (`objective`): `npo`, with $\beta$ (`beta`), or `ascent`, minus the negative log-likelihood.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`); $\lambda_c$ (`context_weight`).

## Facts

- **$\lambda_c = 0$ is the objective itself**, and $\mathcal C$ is 0 at the start, where it has no gradient either.
- **The two ends do not contradict each other** where a model can tell a prompt that has the answer from one that has
  not; how far they do is up to the model, and $\lambda_c$ weighs them. In the paper the weight hardly matters.
- **What may be said with the fact at hand is not forgotten**: whoever gets the model to write the fact first has it.
- **On `authors`** (rate $2 \cdot 10^{-4}$, $\lambda = 1$; the mean probability of forget answers alone, behind the
  context, and behind the same in other words): before 0.96, 0.89, 0.88; `npo` alone leaves 0.03, 0.05, 0.05. With
  $\lambda_c = 2$ it is 0.07, 0.34, 0.32, with $\lambda_c = 5$ 0.10, 0.61, 0.54. An answer that is invented and told is
  read as well as before, too (0.61; 0.05, 0.26, 0.45): what comes back is the reading, not the fact.
- **The small model tells the two ends apart with effort**: the more it reads, the more it knows by itself. With
  `ascent` and $\lambda_c = 2$ it ends at 0.36, 0.82, 0.72, where ascent alone has 0.07, 0.09, 0.09.
- Each step reads the forget answers twice, and so does the frozen model.

## Differences

1. The paper's formula and weights are taken from public notes on it, which agree with its abstract and with each
   other; it has no released code. They write the divergence for the distribution behind $(x, c)$; that it is taken at
   every token behind the true answer so far, as in other retain terms, is this file's reading.
2. The paper's context is a statement of the answer; here the question stands with it, as in the dialogues from which
   embedded models learned to read a context. A plain text stands before its own beginning.
3. The paper adds the term to `rmu` and `undial` too; here to losses of answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    ascent_or_npo,
    hyperparameter,
    mean_kl,
    mean_nll,
)


def in_context(model: LanguageModel, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs behind a text that has the answer."""
    return [replace(pair, prompt=model.behind(model.shown(pair), pair.prompt)) for pair in pairs]


@dataclass(frozen=True)
class ContextAware(Method):
    r"""Unlearn, and stay near $p_{\mathrm{ref}}$ where the context has the answer."""

    paper = "peng2025forget"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    remembers = False

    objective: str = hyperparameter("npo", "how it unlearns", source="paper: among others", choices=("npo", "ascent"))
    beta: float = hyperparameter(0.1, "β, npo's inverse temperature", source="NPO's paper", above=0)
    context_weight: float = hyperparameter(
        2.0, "λ_c, weight of what is said in context", source="paper, NPO with Gemma-2B-IT", minimum=0
    )
    retain_weight: float = hyperparameter(
        1.0, "λ, weight of the retain loss", source="NPO's released code", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Write the contexts, then minimise."""
        told = in_context(model, data.prompted().forget)

        def step(model: LanguageModel, batch: Batch) -> Tensor:
            return self.loss(model, batch, model.encode([told[row] for row in batch.forget.rows.tolist()]))

        return run.minimize(step, model, data, reference=self.reference, retain=self.looks_at_retain)

    def loss(self, model: LanguageModel, batch: Batch, told: Encoded) -> Tensor:
        """The loss of one batch and of its forget answers in context, all in one forward pass."""
        forget_before, told_before = batch.before.token_logits(batch.forget, told)
        forget, now, retain = model.token_logits(batch.forget, told, batch.retain)
        forgotten = ascent_or_npo(forget, forget_before.token_logprobs(), self.objective, self.beta)
        return forgotten + self.context_weight * mean_kl(now, told_before) + self.retain_weight * mean_nll(retain)
