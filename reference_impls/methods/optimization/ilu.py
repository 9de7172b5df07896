r"""Invariant LLM unlearning (ILU).

Fine-tuning on anything at all can bring back what was unlearned. Here unlearning itself sees to it that other data have
little to change: beside the losses of `npo` it lowers how much their loss would gain if the model's logits were scaled,
the penalty of invariant risk minimization.

## Objective

Wang et al., with IRMv1's penalty of Arjovsky et al.:

$$
\min_\theta\; \mathcal L_{\mathrm{NPO},\beta}(\theta) + \alpha\, L(\mathcal D_r; \theta)
+ \lambda \sum_{i=1}^N \left\lVert \nabla_w\, \ell_i(w \circ \theta) \big|_{w=1} \right\rVert^2,
\qquad
\frac{\partial \ell_i}{\partial w}\Big|_{w = 1}
= \mathbb E_{(x,y) \sim \mathcal D_i} \frac{1}{|y|} \sum_t \left( \langle p_t, z_t \rangle - z_{t, y_t} \right) .
$$

## Symbols

- $\mathcal L_{\mathrm{NPO},\beta}$, $L$, $\alpha$ (`retain_weight`): see `npo`.
- $\mathcal D_i$, $\ell_i$: an environment, and the mean negative log-likelihood of its answers; data of the kind that
  people may fine-tune on, and not what is to be forgotten.
- $w$: a number with which a model's logits $z$ are multiplied; $w \circ \theta$ is that model; $p$: the softmax of $z$.
- $\lambda$: `invariance`.

## Facts

- **By hand**: of the logits $(2, 0)$ and label 0 the slope by $w$ is $-0.238406$ and the penalty $0.056837$; of equal
  logits it is 0.
- **What it asks for is calibration in one number**: where the slope is below 0 the loss would fall if the model were
  surer of everything, where above, if it were less sure. It is 0 at any temperature that is the best for these data,
  and knows nothing of other directions in which fine-tuning may go. With $\lambda = 0$ this is `npo`.
- **An answer that is known by heart** has a slope below 0 that goes to 0 as it gets more certain: there the penalty is
  a second retain loss, with a gradient that fades.
- **On `authors` the penalty does not do what it is for.** With `npo` at the rate 0.0002 ($\alpha = 5$) forget answers
  end at 0.08, the slope on retain answers at $-0.08$, and fine-tuning on general facts (thirty steps at 0.001) brings
  forget answers to 0.17. $\lambda = 10$ changes nothing; $\lambda = 100$ brings the slope to 0.01 and ends at 0.11,
  which the same fine-tuning brings to 0.23. The one number that it sets right is not what fine-tuning moves here:
  the environment is known by heart, and its slope small without the penalty.

## Differences

1. What $w$ multiplies the paper writes as $w \circ \theta$, a dummy predictor on top of the model; that it is a number
   and scales the logits is how IRMv1 has it. The released repository held no code of it.
2. The environment is the retain set, one ($N = 1$), a batch at a time, for there are no other data; the paper takes
   tasks that have nothing to do with either set (GSM8K alone is enough, it finds).
3. The paper also puts the penalty on `rmu`. Its $\lambda$ was not to be found.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    TokenLogits,
    by_token,
    hyperparameter,
    mean_nll,
    npo_loss,
)


def scale_slope(out: TokenLogits) -> Tensor:
    r"""() $\partial \ell / \partial w$ at $w = 1$, for the mean negative log-likelihood $\ell$ of logits times $w$."""

    def excess(logits: Tensor, targets: Tensor) -> Tensor:
        return (logits.softmax(dim=1) * logits).sum(dim=1) - logits.gather(1, targets[:, None])[:, 0]

    return out.mean(by_token(excess, (out,), out.targets))


@dataclass(frozen=True)
class ILU(LossMethod):
    """Minimise the losses of NPO and the squared slope of the kept answers' loss by the scale of the logits."""

    paper = "wang2025invariance"
    acts_on = "loss"
    reference = "log-probabilities"
    retain = "needed"

    invariance: float = hyperparameter(1.0, "λ, weight of the penalty; 0 gives NPO", source="ours", minimum=0)
    beta: float = hyperparameter(0.1, "β of NPO", source="NPO's paper", above=0)
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="NPO+RT of its released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        assert batch.forget.reference is not None
        forget, retain = model.token_logits(batch.forget, batch.retain)
        reference = forget.sum_by_sequence(batch.forget.reference)
        unlearning = npo_loss(forget.sequence_logprobs(), reference, self.beta) + self.retain_weight * mean_nll(retain)
        return unlearning + self.invariance * scale_slope(retain).square()
