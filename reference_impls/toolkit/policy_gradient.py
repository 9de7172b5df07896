r"""Learning from a reward: answers that a model wrote itself, what each is worth, and the steps on them.

Group-relative policy optimization (GRPO; Shao et al. 2024, arXiv 2402.03300) asks for $K$ answers to each prompt. How
much better one is than the others of its group is its advantage, and no model of the value is needed. With
$\rho_t = \pi_\theta(y_t \mid x, y_{<t}) / \pi_{\mathrm{old}}(y_t \mid x, y_{<t})$, where $\pi_{\mathrm{old}}$ wrote
the answer,

$$
\mathcal L(\theta) = -\frac1K \sum_k \frac{1}{|y_k|} \sum_t
\min\!\left( \rho_t A_k,\ \mathrm{clip}(\rho_t, 1 - \epsilon, 1 + \epsilon)\, A_k \right)
+ \beta\, \widehat{\mathrm{KL}},
\qquad
A_k = \frac{r_k - \mathrm{mean}(r)}{\mathrm{std}(r)} .
$$
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit.data import Pair, UnlearningData
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import TokenLogits
from reference_impls.toolkit.refusals import REFUSALS, refusal_reward, with_refusals
from reference_impls.toolkit.training import Recipe, Run

SPREAD = 1e-6
"""What is added to the deviation of a group's rewards, so that equal ones give advantages of 0."""


@dataclass(frozen=True)
class Sample:
    """An answer that a model wrote, and what a step on it needs."""

    pair: Pair
    """The prompt, with what was written for an answer."""
    reward: float
    advantage: float
    old: Tensor
    """(T,) log-probabilities of its tokens when it was written."""


def written_answers(
    model: LanguageModel, pairs: Sequence[Pair], length: int, temperature: float = 1.0
) -> tuple[list[str], list[Pair]]:
    """What the model writes to each pair's prompt, as texts and as pairs with these texts for answers.

    Of a text that reached ``length`` tokens nobody knows how it ends, so that its pair is not closed.
    """
    texts = model.sample([pair.prompt for pair in pairs], length, temperature)
    tokens = model.tokenizer(texts, add_special_tokens=False)["input_ids"]
    return texts, [
        replace(pair, answer=model.answer(text), closed=len(ids) < length)
        for pair, text, ids in zip(pairs, texts, tokens, strict=True)
    ]


def group_advantages(rewards: Tensor, size: int) -> Tensor:
    r"""(B,) $A_k$, each reward less its group's mean, by the group's deviation (with $K - 1$ below the fraction).

    Args:
        rewards: (B,) those of one group after another.
        size: $K \ge 2$.
    """
    groups = rewards.reshape(-1, size)
    centred = groups - groups.mean(dim=1, keepdim=True)
    return (centred / (groups.std(dim=1, keepdim=True) + SPREAD)).reshape(-1)


@torch.no_grad()
def sampled_groups(
    model: LanguageModel,
    pairs: Sequence[Pair],
    reward: Callable[[Pair, str], float],
    size: int,
    length: int,
    temperature: float = 1.0,
) -> list[Sample]:
    """``size`` answers to each pair's prompt, group after group.

    Args:
        model: what writes them.
        pairs: the prompts; their answers are for the reward alone.
        reward: of a pair and a text that was written to its prompt.
        size: $K$, how many answers to each.
        length: most tokens of an answer.
        temperature: of the distribution that they are drawn from, and that ``old`` is of.
    """
    asked = [pair for pair in pairs for _ in range(size)]
    with model.evaluating():
        texts, said = written_answers(model, asked, length, temperature)
        (out,) = model.token_logits(model.encode(said))
    rewards = torch.tensor([reward(pair, text) for pair, text in zip(asked, texts, strict=True)])
    old = _logprobs(out, temperature).split(torch.bincount(out.sequence, minlength=len(said)).tolist())
    advantages = group_advantages(rewards, size).tolist()
    return [Sample(*row) for row in zip(said, rewards.tolist(), advantages, old, strict=True)]


