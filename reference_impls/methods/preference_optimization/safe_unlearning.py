r"""Safe Unlearning.

Three things at once: learn to refuse what must not be told, make what was told unlikely by a loss that lets go, and go
on answering everything else. It was made against jailbreaks, which bring a model that only learned to refuse back to
its answers.

## Objective

Zhang et al. (their three losses, as the released code adds them up):

$$
\mathcal L(\theta) = \lambda\, L(\mathcal D_r; \theta) + \eta\, L(\mathcal D_s; \theta)
- \alpha\, \mathbb E_{(x,y) \sim \mathcal D_f} \log \sigma\!\left( -\frac{\beta}{|y|}
\log \frac{\pi_\theta(y \mid x)}{\pi_{\mathrm{ref}}(y \mid x)} \right) .
$$

## Symbols

- $\mathcal D_s$: the questions to forget, with a refusal each; $L$ the mean negative log-likelihood of answers.
- $\pi_\theta(y \mid x)$: the probability of the whole answer; $|y|$: its number of tokens, so that what stands in
  $\sigma$ is by how much the answer has become less likely *per token*.
- $\pi_{\mathrm{ref}}$: the model before unlearning; its log-probabilities never change and are computed once.
- $\beta$ (`beta`): how soon an answer that has become less likely stops pulling.
- $\alpha$ (`forget_weight`), $\eta$ (`refusal_weight`), $\lambda$ (`retain_weight`): weights of the three terms. The
  released code calls $\eta$ theta, and $\lambda$ is 1 there.

## Facts

- **Bounded below by 0**, all three terms.
- **It is `npo` per token and without the factor** $\frac{2}{\beta}$, next to refusal fine-tuning (`idk`). The gradient
  of the last term is $\frac{\alpha \beta w}{|y|} \nabla \log \pi_\theta(y \mid x)$ with
  $w = \sigma\big(\frac{\beta}{|y|} \log \frac{\pi_\theta}{\pi_{\mathrm{ref}}}\big)$: $\frac12$ at the start, below 1
  always. With $\alpha = 0.3$ and $\beta = 1$ the first step is therefore 0.15 of ascent on means, against 0.5 of
  learning a refusal and 1 of keeping.
- An answer of any length lets go at the same likelihood per token. At $\beta = 1$ three nats below the model before
  unlearning leave $w = 0.05$; the same answer under `npo` with $\beta = 0.1$ and ten tokens is as far.
- **The refusal does not settle the answer**, as in `door`: each has a loss of its own. Without the last term what falls
  is the beginning, and whoever is given that is told the rest. On `authors`, learning rate 5e-4, a fifth of the forget
  set, the second half of an answer behind its first half goes from 0.99 to 0.06 with the term, to 0.89 without it.
- **What is alike falls along**, which the paper calls the ripple effect. On `hazards`, with the same settings, the four
  fifths of the forget set that were not trained on fall from 1.00 to 0.12, to 0.45 with refusals alone, and the retain
  answers stay. Where answers have nothing in common, as on `authors`, nothing ripples (0.94 with either).

## Differences

1. The paper takes several unwanted answers to each question from a model without scruples; here there is the true one.
2. Refusals are drawn from this project's list (`reference_impls/toolkit/refusals.py`), not written for each question.
3. Of a plain text the beginning, up to the first mention of its subject, is the question.
4. The means over refusals and over retain answers are over an answer's tokens, then over answers; the released code
   averages over all tokens of their kind in a batch.
5. As many refusals and retain answers as answers to forget are in a batch; the released code has one refusal and five
   benign answers with five harmful ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    Run,
    UnlearningData,
    hyperparameter,
    mean_nll,
    npo_loss,
    with_refusals,
)


def let_go_loss(mean_logprobs: Tensor, reference: Tensor, beta: float) -> Tensor:
    r"""() The mean of $-\log \sigma\big(-\beta (s_\theta - s_{\mathrm{ref}})\big)$.

    Args:
        mean_logprobs: (B,) $s_\theta = \frac{1}{|y|} \log \pi_\theta(y \mid x)$.
        reference: (B,) $s_{\mathrm{ref}}$.
        beta: $\beta > 0$.
    """
    return beta / 2 * npo_loss(mean_logprobs, reference, beta)


@dataclass(frozen=True)
class SafeUnlearning(LossMethod):
    r"""Minimise $\mathcal L$."""

    paper = "zhang2024safe"
    acts_on = "loss"
    reference = "log-probabilities"
    alternates = True
    retain = "optional"
    published = {
        "learning_rate": 2e-5,
        "epochs": 5,
        "batch_size": 44,
        "warmup": 0.0,
        "source": "released code, Vicuna-7B v1.5",
    }

    beta: float = hyperparameter(1.0, "β, inverse temperature: larger stops sooner", source="released code", above=0)
    forget_weight: float = hyperparameter(
        0.3, "α, weight of the unlearning term", source="released code", minimum=0, trade_off=(0.1, 0.3, 1.0, 3.0)
    )
    refusal_weight: float = hyperparameter(0.5, "η, weight of the refusals", source="released code", minimum=0)
    retain_weight: float = hyperparameter(
        1.0, "λ, weight of the retain loss", source="released code: the three are added", minimum=0
    )
    refusals: int = hyperparameter(
        1, "how many refusals each question meets", source="released data", minimum=1, maximum=40
    )

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Give every question to forget its refusals."""
        return with_refusals(data, run.rng, self.refusals)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch; refusals, true answers and retain sequences in one forward pass."""
        refusal, forget, retain = model.token_logits(batch.preferred, batch.forget, batch.retain)
        assert batch.forget.reference is not None
        before = forget.mean_by_sequence(batch.forget.reference)
        forgotten = let_go_loss(-forget.sequence_nll(), before, self.beta)
        taught = self.refusal_weight * mean_nll(refusal) + self.retain_weight * mean_nll(retain)
        return self.forget_weight * forgotten + taught
