"""What begins and ends a model's texts and turns, as its tokenizer, chat template and generation config say.

A tokenizer's end-of-sequence token ends a *text*. What ends an *answer* of a chat model is what its template writes
behind one (``<end_of_turn>``, ``<|im_end|>``), and generation stops at every end that any of the three names. What
stands before an answer is what the template writes there, too: its prompt for generation often lacks a part of it (a
space, a channel's header, an empty block of thoughts), or opens something else, such as thoughts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

ASKED, SAID, ASKED_AGAIN = "thequestion", "theanswer", "thenextquestion"
"""Stand in for what is said while a template is read."""
TRIED = 8
"""How many words of a vocabulary are tried as the beginning of an answer."""

Span = tuple[int, int]
"""Where in a text a token begins and ends."""


@dataclass(frozen=True)
class Turns:
    """What a chat template writes around what is said."""

    before_question: str
    """Between whatever came before and what a user says."""
    before_answer: str
    """Between what a user says and the answer; empty if the template writes nothing there."""
    after_answer: str
    """Behind an answer, up to the token that ends it; empty if the template writes no such token."""
    prompted: str = ""
    """What the template writes in place of ``before_answer`` where it is asked for a prompt."""
    sample: str = "a"
    """The beginning of an answer with which a tokenizer merges as much of ``before_answer``'s end as it does."""
    held: int = 0
    """How many characters these are. Spaces alone: they are read and written as a part of the answer's first token."""

    def opened(self, prompt: str) -> str:
        """A prompt that the template wrote, with the answer's turn opened as far as it is before an answer."""
        return prompt.removesuffix(self.prompted) + self.before_answer if prompt.endswith(self.prompted) else prompt


@dataclass(frozen=True)
class Marks:
    """Where a model's texts and turns begin and end."""

    start: int | None
    """The token that begins a text."""
    opening: str
    """The same as it is written; empty if there is none."""
    end: int | None
    """The token that ends a text; None if the model has none."""
    stops: tuple[int, ...]
    """The tokens at which an answer is over, ascending."""
    padding: int
    """A token to fill up with. It is masked, so any that has an embedding does."""
    turns: Turns | None
    """None without a chat template."""

    @property
    def first(self) -> int:
        """What stands before the first token that is predicted, where a text has nothing else."""
        return next(mark for mark in (self.start, self.end, self.padding) if mark is not None)

    def after(self, prompt: str) -> str | None:
        """What ends an answer to a prompt, as text: that of a turn if the prompt is one; None if of a text."""
        return (self.turns.after_answer or None) if self.turns and self.in_turn(prompt) else None

    def in_turn(self, prompt: str) -> bool:
        """Whether an answer to a prompt is said in a turn of the chat template."""
        return self.turns is not None and bool(prompt) and self.turns.before_answer in prompt

    def opens(self, prompt: str) -> bool:
        """Whether a prompt ends where such an answer begins: nothing of it has been said."""
        return self.in_turn(prompt) and self.turns is not None and prompt.endswith(self.turns.before_answer)

    def question_of(self, prompt: str) -> str:
        """What the user says last in a prompt that a chat template wrote; other prompts as they are."""
        begins, ends = self._last_question(prompt)
        return prompt[begins:ends].strip() if ends else prompt

    def behind(self, text: str, prompt: str) -> str:
        """A prompt with a text before what it asks: inside the user's last turn, or at the start if there are none."""
        begins, _ = self._last_question(prompt)
        return prompt[:begins] + text + prompt[begins:]

    def _last_question(self, prompt: str) -> tuple[int, int]:
        """Where the last user's turn begins and ends; in a prompt that no template wrote, where it begins, and 0."""
        plain = (len(self.opening) if prompt.startswith(self.opening) else 0), 0
        if self.turns is None or not self.turns.before_answer or not self.turns.before_question:
            return plain
        ends = prompt.rfind(self.turns.before_answer)
        begins = prompt.rfind(self.turns.before_question, 0, max(ends, 0))
        return (begins + len(self.turns.before_question), ends) if begins >= 0 else plain


def read_marks(tokenizer: Any, generation_config: Any, embeddings: int) -> Marks:
    """What marks there are.

    Args:
        tokenizer: the model's, with its chat template if it has one.
        generation_config: the model's, or None.
        embeddings: how many tokens the model knows; marks beyond them are none.
    """

    def known(ids: Iterable[int | None]) -> list[int]:
        return [token for token in ids if token is not None and 0 <= token < embeddings]

    named = getattr(generation_config, "eos_token_id", None)
    ends = known([tokenizer.eos_token_id, *(named if isinstance(named, list | tuple) else [named])])
    turns = read_turns(tokenizer, frozenset(ends))
    closing = known(_ids(tokenizer, turns.after_answer)[-1:]) if turns else []
    start = known([tokenizer.bos_token_id])
    padding = known([tokenizer.pad_token_id, *ends, *start, 0])
    return Marks(
        start[0] if start else None,
        str(tokenizer.bos_token or ""),
        ends[0] if ends else None,
        tuple(sorted({*ends, *closing})),
        padding[0],
        turns,
    )


