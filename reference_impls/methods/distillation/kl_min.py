r"""KL minimization (KL).

Ascend on the forget set, and on the retain set stay as close as possible to the model that one started from: not to
the right answers, but to everything it would have said there, token by token.

## Objective

Maini et al. (TOFU, "KL Minimization" of the baseline methods), with $M_{w_0}$ the model before unlearning:

$$
\mathcal L_{\mathrm{KL}}(w) = -L(S_F, w) + \frac{\alpha}{|S_R|} \sum_{s \in S_R} \frac{1}{|s|} \sum_{i=2}^{|s|}
\mathrm{KL}\!\left( M_{w_0}(s_{<i}) \,\|\, M_w(s_{<i}) \right).
$$

## Symbols

- $S_F$, $S_R$: forget and retain set; one random retain example is drawn per forget example.
- $L(S_F, w)$: the mean negative log-likelihood of forget answers, as in gradient ascent.
- $M_w(s_{<i})$: the distribution of the next token after the first $i-1$ of $s$.
- $\alpha$ (`retain_weight`): weight of the KL term; the paper has none, that is 1.

## Facts

- **The first step is gradient ascent's.** At $w = w_0$ the KL term is 0 and so is its gradient: it only starts to act
  once something has gone wrong.
- Its gradient at the logits of a token is $p_w - p_{w_0}$ (the retain loss has $p_w$ minus a one-hot vector there).
  Where the start model is sure and right, the two are the same.
- **Unbounded below**: the KL term stays at 0 or above, the forget term has no floor.
- The direction matters. $\mathrm{KL}(M_{w_0} \| M_w)$ punishes dropping anything that the start model would have said;
  the other direction would let the model narrow down.
- On the embedded task, at a learning rate at which plain ascent leaves no utility, the KL term leaves most of it, and
  more with a larger $\alpha$. The forget answers still become far less likely than under the retrained model, as they
  do under gradient difference.

## Differences

1. The KL term runs over the answer's tokens; the paper's sum includes the question.
2. The released code divides by all positions of a batch, question and padding included: there the term gets weaker
   with the longest sequence. Here it is a mean over tokens and then over examples, as the paper writes it.
3. The weight $\alpha$ is added.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, hyperparameter, mean_kl, mean_nll


def kl_minimization_loss(
    forget: TokenLogits, retain: TokenLogits, retain_before: TokenLogits, retain_weight: float
) -> Tensor:
    r"""() $\mathcal L_{\mathrm{KL}}$ from logits at answer tokens.

    Args:
        forget: logits of $M_w$ on forget answers.
        retain: logits of $M_w$ on retain answers.
        retain_before: logits of $M_{w_0}$ on the same answers.
        retain_weight: $\alpha$.
    """
    return -mean_nll(forget) + retain_weight * mean_kl(retain_before, retain)


@dataclass(frozen=True)
class KLMinimization(LossMethod):
    r"""Minimise $\mathcal L_{\mathrm{KL}}$."""

    paper = "maini2024tofu"
    acts_on = "loss"
    reference = "model"
    retain = "needed"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "warmup": 0.2,
        "source": "paper, Llama-2-7B; 2e-5 for Phi-1.5",
    }

    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the KL term; 0 gives gradient ascent",
        source="TOFU, baseline methods",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        (retain_before,) = batch.before.token_logits(batch.retain)
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return kl_minimization_loss(forget, retain, retain_before, self.retain_weight)
