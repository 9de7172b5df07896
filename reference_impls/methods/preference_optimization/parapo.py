r"""Paraphrase preference optimization (ParaPO).

A model that recites a text may know what it says without saying it in the same words. ParaPO has it prefer a paraphrase
of each such text to the text itself: the wording goes, and what it says is to stay.

## Objective

Chen et al., with the scale of the other methods here and a retain term:

$$
\mathcal L(\theta) = -\frac{2}{\beta}\, \mathbb E_{(x,y) \sim \mathcal D_f} \log \sigma\!\left(
\beta \log \frac{\pi_\theta(\tilde y \mid x)}{\pi_{\mathrm{ref}}(\tilde y \mid x)}
- \beta \log \frac{\pi_\theta(y \mid x)}{\pi_{\mathrm{ref}}(y \mid x)} \right) + \alpha\, L(\mathcal D_r; \theta).
$$

## Symbols

- $y$: a text that the model says by heart; $\tilde y$: the same in other words. In the paper there is no prompt $x$:
  both are whole passages.
- $\pi_\theta(y \mid x)$: the probability of the *whole* text, so $\log \pi_\theta$ is a sum over its tokens.
- $\pi_{\mathrm{ref}}$: the model before unlearning; its log-probabilities never change and are computed once.
- $\beta$ (`beta`): how soon a pair that is already in order stops pulling.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`),
  0 in the paper.

## Facts

- **It is DPO** (`dpo`) with a paraphrase in the place of a refusal: $\frac{2}{\beta} \log 2$ at the start, and the
  first step is fine-tuning on the paraphrase plus ascent on the text, both summed over tokens.
- **It does not forget what a text says**, and is not meant to: the names and numbers stand in both halves, and what
  ascent takes from them fine-tuning gives back. A measure of knowledge has to call it a failure. `alt-po` is the
  opposite: there the wording stays and the facts change. On `authors`, at 1e-4, the answers that are given word by word
  fall from 88 to 8 of a hundred, and the right value is still said in 85, after 95 (in 19 after `npo`, with 6 word by
  word); paraphrases rise from 0.67 to 0.90.
- **Only the difference is constrained**: both may fall, and then the knowledge falls along. At 1e-3 the texts are at
  0.002, paraphrases at 0.48, the right value in 29 of a hundred answers.
- A longer half has the larger sum, so paraphrases should be about as long as their texts.

## Differences

1. The paper unlearns no list of texts: it trains on passages of the pretraining data that the model can recite, to have
   it recite less in general. Here the texts are the forget set, whether or not it recites them.
2. The paper has a model of 70 billion parameters write the paraphrases. Here the task's own are taken where they are
   other than the text; else the model is asked, in this file's own words, and what repeats the text is dropped. Texts
   without a paraphrase are left out. Of the embedded tasks `authors` alone has any. The models of `hazards` and
   `passages` cannot follow the request: what they write says something else, pairs are settled by that, and reports are
   recited as before (verbatim memorization 0.99 before and after 20 steps at 1e-4).
3. Truth ratio compares the same paraphrases with wrong answers, so after ParaPO it is no measure of anything.
4. The paper's loss has no factor $\frac{2}{\beta}$ and no retain term. Its variant with a system prompt, which says
   whether quoting is allowed, is not in this file.
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
Say the following in other words. Keep all names, numbers and facts, and about the length. Write the new text alone.

{text}"""
TRIES = 3
"""How often the model is asked for each paraphrase."""


def with_paraphrases(model: LanguageModel, pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """The pairs with a paraphrase for their one alternate; those for which there is none are left out.

    Raises:
        UsageError: there is none for any.
    """
    found = {row: pair.paraphrase for row, pair in enumerate(pairs) if pair.paraphrase not in (None, pair.answer)}
    asked = [row for row in range(len(pairs)) if row not in found for _ in range(TRIES)]
    if asked:
        longest = max(len(model.tokenizer(pairs[row].answer)["input_ids"]) for row in asked)
        prompts = [model.question(INSTRUCTION.format(text=pairs[row].answer.strip())) for row in asked]
        for row, text in zip(asked, map(first_answer, model.sample(prompts, 2 * longest)), strict=True):
            if text and rouge_l_recall(pairs[row].answer, text) < 1:
                found.setdefault(row, pairs[row].spaced(text))
    if not found:
        raise UsageError(
            "ParaPO needs each text in other words, and the model only repeats them: give data with paraphrases."
        )
    return tuple(replace(pairs[row], alternates=(found[row] or "",)) for row in sorted(found))


@dataclass(frozen=True)
class ParaPO(LossMethod):
    """Minimise the preference loss on paraphrases."""

    paper = "chen2025parapo"
    acts_on = "loss"
    reference = "log-probabilities"
    alternates = True
    retain = "optional"
    published = {
        "learning_rate": 5e-7,
        "epochs": 1,
        "batch_size": 128,
        "weight_decay": 0.0,
        "warmup": 0.1,
        "source": "README of the released code, Llama-3.1-8B",
    }

    beta: float = hyperparameter(
        0.1, "β, inverse temperature: larger stops sooner", source="README of the released code", above=0
    )
    retain_weight: float = hyperparameter(
        0.0, "α, weight of the retain loss", source="paper: none", minimum=0, trade_off=(0.0, 1.0, 2.0, 5.0)
    )

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Let paraphrases be the answers to prefer."""
        told = with_paraphrases(model, data.forget)
        if missing := len(data.forget) - len(told):
            run.tell(f"{missing} of {len(data.forget)} texts have no paraphrase: not trained on.")
        return replace(data, forget=told)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch; paraphrases, texts and retain sequences in one forward pass."""
        return dpo_with_retain(model, batch, self.beta, self.retain_weight)