def read_turns(tokenizer: Any, ends: frozenset[int]) -> Turns | None:
    """What the tokenizer's chat template writes around questions and answers; None without one that takes them.

    Args:
        tokenizer: with or without a template.
        ends: tokens that are known to end something.
    """
    if not getattr(tokenizer, "chat_template", None):
        return None
    user, assistant = {"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID}
    again = {"role": "user", "content": ASKED_AGAIN}
    try:
        open_turn = rendered(tokenizer, [user], answering=True)
        closed = rendered(tokenizer, [user, assistant], answering=False)
        longer = rendered(tokenizer, [user, assistant, again], answering=True)
    except (TemplateError, TypeError, ValueError):
        return None  # one that wants other roles; what it does take is seen where it is used
    head, _, prompted = open_turn.partition(ASKED)
    _, _, said_after = closed.partition(ASKED)
    before, said, tail = said_after.partition(SAID)
    before_answer = before if said else prompted
    between = longer.partition(SAID)[2].partition(ASKED_AGAIN)[0]
    after = _up_to_end(tokenizer, tail, _added(tokenizer)) or _up_to_end(tokenizer, between, ends)
    sample, held = _merging(tokenizer, head + ASKED + before_answer, before_answer)
    return Turns(_common_ending(head, between), before_answer, after, prompted, sample, held)


def _merging(tokenizer: Any, prompt: str, before_answer: str) -> tuple[str, int]:
    """How an answer may begin so that most of the spaces at a prompt's end are in its first token; how many those are.

    Whether one does, and with which words, only the tokenizer knows: those in its vocabulary are tried that go on from
    the last token before an answer.
    """
    spaces = len(before_answer) - len(before_answer.rstrip())
    plain, start = "a", len(prompt)

    def merged(sample: str) -> tuple[int, int]:
        ids, spans = spelled(tokenizer, prompt + sample)
        last = sum(end <= start for _, end in spans)
        kept = max((end for _, end in spans[:last]), default=0)
        return start - kept, ids[last - 1] if last else -1

    if not spaces:
        return plain, 0
    held, last = merged(plain)
    samples = [plain]
    if not held:
        piece = str(tokenizer.convert_ids_to_tokens(last))
        longer = (one[len(piece) :] for one in tokenizer.get_vocab() if one.startswith(piece))
        samples += sorted(
            (rest for rest in longer if rest.isascii() and rest.isalnum()), key=lambda one: (len(one), one)
        )
    found = {sample: amount for sample in samples[: 1 + TRIED] if (amount := merged(sample)[0]) <= spaces}
    best = max(found, key=lambda one: found[one], default=plain)
    return best, found.get(best, 0)


def rendered(tokenizer: Any, messages: Sequence[Mapping[str, str]], *, answering: bool) -> str:
    """Messages in the chat template's words, with the assistant's next turn opened if it is to answer."""
    return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=answering))


def as_told(tokenizer: Any, turns: Turns, answer: str) -> str:
    """An answer as the template writes it: some templates strip answers."""
    if answer == answer.strip():
        return answer

    def written(text: str) -> str:
        messages = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": text}]
        return rendered(tokenizer, messages, answering=False)

    head, said, tail = written(SAID).rpartition(SAID)
    told = written(answer)
    fits = said and told.startswith(head) and told.endswith(tail) and len(told) >= len(head) + len(tail)
    return told[len(head) : len(told) - len(tail)] if fits else answer


def spelled(tokenizer: Any, text: str) -> tuple[list[int], list[Span]]:
    """A text's tokens, without marks around it, and where in it each of them stands."""
    if not getattr(tokenizer, "is_fast", True):
        return _spelled_slowly(tokenizer, text)
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return list(read["input_ids"]), [(int(first), int(last)) for first, last in read["offset_mapping"]]


def _spelled_slowly(tokenizer: Any, text: str) -> tuple[list[int], list[Span]]:
    """The same of a tokenizer that does not say where its tokens stand: seen from what each more of them spells.

    Letters are counted, and not spaces, for some put other spaces between words, or write all letters small.
    """
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    letters = [place for place, letter in enumerate(text) if not letter.isspace()]
    spans: list[Span] = []
    open_since, before, known = 0, "", 0
    for count in range(1, len(ids) + 1):
        said = tokenizer.decode(ids[:count], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        said = said.rstrip("\N{REPLACEMENT CHARACTER}")
        spelled_letters = min(sum(not letter.isspace() for letter in said), len(letters))
        start = letters[known - 1] + 1 if known else 0
        end = letters[spelled_letters - 1] + 1 if spelled_letters else 0
        spans.append((start, max(start, end)))
        if said != before:  # a part of a letter spells nothing; it stands where the letter does
            spans[open_since:] = [(start, max(start, end))] * (count - open_since)
            open_since, before, known = count, said, max(known, spelled_letters)
    return ids, spans


def _added(tokenizer: Any) -> frozenset[int]:
    """The tokens that are no part of text."""
    return frozenset(tokenizer.get_added_vocab().values()) | frozenset(tokenizer.all_special_ids)


def _up_to_end(tokenizer: Any, text: str, ends: frozenset[int]) -> str:
    """The text up to its first token that ends something, with that token; empty if there is none."""
    for token in _ids(tokenizer, text):
        if token in ends:
            mark = str(tokenizer.convert_ids_to_tokens(token))
            before, ending, _ = text.partition(mark)
            return before + ending
    return ""


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
    return ids


def _common_ending(text: str, other: str) -> str:
    """The longest text with which both end."""
    length = 0
    while length < min(len(text), len(other)) and text[-1 - length] == other[-1 - length]:
        length += 1
    return text[len(text) - length :]
