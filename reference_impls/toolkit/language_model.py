"""A causal language model with its tokenizer: what methods act on and what evaluation asks."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reference_impls.errors import UsageError
from reference_impls.toolkit import architecture, encoding
from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.logprobs import Encoded, TokenLogits, Unread
from reference_impls.toolkit.marks import Marks, read_marks
from reference_impls.toolkit.padding import concatenate
from reference_impls.toolkit.parts import current, read_in_parts
from reference_impls.toolkit.processes import from_first
from reference_impls.toolkit.unlearned_model import AnswerDistribution, UnlearnedModel
from reference_impls.toolkit.windows import windows

WINDOW = 2048
"""How many tokens are read at a time where nobody says: as many as benchmarks of long texts take (MUSE)."""
ASKED_ALREADY = "_unlearn_answers_together"
"""Where a network keeps what :attr:`LanguageModel.answers_together` found."""
NAMED = 3
"""How many weights a message names."""

Compute = Callable[[Tensor, Tensor], Tensor]
"""(B, L) tokens and (B, L) which of them are no padding -> (B, L, ...)."""


@dataclass
class LanguageModel:
    """A Hugging Face causal language model and its tokenizer, with what unlearning needs of them."""

    model: Any
    tokenizer: Any
    max_length: int = WINDOW
    """How many tokens are read at a time: what is given, but no more than the model was made for."""
    batch_size: int = 64
    stored: torch.dtype | None = None
    """What the weights are kept in where they came from, and will be again; None for what they are computed in."""
    notes: tuple[str, ...] = ()
    """What people have to know of how it was loaded."""
    _head_is_plain: bool | None = None
    """See :func:`~reference_impls.toolkit.architecture.head_is_plain`; copies need not ask again."""
    _marks: tuple[object, Marks] | None = None
    """See :attr:`marks`, and what they were read from."""

    def __post_init__(self) -> None:
        if self.tokenizer.pad_token_id is None and self.tokenizer.eos_token_id is not None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        if (context := self.context) is not None:
            self.max_length = min(self.max_length, context)
        self.model.eval()
        if self._head_is_plain is None:
            self._head_is_plain = architecture.head_is_plain(self.model)

    @classmethod
    def load(
        cls, source: str | Path, window: int | None = None, *, trust_remote_code: bool = False, **options: Any
    ) -> LanguageModel:
        """Load from a folder or a hub name, as ``transformers`` does; what is pickled there gives tensors or nothing.

        Args:
            source: the folder or name.
            window: how many tokens are read at a time; see :attr:`max_length`.
            trust_remote_code: run the code that comes with the model, where ``transformers`` has none for it.
            options: of ``from_pretrained``.

        Raises:
            UsageError: the checkpoint has not just the weights of the model.
            OSError, ValueError: what ``transformers`` says of a model that it cannot load.
            UnpicklingError: weights are pickled, and more than tensors.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model, report = AutoModelForCausalLM.from_pretrained(
            source, output_loading_info=True, weights_only=True, trust_remote_code=trust_remote_code, **options
        )
        _check_complete(type(model).__name__, report)
        tokenizer_options = {"gguf_file": options["gguf_file"]} if "gguf_file" in options else {}
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code, **tokenizer_options)
        return cls(model, tokenizer, window or WINDOW)

    def save(self, folder: Path) -> None:
        """Write model and tokenizer as ``transformers`` does, in the precision that the checkpoint had.

        Raises:
            OSError, SafetensorError: it cannot be written.
        """
        computed = [(weight, weight.data) for weight in self.model.parameters()]
        named = self.model.config.dtype
        try:
            if self.stored is not None:
                for weight, values in computed:
                    weight.data = values.to(self.stored)
            self.model.save_pretrained(folder)
        finally:
            for weight, values in computed:
                weight.data = values
            self.model.config.dtype = named
        self.tokenizer.save_pretrained(folder)

    @torch.no_grad()
    def round_as_stored(self) -> None:
        """Make the weights those that :meth:`save` will keep, so that what is measured is what is kept."""
        if self.stored is not None:
            for weight in self.model.parameters():
                weight.copy_(weight.to(self.stored))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def layers(self) -> int:
        """The number of transformer blocks."""
        return architecture.layers(self.model)

    @property
    def context(self) -> int | None:
        """How many tokens the model was made for at a time; None where nothing limits them."""
        return architecture.context(self.model)

    @property
    def width(self) -> int:
        """d, how many numbers the residual stream has at each token."""
        return architecture.width(self.model)

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

    def mlp_matrices(self, layers: Iterable[int]) -> list[torch.nn.Module]:
        """See :func:`reference_impls.toolkit.architecture.mlp_matrices`."""
        return architecture.mlp_matrices(self.model, layers)

    def down_projections(self, layers: Iterable[int]) -> list[Tensor]:
        """See :func:`reference_impls.toolkit.architecture.down_projections`."""
        return architecture.down_projections(self.model, layers)

    def matrices(self) -> list[Tensor]:
        """(outputs, inputs) each: all matrices that the model multiplies with but its head, as views of its weights."""
        head = self.model.get_output_embeddings()
        return [rows for module in self.model.modules() if module is not head for rows in architecture.rows_of(module)]

    def copy(self) -> LanguageModel:
        """An independent copy with the same weights."""
        return replace(self, model=copy.deepcopy(self.model))

    def frozen(self) -> LanguageModel:
        """A copy that never trains: the reference model."""
        twin = self.copy()
        twin.model.requires_grad_(False)
        return twin

    # Text -> tokens

    @property
    def marks(self) -> Marks:
        """What begins and ends this model's texts and turns."""
        read_from = (id(self.tokenizer), self.tokenizer.chat_template, len(self.tokenizer), self.embeddings)
        if self._marks is None or self._marks[0] != read_from:
            config = getattr(self.model, "generation_config", None)
            self._marks = read_from, read_marks(self.tokenizer, config, self.embeddings)
        return self._marks[1]

    @property
    def embeddings(self) -> int:
        """How many tokens the model knows."""
        return len(self.model.get_input_embeddings().weight)

    def asked(self, prompt: str) -> str:
        """What is asked in a prompt that :meth:`question` or :meth:`conversation` wrote in a chat template's words.

        Other prompts, such as those of a model without a template, are what is asked as they are.
        """
        return self.marks.question_of(prompt)

    def shown(self, pair: Pair, answer: str | None = None) -> str:
        """A pair as a line before another question: what it asks with its answer, or with another one.

        Questions in a chat template's words lose them, for a turn is no place for other turns.
        """
        told = pair.answer if answer is None else answer
        asked = self.asked(pair.prompt)
        space = " " if asked != pair.prompt and not told[:1].isspace() else ""
        return f"{asked}{space}{told}\n"

    def behind(self, text: str, prompt: str) -> str:
        """A prompt with a text before what it asks: inside the user's last turn where a chat template wrote it."""
        return self.marks.behind(text, prompt)

    def conversation(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Messages (``role``, ``content``) as the prompt for the assistant's next turn, by the chat template."""
        return encoding.conversation(self.tokenizer, self.marks.turns, messages)

    def question(self, text: str) -> str:
        """A question as this model is asked: its chat template if it has one, else ``Question: ... Answer:``."""
        return encoding.question(self.tokenizer, self.marks.turns, text)

    def around_questions(self) -> tuple[str, str]:
        """What stands before and after a question where this model is asked one."""
        before, after = self.question("\0").split("\0")
        return before, after

    def typed(self, prompt: str) -> str:
        """The question of a prompt, as a person would type it."""
        before, after = self.around_questions()
        return prompt.removeprefix(before).removesuffix(after)

    def answer(self, text: str) -> str:
        """An answer as it follows :meth:`question`."""
        return encoding.answer(self.tokenizer, self.marks.turns, text)

    def encode(self, pairs: Sequence[Pair], rows: Sequence[int] | None = None) -> Encoded:
        """Tokens, padded on the right. Prompts are cut on the left and answers on the right to ``max_length``."""
        return encoding.encode(self.tokenizer, self.marks, pairs, rows, self.max_length).to(self.device)

    def encoded(self, pairs: Sequence[Pair]) -> Iterator[Encoded]:
        """The same, as many pairs at a time as are read together."""
        for start in range(0, len(pairs), self.batch_size):
            yield self.encode(pairs[start : start + self.batch_size])

    def sizes(self, pairs: Sequence[Pair]) -> list[int]:
        """How many tokens each pair has, before anything is cut."""
        return [encoding.size(self.tokenizer, self.marks, pair) for pair in pairs]

    def windows(self, text: str) -> list[str]:
        """A plain text in pieces that :meth:`encode` does not cut; together they are the text."""

        def count(texts: Sequence[str]) -> list[int]:
            return [len(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

        return windows(text, max(1, self.max_length - encoding.MARKS), count)

    def subject_places(self, pairs: Sequence[Pair]) -> Tensor:
        """(B, L) True where :meth:`encode` puts the last token of each pair's subject, in the prompt's last mention.

        A pair that names no subject, or whose prompt does not mention it, is looked up at the prompt's last token.
        """
        length = self.encode(pairs).input_ids.shape[1]
        return encoding.subject_places(self.tokenizer, self.marks, pairs, length, self.max_length).to(self.device)

    def subject_mentions(self, pairs: Sequence[Pair]) -> Tensor:
        """(B, L) True where :meth:`encode` puts tokens of each pair's subject, at all mentions, in answers as well."""
        length = self.encode(pairs).input_ids.shape[1]
        return encoding.subject_mentions(self.tokenizer, self.marks, pairs, length, self.max_length).to(self.device)

    def answer_tokens_within(self, pair: Pair, spans: Sequence[tuple[int, int]]) -> list[bool]:
        """For each token of an answer's text, whether it is a part of one of some spans of that text."""
        return encoding.answer_tokens_within(self.tokenizer, self.marks, pair, spans)

    def answer_tokens(self, text: str) -> list[int]:
        """An answer as ids, as it follows a question, without what ends it."""
        pair = Pair(self.question("?"), self.answer(text), closed=False)
        return encoding.tokens(self.tokenizer, self.marks, pair, self.max_length)[1]

    # Tokens -> logits

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        """Logits at the answers' tokens of each batch, in one forward pass; gradients flow if they are on."""
        merged = concatenate(batches, self.marks.padding)
        if not len(merged):
            nothing = self.model.get_output_embeddings().weight[:, 0].float().expand(0, -1)
            return tuple(TokenLogits(nothing, merged.rows, merged.rows, 0) for _ in batches)
        encoding.check_known(self.tokenizer, merged.input_ids, self.embeddings)
        sequence, place = merged.supervised
        read = TokenLogits(self._source(merged), merged.labels[sequence, place + 1], sequence, len(merged))
        results, first = [], 0
        for batch in batches:
            after = first + len(batch)
            results.append(read.chosen((sequence >= first) & (sequence < after), first, len(batch)))
            first = after
        return tuple(results)

    def _source(self, batch: Encoded) -> Tensor | Unread:
        """(N, V) float32 logits at the answers' tokens; what a plain head would read, where they are too many."""
        if not self._head_is_plain:
            return self._at_answers(batch, self._logits).float()
        head = self.model.get_output_embeddings()
        unread = Unread.of(self._at_answers(batch, self._backbone, alike=True), head)
        return unread.logits() if unread.few else unread

    def activations(self, batch: Encoded, depth: float) -> Tensor:
        """(N, d) residual stream after the block at ``depth``, at the places that predict the answer's tokens."""
        (states,) = self.layer_activations(batch, [self.layer_at(depth)])
        return states

    def layer_activations(self, batch: Encoded, layers: Iterable[int]) -> list[Tensor]:
        """The same after each of several blocks, in one pass."""
        blocks = self.blocks
        modules = [blocks[layer] for layer in layers]

        def states(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            return torch.stack(self._outputs(input_ids, attention_mask, modules), dim=2)

        return list(self._at_answers(batch, states).unbind(dim=1)) if modules else []

    def outputs(self, batch: Encoded, modules: Sequence[torch.nn.Module]) -> list[Tensor]:
        """(B, L, d) what each of some modules gives at every place of a batch, padding included, in one pass.

        Args:
            batch: the texts.
            modules: blocks, or projections that write to the residual stream.
        """
        return self._outputs(batch.input_ids, batch.attention_mask, modules)

    def _outputs(self, input_ids: Tensor, attention_mask: Tensor, modules: Sequence[torch.nn.Module]) -> list[Tensor]:
        # Asked of the modules themselves: `hidden_states` gives the last block's output after the final norm.
        kept: dict[int, Any] = {}

        def keeping(row: int) -> Any:
            return lambda module, given, out: kept.__setitem__(row, out)

        hooks = [module.register_forward_hook(keeping(row)) for row, module in enumerate(modules)]
        try:
            self._backbone(input_ids, attention_mask)
        finally:
            for hook in hooks:
                hook.remove()
        outputs = [architecture.states_of(kept[row]) for row in range(len(modules))]
        # Some put all tokens in one row, and what is not of the batch, such as a soft prompt, stands before it.
        count, length = input_ids.shape
        return [out.reshape(count, -1, out.shape[-1])[:, -length:] for out in outputs]

    def read_out(self, states: Tensor) -> Tensor:
        """(N, V) the logits, in float32, that the model makes of (N, d) states as if its last block had given them."""
        return architecture.read_out(self.model, states).float()

    def normed(self, states: Tensor) -> Tensor:
        """(N, d) what the head is given of (N, d) states as if the last block had given them, in float32."""
        return architecture.normed(self.model, states).float()

    def _at_answers(self, batch: Encoded, compute: Compute, alike: bool = False) -> Tensor:
        """(N, ...) what is computed at the places that predict the answers' tokens, in reading order.

        The batch goes through the model in parts where it is divided (:mod:`~reference_impls.toolkit.parts`), or with
        ``alike`` short and long sequences apart where padding would be a large part of the work; but as a whole if
        somebody hooked into the model: hooks count on seeing the batch as it was encoded.
        """
        sequence, place = batch.supervised
        hooked = any(module._forward_hooks or module._forward_pre_hooks for module in self.model.modules())
        if hooked or not len(batch) or (current().whole and not alike):
            return compute(batch.input_ids, batch.attention_mask)[sequence, place]
        lengths = batch.attention_mask.sum(dim=1)

        def read(rows: Tensor) -> Tensor:
            end = int(lengths[rows].max())
            computed = compute(batch.input_ids[rows, :end], batch.attention_mask[rows, :end])
            (chosen,) = torch.isin(sequence, rows).nonzero(as_tuple=True)
            row_of = torch.zeros_like(lengths).scatter(0, rows, torch.arange(len(rows), device=rows.device))
            return computed[row_of[sequence[chosen]], place[chosen]]

        return read_in_parts(lengths, sequence, read)

    def _backbone(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, L, d) what the head reads."""
        return architecture.hidden_states(self.model, input_ids, attention_mask)

    def _logits(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, L, V) at every place, from the whole model."""
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits

    def _decoded(self, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
        """(B, T) what follows the tokens, which are padded on the left."""
        out: Tensor = self.model.generate(input_ids=input_ids, attention_mask=attention_mask, **options)
        return out[:, input_ids.shape[1] :]

    @property
    def read_before(self) -> int:
        """How many vectors are read before every text."""
        return 0

    def _read_on(self, input_ids: Tensor, past: Any) -> tuple[Tensor, Any]:
        """(B, V) float32 logits after (B, L) more tokens without padding, and all that was read, for the next call.

        ``past`` is what the last call gave, or None at the beginning. What an architecture keeps of it, it says itself;
        one that keeps nothing under the usual name reads all of it again.
        """
        if not architecture.takes_cache(self.model):
            read = input_ids if past is None else torch.cat([past, input_ids], dim=1)
            return self._logits(read, torch.ones_like(read))[:, -1].float(), read
        out = self.model(**self._opened(input_ids, past), past_key_values=past, use_cache=True)
        return out.logits[:, -1].float(), out.past_key_values

    def _opened(self, input_ids: Tensor, past: Any) -> dict[str, Tensor]:
        """What the model is given of tokens that follow ``past``."""
        return {"input_ids": input_ids}

    # What evaluation sees

    @torch.inference_mode()
    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Tensor]:
        """See :class:`UnlearnedModel`. Sequences of similar length share a batch."""
        pairs = [Pair(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        return self.pair_logprobs(pairs)

    @torch.inference_mode()
    def pair_logprobs(self, pairs: Sequence[Pair]) -> list[Tensor]:
        """For each pair, (T,) log-probabilities of its answer's tokens."""
        logprobs: list[Tensor] = [torch.empty(0)] * len(pairs)
        for chunk in self._by_length([pair.prompt + pair.answer for pair in pairs]):
            (out,) = self.token_logits(self.encode([pairs[row] for row in chunk]))
            values = out.token_logprobs().cpu()
            for place, row in enumerate(chunk):
                logprobs[row] = values[out.sequence.cpu() == place]
        return logprobs

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
    def sample(
        self, prompts: Sequence[str], max_new_tokens: int, temperature: float = 1.0, top_p: float = 1.0
    ) -> list[str]:
        """A random continuation of each prompt, drawn with torch's global generator.

        It comes from the whole distribution, or from the likeliest tokens that together have the probability ``top_p``.
        """
        return self._continue(prompts, max_new_tokens, do_sample=True, temperature=temperature, top_k=0, top_p=top_p)

    def _continue(self, prompts: Sequence[str], max_new_tokens: int, **options: Any) -> list[str]:
        texts = [""] * len(prompts)
        marks = self.marks
        opened = [self._open(prompt, max_new_tokens) for prompt in prompts]
        alone = len(prompts) > 1 and not self.answers_together
        for chunk in ([row] for row in range(len(prompts))) if alone else self._by_length(prompts):
            ids = [opened[row] for row in chunk]
            length = max(map(len, ids))
            # Decoding goes on at the right end, so the padding is on the left.
            batch = torch.tensor([[marks.padding] * (length - len(tokens)) + tokens for tokens in ids])
            mask = torch.tensor([[0] * (length - len(tokens)) + [1] * len(tokens) for tokens in ids])
            encoding.check_known(self.tokenizer, batch, self.embeddings)
            with self._nothing_else_decides():
                out = self._decoded(
                    batch.to(self.device),
                    mask.to(self.device),
                    max_new_tokens=self._room(length, max_new_tokens),
                    pad_token_id=marks.padding,
                    eos_token_id=list(marks.stops) or None,
                    **options,
                )
            if current().world > 1:
                out = from_first(out)  # a tie that falls otherwise elsewhere would part the processes
            for row, text in zip(chunk, self.text_of(out), strict=True):
                texts[row] = text
        return texts

    @property
    def answers_together(self) -> bool:
        """Whether what follows a prompt does not depend on the others in its batch; networks and copies remember it."""
        known: bool | None = getattr(self.model, ASKED_ALREADY, None)
        if known is None:
            with self._nothing_else_decides(), self.evaluating():
                known = architecture.answers_together(self.model, self.marks.padding)
            setattr(self.model, ASKED_ALREADY, known)
        return known

    def text_of(self, ids: Tensor) -> list[str]:
        """(B, T) what was generated, as texts: up to the first token that ends an answer, without special tokens."""
        kept = [list(itertools.takewhile(lambda token: token not in self.marks.stops, row)) for row in ids.tolist()]
        return [text.strip() for text in self.tokenizer.batch_decode(kept, skip_special_tokens=True)]

    def _open(self, prompt: str, max_new_tokens: int) -> list[int]:
        """A prompt as ids, cut on the left so that there is room for an answer in the model's context."""
        ids = encoding.prompt_ids(self.tokenizer, prompt, self.marks) or [self.marks.first]
        if self.context is None:
            return ids[-self.max_length :]
        longest = min(self.max_length, self.context - min(max_new_tokens, self.context // 4))
        return ids[-longest:]

    def _room(self, length: int, max_new_tokens: int) -> int:
        """How many tokens may follow so many."""
        return max_new_tokens if self.context is None else min(max_new_tokens, self.context - length)

    @contextmanager
    def _nothing_else_decides(self) -> Iterator[None]:
        """Decode as asked, without what the model's generation config likes (beams, penalties, a minimum length)."""
        from transformers import GenerationConfig

        own = self.model.generation_config
        self.model.generation_config = GenerationConfig()
        try:
            yield
        finally:
            self.model.generation_config = own

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
    def recomputing(self) -> Iterator[None]:
        """While this lasts, what happens inside blocks is computed again in the backward pass instead of kept.

        Raises:
            UsageError: the architecture cannot do so.
        """
        check_recomputing(self.model)
        # transformers renamed it; releases that are allowed here have one name or both.
        kind = "activation" if hasattr(self.model, "activation_checkpointing_enable") else "gradient"
        getattr(self.model, f"{kind}_checkpointing_enable")({"use_reentrant": False})
        try:
            yield
        finally:
            getattr(self.model, f"{kind}_checkpointing_disable")()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Dropout off for a while, as when a method looks at the model between two steps of training."""
        was_training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(was_training)


def check_recomputing(network: Any) -> None:
    """Look whether an architecture can compute the inside of its blocks again; its weights need not hold numbers.

    Raises:
        UsageError: it cannot.
    """
    if not getattr(network, "supports_gradient_checkpointing", False):
        raise UsageError(
            f"{type(network).__name__} cannot compute the inside of its blocks again, so --gradient-checkpointing does "
            "not work with it; --accumulate does."
        )


def weights_of(model: UnlearnedModel) -> LanguageModel | None:
    """The model itself, or the one inside what a method put around it, if there is just one."""
    inner = model if isinstance(model, LanguageModel) else getattr(model, "model", None)
    return inner if isinstance(inner, LanguageModel) else None


def _check_complete(model: str, report: Mapping[str, Any]) -> None:
    """Look whether a checkpoint held every weight of a model, and nothing else.

    Args:
        model: what it is called.
        report: what ``transformers`` says of loading it.

    Raises:
        UsageError: it did not; names the first of them.
    """
    kinds = {
        "missing_keys": "has no {}, which would be random numbers",
        "unexpected_keys": "has {}, which this model does not know",
        "mismatched_keys": "has {} in another shape",
        "error_msgs": "is damaged ({})",
    }
    faults = [what.format(_few(report[kind])) for kind, what in kinds.items() if report.get(kind)]
    if faults:
        raise UsageError(
            f"the checkpoint does not fit {model}: it {'; it '.join(faults)}. Save it again with save_pretrained, from "
            "the model itself (not compiled, wrapped or quantized)."
        )


def _few(keys: Iterable[Any]) -> str:
    """Some of the names, in order, and how many more there are."""
    names = sorted(str(key[0] if isinstance(key, tuple | list) else key) for key in keys)
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest
