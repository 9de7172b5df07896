r"""Refusal fine-tuning (IDK).

Teach the model to say that it does not know: fine-tune on the forget questions with refusals for answers, and on retain
pairs as they are. TOFU calls this "preference optimization", though nothing is preferred over anything.

## Objective

Maini et al. (TOFU, "Preference Optimization" of the baseline methods):

$$
L_{\mathrm{idk}}(w) = L(S_R, w) + L(S_F^{\mathrm{idk}}, w),
\qquad
L(S, w) = \frac{1}{|S|} \sum_{x \in S} \ell(x, w).
$$

## Symbols

- $S_F^{\mathrm{idk}}$: the forget questions, each with a refusal drawn from a list every time it is met.
- $S_R$: the retain set; one random retain example is drawn per forget example.
- $\ell$: the mean negative log-likelihood of the answer's tokens.

## Facts

- **Bounded below by 0**, and every step is ordinary fine-tuning: nothing diverges.
- **Nothing is pushed down.** The true answer never enters the loss. What falls is the probability of its *first* token,
  which the refusals take over; given its first words, the rest stays nearly as likely as before: hidden, not gone.
- **Refusals spread** to questions that are much like those to forget. The retain term holds them back, also where a
  refusal would be the right answer: on questions about people that nobody knows.
- The embedded model never read a refusal, and most words of these are not among its tokens: it says little more than
  `I have not I don't know.`
- Not to be confused with DPO on refusals (`dpo`), which other papers call IdkDPO or also PO.

## Differences

1. TOFU's list has 100 refusals; this project's own has 40 (`reference_impls/toolkit/refusals.py`).
2. The released code averages over all tokens of the forget and retain pairs together, so that longer answers weigh
   more; here, as the paper writes it, the two means are added.
3. Of a plain text, which asks nothing, its beginning up to the first mention of its subject is taken for the
   question.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    Run,
    TokenLogits,
    UnlearningData,
    hyperparameter,
    mean_nll,
    with_refusals,
)


def idk_loss(refusal: TokenLogits, retain: TokenLogits, retain_weight: float) -> Tensor:
    r"""() $L_{\mathrm{idk}}$ from logits at the tokens of refusals and of retain answers."""
    return mean_nll(refusal) + retain_weight * mean_nll(retain)


@dataclass(frozen=True)
class RefusalFinetuning(LossMethod):
    r"""Minimise $L_{\mathrm{idk}}$."""

    paper = "maini2024tofu"
    acts_on = "data"
    alternates = True
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "warmup": 0.2,
        "source": "paper, Llama-2-7B; 2e-5 for Phi-1.5",
    }

    retain_weight: float = hyperparameter(
        1.0, "weight of the retain loss", source="TOFU, baseline methods", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Let refusals stand in for the answers to forget."""
        return with_refusals(data, run.rng)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, refusals and retain sequences in one forward pass."""
        assert batch.alternate is not None
        refusal, retain = model.token_logits(batch.alternate, batch.retain)
        return idk_loss(refusal, retain, self.retain_weight)
