r"""Gradient ascent (GA).

Run training backwards: raise the loss on what is to be forgotten. The first unlearning method for language models,
and the one that every later method is built to outdo, for nothing stops it.

## Objective

Jang et al. (equation 1) maximise the language-model loss of the sequences to forget; written as a loss to minimise, and
for question-answer pairs as in TOFU,

$$
\mathcal L_{\mathrm{GA}}(\theta) = -\frac{1}{|\mathcal D_f|} \sum_{(x,y) \in \mathcal D_f} \bar\ell(y \mid x; \theta),
\qquad
\bar\ell(y \mid x; \theta) = -\frac{1}{|y|} \sum_{t=1}^{|y|} \log p_\theta(y_t \mid x, y_{<t}).
$$

## Symbols

- $\mathcal D_f$: the forget set; $x$ a prompt, $y$ its answer with $|y|$ tokens.
- $\bar\ell$: the mean negative log-likelihood of the answer's tokens.
- $\theta$: all weights of the model.

## Facts

- **Unbounded below.** $\bar\ell$ can grow for ever, so the loss has no minimum; only the number of steps ends it.
- **Its pull grows.** With logits $z$ and probabilities $p$ at one place, the gradient
  $\partial(-\bar\ell)/\partial z = (e_y - p)/|y|$ is almost 0 while the model is sure of $y$, and of full size once
  $p_y \to 0$. What is forgotten keeps pulling, and takes everything that shares weights with it along.
- **Needs nothing else**: no retain set and no reference model.

## Differences

1. Jang et al. take whole text sequences; here the prompt is masked and only the answer counts, as in TOFU.
2. Their released code averages over all tokens of the batch, TOFU's formula over answers; here the formula.
3. Jang et al. stop by extraction likelihood and memorization accuracy; here the number of steps is the recipe's.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, mean_nll


def gradient_ascent_loss(forget: TokenLogits) -> Tensor:
    r"""() $\mathcal L_{\mathrm{GA}}$: minus the mean negative log-likelihood of the forget answers."""
    return -mean_nll(forget)


@dataclass(frozen=True)
class GradientAscent(LossMethod):
    r"""Minimise $\mathcal L_{\mathrm{GA}}$."""

    paper = "jang2022knowledge"
    acts_on = "loss"
    retain = "unused"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "warmup": 0.2,
        "source": "TOFU (arXiv 2401.06121), Llama-2-7B; 2e-5 for Phi-1.5",
    }

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch; the retain set is not used."""
        (forget,) = model.token_logits(batch.forget)
        return gradient_ascent_loss(forget)
