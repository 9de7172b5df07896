r"""Task of Fictitious Unlearning (TOFU).

The benchmark as published: two hundred invented authors with twenty questions each, which a model was fine-tuned on,
and of whom 1, 5 or 10% are to be forgotten.

## What is read

| part | file of `locuslab/TOFU` | questions |
|---|---|---:|
| forget | `forget01`, `forget05` or `forget10`, with `..._perturbed` | 40, 200, 400 |
| retain | `retain99`, `retain95` or `retain90` | 3960, 3800, 3600 |
| asked of what must stay | `retain_perturbed` | 400 |
| real authors | `real_authors_perturbed` | 100 |
| world facts | `world_facts_perturbed` | 117 |

Rows have `question` and `answer`; those of the perturbed sets also `paraphrased_answer`, `perturbed_answer` (wrong
ones) and `paraphrased_question`. The model should be one that was fine-tuned on TOFU (its `full` set), and the
reference (`--reference`) one that was fine-tuned on the retain set alone.

## What is measured

**Forget quality**: the p-value of a Kolmogorov-Smirnov test between this and the reference model's truth ratios on the
forget set; without a reference there is none. **Model utility**: the harmonic mean of nine numbers, which are
probability, ROUGE-L recall and truth ratio on the retain set, real authors and world facts. For the last two the
probability is that of the right answer among the given ones.

## Differences

1. All questions of a set are asked; the authors' own script asks the first 300.
2. Questions are put as the model is asked (its chat template), not in the authors' template for Llama-2.
3. An answer has 200 new tokens, as in OpenUnlearning; the authors' script counts the question among them.
"""

from __future__ import annotations

from dataclasses import replace

from reference_impls.tasks.benchmark import Benchmark
from reference_impls.tasks.sources import QUESTIONS, Source
from reference_impls.toolkit import LanguageModel, Pair, Splits, UsageError

REPOSITORY = "locuslab/TOFU"
KEPT = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}


class TofuBenchmark(Benchmark):
    """Forget some of two hundred invented authors."""

    paper = "maini2024tofu"
    headline = "forget_probability"
    variants = {
        "forget01": "forget two of two hundred invented authors",
        "forget05": "forget ten of them",
        "forget10": "forget twenty of them",
    }
    max_new_tokens = 200

    def sources(self) -> dict[str, Source]:
        """The forget set twice, plain and with paraphrases and wrong answers, and what must stay."""
        stems = {
            "forget": self.variant,
            "perturbed": f"{self.variant}_perturbed",
            "retain": KEPT[self.variant],
            "retain probe": "retain_perturbed",
            "authors": "real_authors_perturbed",
            "facts": "world_facts_perturbed",
        }
        return {part: Source(REPOSITORY, stem, form=QUESTIONS) for part, stem in stems.items()}

    def splits(self, model: LanguageModel) -> Splits:
        """TOFU's sets in the format of ``model``.

        Raises:
            UsageError: a forget question has no row in the perturbed set.
        """
        return Splits(
            forget=self._forget(model),
            retain=self.pairs("retain", model),
            retain_probe=self.pairs("retain probe", model),
            authors=_said_once(self.pairs("authors", model)),
            facts=_said_once(self.pairs("facts", model)),
        )

    def _forget(self, model: LanguageModel) -> tuple[Pair, ...]:
        """The forget set, each question with the paraphrase and the wrong answers that the perturbed set has."""
        known = {(pair.prompt, pair.answer): pair for pair in self.pairs("perturbed", model)}
        forget = self.pairs("forget", model)
        for pair, (place, row) in zip(forget, self.files["forget"], strict=True):
            if (pair.prompt, pair.answer) not in known:
                raise UsageError(
                    f"{place}: {row['question']!r} has no row in {self.variant}_perturbed, so that its truth ratio "
                    "cannot be told. The two files are not of one version; fetch both again."
                )
        return tuple(known[pair.prompt, pair.answer] for pair in forget)


def _said_once(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Pairs whose right answer has no paraphrase: the truth ratio takes it as it is."""
    return tuple(replace(pair, paraphrase=pair.answer) for pair in pairs)
