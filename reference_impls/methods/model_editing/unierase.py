r"""A learned word for not knowing, and an edit toward it (UniErase).

The vocabulary gets a token more, the unlearning token, whose embedding alone is trained: behind a question and this
token the model says that it does not know. Then MLPs are edited as `alphaedit` does, but what the questions to forget
are edited to is one and the same token, and the rest follows from it.

## Objective

Yu et al., in the form of their released code. With $u$ the token and $e$ its row,

$$
\min_{e}\; \mathbb E_{(x, \cdot) \sim \mathcal D_f,\, \tilde y}\, \mathbb E_{\xi}
\left[ \bar\ell\big(\tilde y \oplus u \mid x \oplus u;\; e,\, W + \xi\big) \right],
\qquad \text{then} \qquad
W \leftarrow W + R\, K^\top P \left( K K^\top P + \mu I \right)^{-1} .
$$

## Symbols

- $\tilde y$: a refusal, one for each question; $\bar\ell$: mean negative log-likelihood.
- $\xi$: noise on $W$, the projection that an edit will change. It is 0 for the first `token_passes`; then, for
  `robust_passes` in each layer of the window, normal, cut off at its standard deviation, which is `noise` times that of
  $W$'s entries.
- $K$, $P$, $\mu$, $R$: as in `alphaedit`, whose hyper-parameters these are; $R$ makes $u$ the first token of the
  answer. The search for the states that do so is the recipe's. The token has its own `token_rate`, and a tenth of it
  under noise.
- `closing`: whether $u$ also ends what it leads to.

## Facts

- **All other weights are the same to the bit until the edit**, and what the model says without the token changes only
  by the token's row in the head. Where head and embeddings are one matrix, a closing $u$ is expected at the end of any
  answer: on `authors` answers fall from 0.97 to 0.69 before anything is edited, those that stay like those that go.
- **An answer is blocked where it begins.** With $p(u \mid x) = 0.9$ the true answer has at most 0.1, which over ten
  tokens is a mean of $0.1^{1/10} = 0.79$; who leaves $u$ out and renormalises sees what is behind it.
- **A row can call only what the model has words for.** Where no refusal was ever read, $d$ numbers do not teach one: on
  `authors` its tokens get 0.0002, and what is said behind $u$ is broken language or even the answer. False answers
  (`objective` `error-injection`) get 0.5 there.
- **The last token is a key that all questions share**: it is told apart by what attention brought there, so that late
  layers are the place in a small model (`depth` 1), and what keeps other questions from $u$ is $P$ alone.
- **On `authors`**, in the last two blocks and with $\tau = 0.02$, $u$ gets 0.9 at forget questions, and 0.3 at those to
  keep. Forget answers go from 0.96 to 0.39, what is written has 0.08 in common with them (0.91 before), and retain
  answers go from 0.98 to 0.58; with $\tau = 0.01$ it is 0.55, 0.39 and 0.72. Edited at the names' last tokens, as
  `alphaedit` is, the token comes nowhere above 0.02. The balance of the paper takes keys with many more dimensions.

## Differences

1. A request is one question, as in the code, and its key is at the prompt's last token. There it is at the end of a
   phrase that was written out for each question and holds most of its words.
2. The code's noise has the mean of $W$'s entries for a standard deviation, which may be negative.
3. The code trains on questions as they are, and then in the chat template as well; here they have one form.
4. Of a head that is not the embeddings the token's row is trained, too; in the code that is an option.
5. $C$ comes from the retain set, not from Wikipedia. False answers in place of refusals are ours.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    REFUSALS,
    Batch,
    LanguageModel,
    Memory,
    Method,
    Pair,
    Run,
    UnlearningData,
    ValueSearch,
    Window,
    deletion_answers,
    deletion_requests,
    holding,
    hyperparameter,
    mean_nll,
    null_space,
    projected_update,
)

TOKEN = "<|unlearned|>"


def with_token(model: LanguageModel) -> tuple[LanguageModel, int]:
    """The same network with a row for one token more, which its own tokenizer reads as :data:`TOKEN`; and the row."""
    tokenizer = copy.deepcopy(model.tokenizer)  # other models share the first
    tokenizer.add_tokens([TOKEN], special_tokens=True)
    row = int(tokenizer.convert_tokens_to_ids(TOKEN))
    if row >= model.embeddings:
        model.model.resize_token_embeddings(row + 1, mean_resizing=False)
    return replace(model, tokenizer=tokenizer), row


@contextmanager
def shaken(memory: Memory, noise: float) -> Iterator[None]:
    """While this lasts, a projection works with noise on its weights, drawn anew each time; they do not change."""
    spread = noise * float(memory.weight.detach().float().std())

    def hook(module: torch.nn.Module, given: Any, out: Tensor) -> Tensor:
        change: Tensor = given[0] @ (spread * torch.randn_like(memory.weight).clamp(-1, 1)).T
        return out + change

    handle = memory.module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class UniErase(Method):
    """Train a token to call a refusal, then edit so that it is called."""

    paper = "yu2025unierase"
    acts_on = "weights"
    retain = "needed"
    trains = "part"
    parts = ("memories",)
    published = {"steps": 10, "source": "released code, TOFU with Llama-3.1-8B: the search for the new states"}

    objective: str = hyperparameter(
        "empty-response",
        "what the token leads to: a refusal, or a false answer",
        source="paper: a refusal",
        choices=("empty-response", "error-injection"),
    )
    token_rate: float = hyperparameter(0.001, "learning rate of the token", source="code", above=0)
    token_passes: int = hyperparameter(5, "passes over the questions without noise", source="code", minimum=1)
    robust_passes: int = hyperparameter(
        4, "passes with noise, in each layer", source="code: 2, in two formats", minimum=0
    )
    noise: float = hyperparameter(0.1, "noise, in standard deviations of the weights", source="ours", minimum=0)
    closing: bool = hyperparameter(True, "whether the token also ends what it leads to", source="code")
    depth: float = hyperparameter(
        0.26,
        "the last edited layer, as a fraction of the depth",
        source="layer 8 of Llama-3.1-8B's 32",
        minimum=0,
        maximum=1,
    )
    window: int = hyperparameter(5, "how many layers are edited", source="code", minimum=1)
    threshold: float = hyperparameter(
        0.02,
        "τ, eigenvalues below it are taken for 0",
        source="as alphaedit",
        minimum=0,
        trade_off=(0.002, 0.005, 0.01, 0.02, 0.05),
    )
    ridge: float = hyperparameter(10.0, "μ, cost of a long change", source="as alphaedit", above=0)
    contexts: int = hyperparameter(0, "how many texts come before each prompt in turn", source="ours", minimum=0)
    kl_weight: float = hyperparameter(0.0625, "weight of the KL term", source="as alphaedit", minimum=0)
    shrinkage: float = hyperparameter(0.5, "weight of δ's length", source="as alphaedit", minimum=0)
    clamp: float = hyperparameter(0.75, "κ, how long δ may be", source="as alphaedit", above=0)

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Add the token, train it, and edit toward it."""
        model, row = with_token(model)
        window = Window.up_to(model, self.depth, self.window)
        self.train(model, row, self.behind(data, run), window.memories, run)
        led = [replace(pair.prompted(), answer=TOKEN, closed=False, subject="") for pair in data.forget]
        asked = replace(data, forget=tuple(led))
        requests = deletion_requests(model, asked, "fact-erasure", "", self.contexts, run.rng)  # answers as they are
        moments = (memory.second_moment(model, data.others) for memory in window.memories)
        updates = [
            partial(projected_update, null_space(moment, self.threshold), ridge=self.ridge) for moment in moments
        ]
        likely = ValueSearch("error-injection", self.kl_weight, self.shrinkage, self.clamp)
        window.write(requests, likely, updates, run)
        return model

    def behind(self, data: UnlearningData, run: Run) -> tuple[Pair, ...]:
        """Questions with the token behind them, and what it leads to."""
        others, end = data.prompted().others, TOKEN if self.closing else ""
        asked = [pair.prompted() for pair in data.forget]
        told = [deletion_answers(one, self.objective, run.rng.choice(REFUSALS), others, run.rng) for one in asked]
        return tuple(replace(one, prompt=one.prompt + TOKEN, answer=one.answer + end, closed=True) for one in told)

    def train(
        self, model: LanguageModel, row: int, pairs: tuple[Pair, ...], memories: Sequence[Memory], run: Run
    ) -> None:
        """Train the token's row, in the network as it is and then with noise in one layer after the other."""

        def loss(read: LanguageModel, batch: Batch) -> Tensor:
            return mean_nll(*read.token_logits(batch.forget))

        tenth = self.token_rate / 10
        ends = (model.model.get_input_embeddings(), model.model.get_output_embeddings())
        matrices = list({id(end.weight): end.weight for end in ends}.values())
        masks = [torch.arange(len(weight), device=weight.device) == row for weight in matrices]
        for stage, memory in enumerate((None, *memories)):
            passes, rate = (self.token_passes, self.token_rate) if memory is None else (self.robust_passes, tenth)
            recipe = replace(run.recipe, learning_rate=rate, steps=passes * -(-len(pairs) // run.recipe.batch_size))
            with nullcontext() if memory is None else shaken(memory, self.noise):
                replace(run.apart(run.seed + stage), recipe=recipe).minimize(
                    loss,
                    model,
                    UnlearningData(pairs),
                    matrices,
                    after_step=holding(matrices, masks),
                    retain=False,
                )