def refusal_groups(
    model: LanguageModel, forget: Sequence[Pair], boundary: Sequence[Pair], size: int, length: int
) -> list[Sample]:
    """Groups of answers to questions that are to be refused, then to those that are not; see :func:`refusal_reward`."""
    unwanted = frozenset(forget)

    def reward(pair: Pair, text: str) -> float:
        return refusal_reward(pair, text, pair in unwanted)

    return sampled_groups(model, [*forget, *boundary], reward, size, length)


def taught_to_refuse(
    model: LanguageModel, data: UnlearningData, run: Run, recipe: Recipe, refusals: int, retain: float
) -> LanguageModel:
    """Fine-tune on refusals to all that is to be forgotten, so that some will be among the samples; changes the model.

    Args:
        model: what learns it.
        data: with prompts.
        run: of the method.
        recipe: of this training.
        refusals: how many of the first :data:`~reference_impls.toolkit.refusals.REFUSALS` are taught.
        retain: how many retain pairs are mixed in for each refusal.
    """
    told = with_refusals(data, run.rng, refusals, REFUSALS[:refusals])
    refused = [replace(pair, answer=answer) for pair in told.forget for answer in pair.alternates]
    kept = run.rng.choices(data.retain, k=round(retain * len(refused))) if data.retain else []
    return run.finetune(model, [*refused, *kept], recipe, stage="teaching to refuse")


def clipped_objective(logprobs: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    r"""(N,) $\min(\rho_t A_t, \mathrm{clip}(\rho_t, 1 - \epsilon, 1 + \epsilon) A_t)$ of each token, to be raised.

    Args:
        logprobs: (N,) $\log \pi_\theta$ of the tokens.
        old: (N,) $\log \pi_{\mathrm{old}}$ of the same.
        advantages: (N,) $A_t$.
        clip: $\epsilon$, how far a ratio may go before it pulls no further.
    """
    ratio = (logprobs - old).exp()
    return torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def kl_estimate(logprobs: Tensor, reference: Tensor) -> Tensor:
    r"""(N,) $e^u - u - 1$ with $u = \log \pi_{\mathrm{ref}} - \log \pi_\theta$, never below 0.

    Over tokens that $\pi_\theta$ drew, its mean is that of $\mathrm{KL}(\pi_\theta \,\|\, \pi_{\mathrm{ref}})$.
    """
    ahead = reference - logprobs
    return ahead.exp() - ahead - 1


def grpo_loss(
    model: LanguageModel,
    samples: Sequence[Sample],
    clip: float,
    temperature: float = 1.0,
    kl_weight: float = 0.0,
    reference: LanguageModel | None = None,
) -> Tensor:
    r"""() $\mathcal L(\theta)$, the mean over each answer's tokens, then over answers.

    Args:
        model: $\pi_\theta$.
        samples: whole groups.
        clip: $\epsilon$.
        temperature: that of the samples.
        kl_weight: $\beta$; without it there is no divergence.
        reference: $\pi_{\mathrm{ref}}$, where there is one.
    """
    encoded = model.encode([sample.pair for sample in samples])
    (out,) = model.token_logits(encoded)
    logprobs = _logprobs(out, temperature)
    old = torch.cat([sample.old for sample in samples])
    advantages = torch.tensor([sample.advantage for sample in samples]).to(logprobs)[out.sequence]
    loss = -out.mean(clipped_objective(logprobs, old, advantages, clip))
    if not kl_weight or reference is None:
        return loss
    with torch.no_grad():
        (before,) = reference.token_logits(encoded)
    return loss + kl_weight * out.mean(kl_estimate(logprobs, _logprobs(before, temperature)))


def _logprobs(out: TokenLogits, temperature: float) -> Tensor:
    """(N,) log-probabilities of the tokens at a temperature."""
    return out.token_logprobs() if temperature == 1 else out.with_logits(out.logits / temperature).token_logprobs()
