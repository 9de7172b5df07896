r"""Alternate preference optimization (AltPO).

Pushing an answer down says nothing about what should come up instead, and what comes up is often nonsense. AltPO has
the model itself invent other plausible answers first, and then lets it prefer them over the true one.

## Objective

Mekala et al. (section 3), with $M$ alternates $y_a$ of each question's true answer $y$:

$$
\mathcal L(\theta) = -\frac{2}{\beta}\, \mathbb E_{(x,y) \sim \mathcal D_f}\, \mathbb E_{y_a \sim A(x)} \log
\sigma\!\left( \beta \log \frac{\pi_\theta(y_a \mid x)}{\pi_{\mathrm{ref}}(y_a \mid x)}
- \beta \log \frac{\pi_\theta(y \mid x)}{\pi_{\mathrm{ref}}(y \mid x)} \right) + \lambda\, L(\mathcal D_r; \theta).
$$

## Symbols

- $A(x)$: the alternates of a question (`alternates_per_question` of them), invented once, by the model before
  unlearning.
- $\pi_\theta(y \mid x)$: the probability of the *whole* answer, so $\log \pi_\theta$ is a sum over its tokens.
- $\pi_{\mathrm{ref}}$: the model before unlearning; its log-probabilities never change and are computed once.
- $\beta$ (`beta`): how soon a pair that is already in order stops pulling.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`).

## Facts

- **It is DPO** (`dpo`) with inventions in place of refusals, so at the start the loss is $\frac{2}{\beta} \log 2$ and
  the first step is fine-tuning on the alternate plus ascent on the truth.
- **The two answers share most of their words.** What ascent takes from these, fine-tuning gives back; what is left is
  the push from the true fact to the invented one. That is why sentences stay whole where NPO breaks them.
- Alternates are near to what the model would say anyway, so a pair is settled by the facts changing places, not by an
  unlikely sentence becoming a little less unlikely, as with refusals.
- Each alternate is its own pair: the mean is outside of $\log \sigma$. Several of them keep the model from learning one
  new "fact" in place of the old.
- An alternate that tells the truth after all works against the pair; those are dropped.
- On the embedded task the model answers with whole sentences of the right kind: another city, another genre, the
  mother a baker. The truth ratio ends where the retrained model has it (0.80 and 0.83), the probability near it (0.36
  against 0.45), and ROUGE-L stays high (0.71), for the phrasing is kept and only the fact is changed.

## Differences

1. Where the task ships invented answers (`Pair.alternates`), these are used, as on the embedded task, whose model is
   too small to follow an instruction. Otherwise the model is asked, as in the paper, in this file's own words; what
   repeats the true answer is drawn again.
2. A generated answer may be twice as long as the longest true one; the paper cuts at 200 tokens.
3. The retain term averages over answers; the released code averages over all tokens of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    Pair,
    Run,
    UnlearningData,
    UsageError,
    dpo_with_retain,
    first_answer,
    hyperparameter,
    rouge_l_recall,
)

INSTRUCTION = """\
Below are a question and its answer. Write another answer to the same question: as long, in the same style and just as \
plausible, but with other names, places, dates and facts. Write the answer alone.

{prompt}{answer}"""
ROUNDS = 10
"""How often to ask again for alternates that are still missing."""


def invent_alternates(model: LanguageModel, pairs: tuple[Pair, ...], count: int) -> tuple[Pair, ...]:
    """The pairs with ``count`` alternates each, sampled from ``model`` at temperature 1 where the task ships none.

    Raises:
        UsageError: the model keeps repeating a true answer.
    """
    answers = [list(pair.alternates[:count]) for pair in pairs]
    missing = [row for row, alternates in enumerate(answers) if not alternates]
    for _ in range(ROUNDS):
        asked = [row for row in missing for _ in range(count - len(answers[row]))]
        if not asked:
            break
        longest = max(len(model.tokenizer(pairs[row].answer)["input_ids"]) for row in asked)
        prompts = [
            model.question(INSTRUCTION.format(prompt=pairs[row].prompt, answer=pairs[row].answer)) for row in asked
        ]
        for row, text in zip(asked, model.sample(prompts, 2 * longest), strict=True):
            invented = first_answer(text)
            if invented and rouge_l_recall(pairs[row].answer, invented) < 1:
                answers[row].append(model.answer(invented))
    for pair, alternates in zip(pairs, answers, strict=True):
        if not alternates:
            raise UsageError(f"The model knows no other answer than the true one to {pair.prompt.strip()!r}.")
    return tuple(replace(pair, alternates=tuple(alternates)) for pair, alternates in zip(pairs, answers, strict=True))


def one_row_per_alternate(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Every pair as often as it has alternates, with one of them each: what an epoch goes through."""
    return tuple(replace(pair, alternates=(alternate,)) for pair in pairs for alternate in pair.alternates)


@dataclass(frozen=True)
class AltPO(LossMethod):
    """Minimise the preference loss on alternates plus the retain loss."""

    paper = "mekala2024alternate"
    acts_on = "loss"
    reference = "log-probabilities"
    alternates = True
    retain = "optional"
    published = {
        "learning_rate": 5e-5,
        "epochs": 10,
        "batch_size": 35,
        "weight_decay": 0.01,
        "source": "README of the released code, Llama-2-7B; its two epochs over five alternates are ten passes",
    }

    beta: float = hyperparameter(
        0.1, "β, inverse temperature: larger stops sooner", source="released code, Llama-2-7B on TOFU", above=0
    )
    retain_weight: float = hyperparameter(
        1.0,
        "λ, weight of the retain loss",
        source="released code, Llama-2-7B on TOFU",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    alternates_per_question: int = hyperparameter(
        5, "M, alternates of each answer", source="released code, Llama-2-7B on TOFU", minimum=1
    )

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Invent the alternates that are missing, and make each a pair of its own with the true answer."""
        invented = invent_alternates(model, data.forget, self.alternates_per_question)
        return replace(data, forget=one_row_per_alternate(invented))

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch; alternates, true answers and retain sequences in one forward pass."""
        return dpo_with_retain(model, batch, self.beta, self.retain_weight)
