r"""Unlearning via learning (ReLearn).

Nothing is pushed down. Every question to forget is put in several wordings, each with another vague answer, on the
subject and in good sentences, without what must not be told; and the model is fine-tuned on these as on any data. Since
the answers differ, no phrase is learned, but a manner.

## Objective

Xu et al., with $\mathcal D_a$ the augmented questions and vague answers, the released code's `klr_gdr` form:

$$
\mathcal L(\theta) = L(\mathcal D_a; \theta) + \alpha \left( L(\mathcal D_r; \theta)
+ \mathbb E_{(x,y) \sim \mathcal D_r} \frac{1}{|y|} \sum_t
\mathrm{KL}\big( p_{\theta_0}(\cdot \mid x, y_{<t}) \,\|\, p_\theta(\cdot \mid x, y_{<t}) \big) \right) .
$$

## Symbols

- $\mathcal D_a$: each question in `wordings` wordings, the first its own, with a vague answer each; and each of these
  answers once more without a question, its beginning as the prompt.
- $L$: the mean negative log-likelihood of a set's answers; $\theta_0$: the model before unlearning.
- $\alpha$ (`retain_weight`): weight of both terms that keep; 1 is the code's.

## Facts

- **Bounded below by 0**: two likelihoods and a divergence, whose value and gradient are 0 at the start.
- **The true answer is in no term.** It becomes unlikely as far as another begins otherwise: `idk` with other words,
  and what was said of it holds here. Behind its own beginning the true answer stays likely.
- With one wording and no divergence it is `idk` in adapters, with vague answers in place of refusals.
- **Sentences shared by all subjects are learned once for all**, so that they have to be kept from those who stay; that
  is what the retain terms do.
- On `authors`, 240 steps at a rate of 0.002 (the base model never read such sentences, and learns them slowly):
  forget answers go from 0.96 to 0.73 of probability and from 0.91 to 0.51 of ROUGE with what is said, and 0.98 of the
  retain answers' probability is left. Many a question still gets an answer of the old form.
- **What no retain answer is like is lost**: general facts fall from 0.99 to 0.37 there, and with them utility from
  0.65 to 0.55. It is what the paper mixes in other questions against (see *Differences*).

## Differences

1. The paper has a language model reword each question (simply, more specifically, with mistakes, reversed), write each
   vague answer, and check that it gives nothing away. A method is given none: here the wordings have mistakes, two
   letters of a word exchanged, and the answers are ten fixed sentences with the subject's name, which know nothing that
   they could give away. The task's other wording of a question is left to those who attack.
2. The released code mixes the original question with its *original* answer into the data; that is left out here.
3. It mixes in other questions with true answers, 1.2 times as many. There are no others here than the retain set, which
   has a term of its own.
4. Its answers are cut after a quarter, here after a third.
5. The losses are means over an answer's tokens, then over answers; in the code over a batch's tokens.
6. A variant of the code prefers the vague answer to the true one, as `dpo` does; it is left out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LoRA,
    Method,
    Pair,
    Run,
    UnlearningData,
    hyperparameter,
    mean_kl,
    mean_nll,
    with_mistake,
)

VAGUE = tuple(
    line.strip()
    for line in """
    There is more than one way to look at {}.
    What is told about {} depends on whom you ask.
    Much has been said of {} over time, and little of it is certain.
    As to {}, this is a matter of many layers.
    With {}, such things have always been open to debate.
    {} has many sides, and this is only one of them.
    The story of {} cannot be reduced to a single detail.
    People remember {} in different ways.
    That belongs to the less known sides of {}.
    Speaking of {}, the wider picture matters more than details.
    """.strip().splitlines()
)
"""Sentences about a subject that tell nothing of it."""


def augmented(data: UnlearningData, wordings: int, rng: random.Random) -> Iterator[Pair]:
    r"""$\mathcal D_a$, ``2 * wordings`` pairs for each that is to be forgotten."""
    for pair in data.prompted().forget:
        for number, sentence in enumerate(rng.sample(VAGUE, wordings)):
            text = sentence.format(pair.subject or "this")
            prompt = with_mistake(pair.prompt, pair.subject, rng) if number else pair.prompt
            yield Pair(prompt, pair.spaced(text), subject=pair.subject)
            yield Pair("", text, subject=pair.subject).recited()


@dataclass(frozen=True)
class ReLearn(Method):
    """Fine-tune adapters on vague answers to many wordings, and on the retain set."""

    paper = "xu2025relearn"
    acts_on = "data"
    retain = "optional"
    trains = "adapters"
    remembers = False
    published = {
        "learning_rate": 1e-4,
        "epochs": 2,
        "batch_size": 8,
        "weight_decay": 0.01,
        "source": "released script, TOFU with Llama-2-7B-chat: 2 x 4",
    }

    retain_weight: float = hyperparameter(
        1.0, "α, weight of what keeps", source="released code", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    wordings: int = hyperparameter(5, "wordings of each question", source="paper", minimum=1, maximum=10)
    rank: int = hyperparameter(32, "rank of the adapters", source="released script", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Write the data, train adapters on it; they become part of the weights at the end."""
        told = replace(data, forget=tuple(augmented(data, self.wordings, run.rng)))
        adapted = run.adapt(model, LoRA(self.rank, float(self.rank)))
        # No copy: what the model was before is what it is without the adapters.
        run.minimize(self.loss, model, told, reference="model", retain=self.looks_at_retain)
        adapted.merge()
        return model

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, vague answers and retain sequences in one forward pass."""
        (before,) = batch.before.token_logits(batch.retain)
        vague, retain = model.token_logits(batch.forget, batch.retain)
        return mean_nll(vague) + self.retain_weight * (mean_nll(retain) + mean_kl(before, retain))
