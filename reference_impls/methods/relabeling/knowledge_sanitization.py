r"""Knowledge sanitization (Sanitization).

Teach the model to say one harmless sentence, "I don't know", wherever it would have told what it should not, and its
usual answers everywhere else. A low-rank adapter learns both from ordinary fine-tuning; nothing is ever pushed down.

## Objective

Ishibashi and Shimodaira fine-tune on the union of two sets,

$$
\min_{\phi} \; -\sum_{(x,y) \in \mathcal K_S \cup \mathcal K_R} \sum_{t} \log p_{\theta_0 + \phi}(y_t \mid x, y_{<t}),
\qquad
\mathcal K_S = \{ (x, s) : (x, y) \in \mathcal K_F \},
$$

in which only a low-rank change of each weight is learned, $\phi = \frac{\alpha}{r} B A$.

## Symbols

- $\mathcal K_F$: the knowledge to forget; $\mathcal K_S$ its questions with the phrase $s$ (`phrase`) as the answer.
- $\mathcal K_R$: other questions with their right answers, drawn from the retain set so that a share $\rho$ (`share`)
  of $\mathcal K_S \cup \mathcal K_R$ is sanitized.
- $\theta_0$: the weights before unlearning, which stay as they are; $A$, $B$: the factors of the adapter, of rank
  $r$ (`rank`), with scaling $\alpha$ (`alpha`).

## Facts

- **Bounded below by 0**: a likelihood of chosen answers. Weights start where they were, for $B = 0$.
- **What is hidden is not gone.** No term holds the true answer: it becomes unlikely only as far as the phrase takes its
  place at the answer's *first* token. Forced past that, the model still knows the rest.
- **It takes as many steps as the phrase takes to learn.** On `authors`, whose base model never read the word "I", 60
  steps leave it unsaid at any learning rate; after 240 the questions are answered with it more and more (ROUGE with
  the truth 0.39 at 3e-3), retain answers are kept (ROUGE 0.93), and the right forget answers still have a probability
  of 0.58 per token.
- **One phrase is easy to learn and easy to overdo**: with few retain pairs everything is answered with it.
- Apart from the adapter, it is the refusal fine-tuning that TOFU later called preference optimization, with one phrase.

## Differences

1. The released code has the loss on the prompt as well and no end-of-sequence token after the answer. Here the prompt
   is masked and the answer ends, as it must for a phrase to be all that is said.
2. Its adapter sits on the query, value and gate projections, with dropout; here on every linear layer of the blocks,
   without dropout. Afterwards it is merged into the weights.
3. An answer's loss is the mean over its tokens and a batch averages over answers, where the paper sums.
4. Of a plain text the beginning, up to the first mention of its subject, is the question.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reference_impls.toolkit import LanguageModel, Method, Pair, Run, UnlearningData, hyperparameter


def sanitized(pairs: Sequence[Pair], phrase: str) -> list[Pair]:
    r"""$\mathcal K_S$: the same questions, each answered with the phrase; of a plain text, its beginning is asked."""
    return [
        replace(pair, answer=pair.spaced(phrase), paraphrase=None, perturbed=(), closed=True)
        for pair in (pair.prompted() for pair in pairs)
    ]


def mixture(
    forget: Sequence[Pair], retain: Sequence[Pair], phrase: str, share: float, rng: random.Random
) -> list[Pair]:
    r"""$\mathcal K_S \cup \mathcal K_R$, with as many of ``retain`` as make the share of $\mathcal K_S$ equal $\rho$.

    If there are not enough, all of them are in it, and the share is larger.
    """
    wanted = round(len(forget) * (1 - share) / share)
    return [*sanitized(forget, phrase), *rng.sample(retain, min(wanted, len(retain)))]


@dataclass(frozen=True)
class KnowledgeSanitization(Method):
    """Fine-tune an adapter on the phrase for what is forgotten and on right answers for the rest."""

    paper = "ishibashi2023knowledge"
    acts_on = "data"
    retain = "needed"
    trains = "adapters"
    published = {
        "learning_rate": 3e-4,
        "epochs": 20,
        "batch_size": 128,
        "source": "released code, adapters of LLaMA-7B",
    }

    phrase: str = hyperparameter("I don't know.", "s, the harmless answer", source="paper")
    share: float = hyperparameter(
        0.15,
        "ρ, sanitized share of the training data",
        source="released data",
        above=0,
        maximum=1,
        trade_off=(0.05, 0.15, 0.3, 0.5),
    )
    rank: int = hyperparameter(8, "r, rank of the adapter", source="released code", minimum=1)
    alpha: float = hyperparameter(16.0, "α, scaling of the adapter", source="released code", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Mix the data, fine-tune the adapter, merge it."""
        pairs = mixture(data.forget, data.retain, self.phrase, self.share, run.rng)
        return run.finetune_lora(model, pairs, self.rank, self.alpha, stage="unlearning")
