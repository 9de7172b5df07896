"""A causal language model with its tokenizer: what methods act on and what evaluation asks."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import architecture, encoding
from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.logprobs import Encoded, TokenLogits
from reference_impls.toolkit.padding import alike_lengths, concatenate
from reference_impls.toolkit.unlearned_model import AnswerDistribution, UnlearnedModel


@dataclass
class LanguageModel:
    """A Hugging Face causal language model and its tokenizer, with what unlearning needs of them."""

    model: Any
    tokenizer: Any
    max_length: int = 512
    batch_size: int = 64
    _head_is_plain: bool | None = None
    """See :func:`~reference_impls.toolkit.architecture.head_is_plain`; copies need not ask again."""

    def __post_init__(self) -> None:
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.model.eval()
        if self._head_is_plain is None:
            self._head_is_plain = architecture.head_is_plain(self.model)

    @classmethod
    def load(cls, source: str | Path, **options: Any) -> LanguageModel:
        """Load from a folder or a hub name, as ``transformers`` does.

        Raises:
            OSError, ValueError: what ``transformers`` says of a model that it cannot load.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(source, **options)
        tokenizer_options = {"gguf_file": options["gguf_file"]} if "gguf_file" in options else {}
        return cls(model, AutoTokenizer.from_pretrained(source, **tokenizer_options))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def layers(self) -> int:
        """The number of transformer blocks."""
        return int(self.model.config.num_hidden_layers)

    def layer_at(self, depth: float) -> int:
        """The block at a fraction of the depth, so that 4 and 32 blocks both work: 0 is the first, 1 the last."""
        return round(depth * (self.layers - 1))

    @property
    def blocks(self) -> torch.nn.ModuleList:
        """The transformer blocks, first to last."""
        return architecture.blocks(self.model)

    def mlp_outputs(self, layers: Iterable[int]) -> list[torch.nn.Module]:
        """See :func:`reference_impls.toolkit.architecture.mlp_outputs`."""
        return architecture.mlp_outputs(self.model, layers)

    def down_projections(self, layers: Iterable[int]) -> list[Tensor]:
        """The weights of :meth:`mlp_outputs`."""
        weights = (module.weight for module in self.mlp_outputs(layers))
        return [weight for weight in weights if isinstance(weight, Tensor)]

    def copy(self) -> LanguageModel:
        """An independent copy with the same weights."""
        return replace(self, model=copy.deepcopy(self.model))

    def frozen(self) -> LanguageModel:
        """A copy that never trains: the reference model."""
        twin = self.copy()
        twin.model.requires_grad_(False)
        return twin

    # Text -> tokens

    def conversation(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Messages (``role``, ``content``) as the prompt for the assistant's next turn, by the chat template."""
        return encoding.conversation(self.tokenizer, messages)

    def question(self, text: str) -> str:
        """A question as this model is asked: its chat template if it has one, else ``Question: ... Answer:``."""
        return encoding.question(self.tokenizer, text)

    def answer(self, text: str) -> str:
        """An answer as it follows :meth:`question`."""
        return encoding.answer(self.tokenizer, text)

    def encode(self, pairs: Sequence[Pair], rows: Sequence[int] | None = None) -> Encoded:
        """Tokens, padded on the right. Prompts are cut on the left and answers on the right to ``max_length``."""
        return encoding.encode(self.tokenizer, pairs, rows, self.max_length).to(self.device)

    def subject_places(self, pairs: Sequence[Pair]) -> Tensor:
        """(B, L) True where :meth:`encode` puts the last token of each pair's subject, in the prompt's last mention.

        A pair that names no subject, or whose prompt does not mention it, is looked up at the prompt's last token.
        """
        length = self.encode(pairs).input_ids.shape[1]
        return encoding.subject_places(self.tokenizer, pairs, length, self.max_length).to(self.device)

    # Tokens -> logits

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        """Logits at the answers' tokens of each batch, in one forward pass; gradients flow if they are on."""
        merged = concatenate(batches, int(self.tokenizer.pad_token_id))
        if not len(merged):
            nothing = self.model.get_output_embeddings().weight[:, 0].float().expand(0, -1)
            return tuple(TokenLogits(nothing, merged.rows, merged.rows, 0) for _ in batches)
        sequence, place = merged.supervised
        if self._head_is_plain:
            logits = self.model.get_output_embeddings()(self._answer_states(merged))
        else:
            logits = self.model(input_ids=merged.input_ids, attention_mask=merged.attention_mask).logits
            logits = logits[sequence, place]
        logits, targets = logits.float(), merged.labels[sequence, place + 1]
        results, first = [], 0
        for batch in batches:
            chosen = (sequence >= first) & (sequence < first + len(batch))
            results.append(TokenLogits(logits[chosen], targets[chosen], sequence[chosen] - first, len(batch)))
            first += len(batch)
        return tuple(results)

    def activations(self, batch: Encoded, depth: float) -> Tensor:
        """(N, d) residual stream after the block at ``depth``, at the places that predict the answer's tokens."""
        # Asked of the block itself: `hidden_states` gives the last block's output after the final norm.
        kept: list[Any] = []
        block = self.blocks[self.layer_at(depth)]
        hook = block.register_forward_hook(lambda module, given, out: kept.append(out))
        try:
            self._backbone(batch.input_ids, batch.attention_mask)
        finally:
            hook.remove()
        hidden = kept[0][0] if isinstance(kept[0], tuple) else kept[0]
        sequence, place = batch.supervised
        states: Tensor = hidden[sequence, place]
        return states

    def _answer_states(self, batch: Encoded) -> Tensor:
        """(N, d) what the head reads at the places that predict the answers' tokens, in reading order.

        Short and long sequences go through the backbone apart where padding would be a large part of the work, unless
        somebody hooked into it: hooks count on seeing the batch as it was encoded.
        """
        sequence, place = batch.supervised
        if any(module._forward_hooks or module._forward_pre_hooks for module in self.model.modules()):
            return self._backbone(batch.input_ids, batch.attention_mask)[sequence, place]
        lengths = batch.attention_mask.sum(dim=1)
        states, order = [], []
        for rows in alike_lengths(lengths):
            end = int(lengths[rows].max())
            hidden = self._backbone(batch.input_ids[rows, :end], batch.attention_mask[rows, :end])
            (chosen,) = torch.isin(sequence, rows).nonzero(as_tuple=True)
            row_of = torch.zeros_like(lengths).scatter(0, rows, torch.arange(len(rows), device=rows.device))
            states.append(hidden[row_of[sequence[chosen]], place[chosen]])
            order.append(chosen)
        return torch.cat(states)[torch.cat(order).argsort()]

    def _backbone(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return architecture.hidden_states(self.model, input_ids, attention_mask)

    # What evaluation sees

    @torch.inference_mode()
    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Tensor]:
        """See :class:`UnlearnedModel`. Sequences of similar length share a batch."""
        pairs = [Pair(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        return self.pair_logprobs(pairs)

    @torch.inference_mode()
    def pair_logprobs(self, pairs: Sequence[Pair]) -> list[Tensor]:
        """For each pair, (T,) log-probabilities of its answer's tokens."""
        found: list[Tensor] = [torch.empty(0)] * len(pairs)
        for chunk in self._by_length([pair.prompt + pair.answer for pair in pairs]):
            (out,) = self.token_logits(self.encode([pairs[row] for row in chunk]))
            values = out.token_logprobs().cpu()
            for place, row in enumerate(chunk):
                found[row] = values[out.sequence.cpu() == place]
        return found

    @torch.inference_mode()
    def distributions(self, prompts: Sequence[str], answers: Sequence[str]) -> Iterator[AnswerDistribution]:
        """See :class:`UnlearnedModel`."""
        pairs = [Pair(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        for start in range(0, len(pairs), self.batch_size):
            batch = pairs[start : start + self.batch_size]
            (out,) = self.token_logits(self.encode(batch))
            logprobs, targets = torch.log_softmax(out.logits, dim=1).cpu(), out.targets.cpu()
            sequence = out.sequence.cpu()
            for row in range(len(batch)):
                yield AnswerDistribution(logprobs[sequence == row], targets[sequence == row])

    @torch.inference_mode()
    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """See :class:`UnlearnedModel`."""
        return self._continue(prompts, max_new_tokens, do_sample=False)

    @torch.inference_mode()
    def sample(self, prompts: Sequence[str], max_new_tokens: int, temperature: float = 1.0) -> list[str]:
        """A random continuation of each prompt, drawn from the whole distribution with torch's global generator."""
        return self._continue(prompts, max_new_tokens, do_sample=True, temperature=temperature, top_k=0, top_p=1.0)

    def _continue(self, prompts: Sequence[str], max_new_tokens: int, **options: Any) -> list[str]:
        texts = [""] * len(prompts)
        for chunk in self._by_length(prompts):
            ids = [encoding.prompt_ids(self.tokenizer, prompts[row])[-self.max_length :] for row in chunk]
            length = max(map(len, ids))
            padding = int(self.tokenizer.pad_token_id)
            # Decoding goes on at the right end, so the padding is on the left.
            batch = torch.tensor([[padding] * (length - len(one)) + one for one in ids], device=self.device)
            mask = torch.tensor([[0] * (length - len(one)) + [1] * len(one) for one in ids], device=self.device)
            out = self.model.generate(
                input_ids=batch,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                pad_token_id=padding,
                eos_token_id=self.tokenizer.eos_token_id,
                **options,
            )
            for row, text in zip(
                chunk, self.tokenizer.batch_decode(out[:, length:], skip_special_tokens=True), strict=True
            ):
                texts[row] = text.strip()
        return texts

    def _by_length(self, texts: Sequence[str]) -> Iterator[list[int]]:
        order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), row))
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    @contextmanager
    def training(self) -> Iterator[None]:
        """Gradients on, dropout as the model's configuration says; afterwards evaluation again."""
        self.model.train()
        try:
            with torch.enable_grad():
                yield
        finally:
            self.model.eval()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Dropout off for a while, as when a method looks at the model between two steps of training."""
        was_training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(was_training)


def weights_of(model: UnlearnedModel) -> LanguageModel | None:
    """The model itself, or the one inside what a method put around it, if there is just one."""
    inner = model if isinstance(model, LanguageModel) else getattr(model, "model", None)
    return inner if isinstance(inner, LanguageModel) else None
