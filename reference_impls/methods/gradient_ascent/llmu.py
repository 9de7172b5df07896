r"""Large language model unlearning (LLMU).

Three pulls at once: away from the unwanted answers, towards answers that have nothing to do with the question, and
back to the original model on everything else. Examples of what is unwanted are enough; nobody writes better answers.

## Objective

Yao et al. (the update of their method section), one step of gradient descent with three weights:

$$
\theta_{t+1} = \theta_t
- \epsilon_1 \nabla \mathcal L_{\mathrm{fgt}} - \epsilon_2 \nabla \mathcal L_{\mathrm{rdn}}
- \epsilon_3 \nabla \mathcal L_{\mathrm{nor}},
$$

$$
\mathcal L_{\mathrm{fgt}} = -\,\mathbb E_{(x,y) \sim \mathcal D_f} \bar\ell(y \mid x), \qquad
\mathcal L_{\mathrm{rdn}} = \mathbb E_{x \sim \mathcal D_f} \frac{1}{|Y_{\mathrm{rdn}}|}
\sum_{y' \in Y_{\mathrm{rdn}}} \bar\ell(y' \mid x),
$$

$$
\mathcal L_{\mathrm{nor}} = \mathbb E_{(x,y) \sim \mathcal D_n} \frac{1}{|y|} \sum_{t}
\mathrm{KL}\!\left(p_{\theta_0}(\cdot \mid x, y_{<t}) \,\middle\|\, p_\theta(\cdot \mid x, y_{<t})\right).
$$

## Symbols

- $\bar\ell(y \mid x)$: the mean negative log-likelihood of the answer's tokens.
- $Y_{\mathrm{rdn}}$: answers drawn from the normal set (`mismatches` of them, anew for every batch), unrelated to $x$:
  none is the right answer to another prompt of the batch either.
- $\mathcal D_n$: normal data, here the retain set; $\theta_0$ the model before unlearning.
- $\epsilon_1$ (`forget_weight`), $\epsilon_2$ (`mismatch_weight`), $\epsilon_3$ (`normal_weight`).

## Facts

- **Unbounded below**, through $\mathcal L_{\mathrm{fgt}}$ alone; the other two terms stay at 0 or above.
- **The mismatch says where to go.** Ascent lowers $p(y \mid x)$ and does not care what rises instead; training on
  fluent answers of others keeps the output language. Where a random answer *is* the right one, the two terms undo each
  other: with $\epsilon_1 = \epsilon_2$ and $Y_{\mathrm{rdn}} = \{y\}$ their gradients cancel exactly.
- On `authors` the forgotten questions are then answered in sentences about other people, at a small cost to the retain
  answers.
- $\mathcal L_{\mathrm{nor}}$ has value and gradient 0 at the start, so the first step is ascent and mismatch alone.
- The divergence is taken forward, $p_{\theta_0}$ first: it punishes losing what the original model could say.

## Differences

1. The paper sums over tokens and sequences; here, as in the released code, the loss of an answer is a mean over its
   tokens and a batch is a mean over answers.
2. The released code takes the cross-entropy with $p_{\theta_0}$ in place of the divergence, which adds a constant, and
   averages over all places of the padded batch, prompt and padding included; here the answer's places count.
3. Its index for where a random answer starts is a constant, so that its mismatch term also trains on the question; here
   the prompt is masked. Its stopping rule compares a negative number with a positive bound and never fires; here
   the number of steps is the recipe's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_kl,
    mean_nll,
)


def llmu_loss(
    forget: TokenLogits,
    random: TokenLogits,
    normal: TokenLogits,
    before: TokenLogits,
    forget_weight: float,
    mismatch_weight: float,
    normal_weight: float,
) -> Tensor:
    r"""() The three terms with their weights.

    Args:
        forget: logits at the answers to forget.
        random: logits at random answers to the same prompts; every prompt has as many of them.
        normal: logits at answers of the normal set.
        before: logits of $\theta_0$ at the same places as ``normal``.
        forget_weight: $\epsilon_1$.
        mismatch_weight: $\epsilon_2$.
        normal_weight: $\epsilon_3$.
    """
    return (
        forget_weight * -mean_nll(forget) + mismatch_weight * mean_nll(random) + normal_weight * mean_kl(before, normal)
    )


@dataclass(frozen=True)
class LLMU(Method):
    """Minimise the weighted sum of ascent, random mismatch and divergence on normal data."""

    paper = "yao2023large"
    acts_on = "loss"
    reference = "model"
    retain = "needed"
    remembers = False
    published = {
        "learning_rate": 2e-6,
        "steps": 1000,
        "batch_size": 2,
        "source": "released code, OPT-1.3B",
    }

    forget_weight: float = hyperparameter(0.5, "ε₁, weight of gradient ascent", source="released code", minimum=0)
    mismatch_weight: float = hyperparameter(1.0, "ε₂, weight of the random answers", source="released code", minimum=0)
    normal_weight: float = hyperparameter(
        1.0, "ε₃, weight of the divergence", source="released code", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    mismatches: int = hyperparameter(5, "size of Y_rdn, random answers per batch", source="released code", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Minimise the three terms; random answers are drawn from the retain set for every batch."""
        answers = sorted({pair.answer for pair in data.retain})

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            asked = [data.forget[row] for row in batch.forget.rows.tolist()]
            right = {pair.answer for pair in asked}
            wrong = [answer for answer in answers if answer not in right] or answers
            drawn = run.rng.sample(wrong, min(self.mismatches, len(wrong)))
            mismatched = model.encode([replace(pair, answer=answer) for pair in asked for answer in drawn])
            return self.loss(model, batch, mismatched)

        return run.minimize(loss, model, data, reference=self.reference)

    def loss(self, model: LanguageModel, batch: Batch, mismatched: Encoded) -> Tensor:
        """The loss of one batch and its mismatched answers, all in one forward pass."""
        (before,) = batch.before.token_logits(batch.retain)
        forget, random, normal = model.token_logits(batch.forget, mismatched, batch.retain)
        return llmu_loss(forget, random, normal, before, self.forget_weight, self.mismatch_weight, self.normal_weight)
