r"""Iterative contrastive unlearning (ICU).

Ascent on every text that is to be forgotten goes hand in hand with learning a text like it, so that what the two have
in common stays; and each pair is let go by itself, as soon as the model no longer says what was to be forgotten. Texts
that are forgotten early are not pushed on for the sake of those that are not.

## Objective

Tang et al. Each text to forget, $x_u$, is given the most similar one of those to be kept, $x_l$. Over the pairs that
are still active,

$$
\mathcal L = -w_u\, L(x_u; \theta) + w_l\, L(x_l; \theta)
- w_k\, \frac{1}{T} \sum_t \sum_v p_{\theta_0, t}(v) \log p_{\theta, t}(v) .
$$

After every pass over the forget set the model continues each $x_u$, which says $\hat x$, and the pair is active if

$$
\mathrm{ROUGE}(\hat x, x_u) \ge r \quad \text{and} \quad
\frac{\lvert \{ w : w \in \hat x \} \rvert}{\lvert \hat x \rvert} \ge d ,
$$

so that it comes back if the text does. Training ends when no pair is active.

## Symbols

- $L$: the mean negative log-likelihood of answers; $w_u = 1$, $w_l$ (`learn_weight`), $w_k$ (`kl_weight`).
- The third term, over the tokens of $x_l$, is the divergence from the model before unlearning, $\theta_0$, and a
  constant. It is left out here, so that the term is 0 at the start.
- $r$ (`released_below`): how much of the answer, in order, the model's own may still have; $d = 0.25$, the least share
  of distinct words: a model that repeats itself says nothing any more.

## Facts

- **With $r = 0$ a pair is let go for babble alone, with $r > 1$ all are at once**: then no step is taken.
- **With $w_l = w_k = 0$ it is `gradient-ascent` on a set that shrinks**; `ga-until-forgotten` stops at the mean over
  the whole set, this one at every text.
- Similar texts share what both say in the same words, a question and the frame of its answer: there ascent and
  learning cancel, and what differs, the detail, is what goes.
- The more of an answer is a frame that any answer has, the higher $r$ has to be: on `authors` the retrained model,
  which knows none of the forget answers, has 0.47 of their words. With $r = 0.3$ ascent goes on until nothing is left
  of any answer (retain answers: from 0.98 to 0.31); with $r = 0.7$ and $w_l = 2$ at the rate 0.0001 forget answers end
  at 0.17 and retain answers at 0.83, where `ga-until-forgotten` has 0.27 and 0.69.

## Differences

1. Released by BERTScore $< 0.3$ or BLEU $< 0.01$ in the paper (0.4, 0.05, and the distinct tokens, in its code for
   small models); there is no BERT here, so the recall of ROUGE-L stands for both.
2. Neighbours by the distance of sentence embeddings in the paper, by shared words here.
3. The paper's texts have neither prompt nor answer: their first half is continued, and all of it is trained. Here
   answers are; a plain text is continued from its start.
4. A batch whose pairs are all released divides by zero in the released code. Here it takes others that are not.
5. The paper also ends once extraction likelihood and memorization accuracy are below those of unseen texts, as
   `ga-until-forgotten` does, and the code when fewer than 10 of 128 pairs are active. Here no pair may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    mean_kl,
    mean_nll,
    most_alike,
    rouge_l_recall,
)

DISTINCT = 0.25
"""d, the share of distinct words below which a continuation is babble."""


def still_said(model: LanguageModel, pairs: Sequence[Pair], released_below: float) -> set[int]:
    """Which of the answers the model still gives."""
    longest = max(len(ids) for ids in model.tokenizer([pair.answer for pair in pairs])["input_ids"])
    texts = model.generate([pair.prompt for pair in pairs], longest)
    return {
        row
        for row, (pair, text) in enumerate(zip(pairs, texts, strict=True))
        if rouge_l_recall(pair.answer, text) >= released_below
        and len(set(text.split())) >= DISTINCT * len(text.split())
    }


@dataclass(frozen=True)
class ICU(Method):
    r"""Ascend on each text and learn its neighbour, until the text is no longer said."""

    paper = "tang2024learn"
    acts_on = "loss"
    reference = "model"
    retain = "needed"
    stops_itself = True

    released_below: float = hyperparameter(
        0.3, "r, least ROUGE-L recall of an answer that is not forgotten", source="as the paper's BERTScore", minimum=0
    )
    learn_weight: float = hyperparameter(0.5, "w_l, weight of learning the neighbour", source="paper", minimum=0)
    kl_weight: float = hyperparameter(1.0, "w_k, weight of the divergence on the neighbour", source="paper", minimum=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Pair the texts, then train on those that are still said."""
        asked = data.prompted()
        kept = [nearest for (nearest,) in most_alike(asked.forget, asked.retain, 1)]
        every = -(-len(asked.forget) // run.recipe.batch_size)
        active: set[int] = set()

        def finished(step: int) -> bool:
            if step % every == 0:
                with model.evaluating():
                    active.clear()
                    active.update(still_said(model, asked.forget, self.released_below))
            return not active

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            drawn = batch.forget.rows.tolist()
            rows = [row for row in drawn if row in active] or sorted(active)[: len(drawn)]
            learned = model.encode([kept[row] for row in rows])
            forget, learn = model.token_logits(model.encode([asked.forget[row] for row in rows]), learned)
            (before,) = batch.before.token_logits(learned)
            keeping = self.learn_weight * mean_nll(learn) + self.kl_weight * mean_kl(before, learn)
            return keeping - mean_nll(forget)

        return run.minimize(loss, model, asked, reference=self.reference, finished=finished, retain=False)
