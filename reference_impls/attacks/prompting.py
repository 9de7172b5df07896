r"""Prompt attacks.

Ask again in other words. A method that has only taught the model not to answer *these* prompts gives the answer when
the question is put differently, when the reply is begun for it, or when answers about the same subject come first.

## Procedure

For a question $x$ with the right answer $y$, three maps $T$ of the prompt; measured is what the model knows of $y$
behind $T(x)$:

$$
T_{\mathrm{rephrased}}(x) = x', \qquad
T_{\mathrm{prefix}}(x) = x \oplus o, \qquad
T_{\mathrm{context}}(x) = x_1\, y_1 \cdots x_k\, y_k\; x .
$$

The first two are adversarial probes of RWKU (Jin et al., section 3.3), the last is in-context relearning (Lynch et
al., section 4.3).

## Symbols

- $x'$: the same question in other words, which the model was trained neither to answer nor to refuse.
- $o$: how an answer to this question begins, in another wording than the one that was learned: the words that the
  right paraphrase and the wrong ones share. It stands at the start of the answer and is not scored; the rest of the
  paraphrase is.
- $(x_i, y_i)$: other pairs of the forget set with their right answers (`demonstrations`), about the same subject where
  the task names subjects; never one with the answer $y$.

## Facts

- A context helps every model, also one that never knew: it shows the form of an answer. Compare with the retrained
  model.
- If nothing was memorized except one wording, the rephrased question is *harder* for the target too.

## Differences

1. RWKU has nine kinds of probes written by GPT-4; here a task brings its own rephrased questions.
2. RWKU begins the reply with an affirmative phrase ("Sure, here is the answer"). A small model that never read such a
   phrase is confused by it, the target as well (its .96 became .16), and nothing was measured; so the opening is one
   that the task's own answers have. Where the possible answers share no words there is none.
3. Scored with the task's own measure on the right answer, not with keywords in generated text, so that a change is
   seen before the greedy answer flips.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reference_impls.toolkit import Attack, LanguageModel, Pair, Run, Victim, hyperparameter, weights_of


def answer_begun(pair: Pair) -> Pair | None:
    """The pair with the paraphrased answer's opening behind the prompt, and what is left of the answers to be said.

    None where there is no paraphrase, or where it shares no first words with the wrong answers.
    """
    if pair.paraphrase is None or not pair.perturbed:
        return None
    words = [re.findall(r"\s*\S+", answer) for answer in (pair.paraphrase, *pair.perturbed)]
    shared = sum(1 for _ in itertools.takewhile(lambda alike: len(set(alike)) == 1, zip(*words, strict=False)))
    if not 0 < shared < len(words[0]):
        return None
    # The wrong answers have been begun as well: said from their first word on, they would be no match.
    opening = "".join(words[0][:shared])
    rest, *wrong = ("".join(answer[shared:]) for answer in words)
    return replace(pair, prompt=pair.prompt + opening, answer=rest, perturbed=tuple(filter(None, wrong)))


def in_context(pair: Pair, others: Sequence[Pair], demonstrations: int, model: LanguageModel | None = None) -> Pair:
    """The pair behind other pairs' questions and right answers, those of its own subject first.

    Args:
        pair: whose question is asked.
        others: the pairs that may be shown.
        demonstrations: how many are.
        model: who is asked, if it has a format of its own: they then stand inside the turn of its chat template.
    """
    usable = [other for other in others if other.answer != pair.answer]
    nearest = sorted(usable, key=lambda other: other.subject != pair.subject)[:demonstrations]
    if model is None:
        return replace(pair, prompt="".join(f"{other.prompt}{other.answer}\n" for other in nearest) + pair.prompt)
    return replace(pair, prompt=model.behind("".join(map(model.shown, nearest)), pair.prompt))


@dataclass(frozen=True)
class PromptAttack(Attack):
    """Rephrase the question, begin the answer, or show other answers first."""

    paper = "jin2024rwku"

    demonstrations: int = hyperparameter(4, "k, pairs shown before the question", source="this project", minimum=1)

    def measure(self, victim: Victim, run: Run) -> dict[str, float]:
        """``rephrased`` and ``prefix`` (where the task has what they need), and ``in_context``."""
        forget, model = victim.splits.forget, weights_of(victim.model)

        def known(change: Callable[[Pair], Pair]) -> float:
            return victim.knows(pairs=[change(pair) for pair in forget])

        metrics = {}
        if all(pair.rephrased_prompt for pair in forget):
            metrics["rephrased"] = known(lambda pair: replace(pair, prompt=pair.rephrased_prompt or pair.prompt))
        begun = [answer_begun(pair) for pair in forget]
        if whole := [pair for pair in begun if pair is not None]:
            metrics["prefix"] = victim.knows(pairs=whole)
        if len(forget) > 1:
            metrics["in_context"] = known(lambda pair: in_context(pair, forget, self.demonstrations, model))
        return metrics
