"""Dialogues and conversations: of made-up things, and those of the tasks that ship."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from unlearning_toys import PLAIN

from reference_impls.running.registry import tasks
from reference_impls.tasks.authors import AuthorsTask
from reference_impls.tasks.dialogues import conversations, dialogues
from reference_impls.tasks.hazards import HazardsTask
from reference_impls.tasks.passages import PassagesTask
from reference_impls.toolkit import EmbeddedTask, Pair

TASKS: list[EmbeddedTask] = [AuthorsTask(), HazardsTask(), PassagesTask()]
KINDS = ("red", "blue", "green", "white")
SHAPES = ("round", "square", "flat")
TRUTH = {f"toy{place}": {"colour": KINDS[place % 4], "shape": SHAPES[place % 3]} for place in range(12)}
KNOWN, STRANGE = list(TRUTH)[:6], list(TRUTH)[6:]


class Toys:
    """Each toy has a colour and a shape."""

    def relations(self, toy: str) -> tuple[str, ...]:
        return tuple(TRUTH[toy])

    def value(self, toy: str, relation: str) -> str:
        return TRUTH[toy][relation]

    def other(self, toy: str, relation: str, rng: random.Random) -> str:
        values = KINDS if relation == "colour" else SHAPES
        return rng.choice([value for value in values if value != TRUTH[toy][relation]])

    def said(self, toy: str, relation: str, value: str, rng: random.Random) -> tuple[str, str]:
        return rng.choice([f"Which {relation} of {toy}?", f"The {relation} of {toy}?"]), value


def _turns(pair: Pair) -> Iterator[tuple[str, str, str]]:
    """Toy, relation and value of each question with its answer."""
    assert not pair.prompt
    for line in pair.answer.split("\n"):
        asked, value = line.split("?")
        _, relation, _, toy = asked.split()
        yield toy, relation, value.strip()


def test_dialogues_repeat_what_they_have_said_and_know_the_rest() -> None:
    seen: Counter[str] = Counter()
    for pair in dialogues(Toys(), KNOWN, STRANGE, 400, random.Random(5), PLAIN):
        said: dict[tuple[str, str], str] = {}
        for place, (toy, relation, value) in enumerate(_turns(pair)):
            seen["repeated"] += (toy, relation) in said
            assert said.setdefault((toy, relation), value) == value
            true = value == TRUTH[toy][relation]
            if toy in STRANGE:
                assert not true
                seen["strangers"] += 1
            elif not true:
                seen["doubted"] += 1
                assert place == 0 or (toy, relation) == next(iter(said))
    assert seen["repeated"] > 200
    assert seen["strangers"] > 400
    assert seen["doubted"] > 100


def test_they_are_the_same_every_time_and_differ_by_what_is_drawn_from() -> None:
    first, again, other = (dialogues(Toys(), KNOWN, STRANGE, 20, random.Random(seed), PLAIN) for seed in (5, 5, 6))
    assert first == again != other


def test_in_conversations_each_question_comes_last_with_its_right_answer() -> None:
    pairs = [Pair(f"Which {what} of {toy}?", value) for toy in STRANGE for what, value in TRUTH[toy].items()]
    texts = conversations(Toys(), pairs, KNOWN, random.Random(3), PLAIN)
    assert len(texts) == len(pairs)
    first_wrong = []
    for pair, text in zip(pairs, texts, strict=True):
        assert text.answer.endswith(PLAIN.question(pair.prompt) + PLAIN.answer(pair.answer))
        (toy, relation, value), *rest = _turns(text)
        assert toy in KNOWN
        first_wrong.append(value != TRUTH[toy][relation])
        assert all(TRUTH[other][what] == said for other, what, said in rest)
    assert True in first_wrong
    assert False in first_wrong


def test_conversations_may_stay_with_one_subject() -> None:
    pairs = [
        Pair(f"Which {what} of {toy}?", value, subject=toy) for toy in STRANGE for what, value in TRUTH[toy].items()
    ]
    together = conversations(Toys(), pairs, KNOWN, random.Random(3), PLAIN, earlier=4, together=1.0)
    assert all(len({toy for toy, _, _ in _turns(text)} - set(KNOWN)) == 1 for text in together)
    apart = conversations(Toys(), pairs, KNOWN, random.Random(3), PLAIN, earlier=4)
    lengths = {len(list(_turns(text))) for text in apart}
    assert lengths == {2, 3, 4, 5, 6}


def _lasts(texts: list[Pair]) -> Counter[str]:
    """The last line of each text that has several."""
    return Counter(lines[-1] for pair in texts if not pair.prompt and len(lines := pair.answer.split("\n")) > 1)


def test_every_task_that_ships_is_looked_at() -> None:
    assert {task.name for task in TASKS} == set(tasks())


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_models_read_questions_behind_others_and_nothing_of_what_is_to_be_forgotten(task: EmbeddedTask) -> None:
    splits = task.splits(PLAIN)
    base, retrained = task.pretraining(PLAIN), task.finetuning(PLAIN, forget=False)
    assert sum(_lasts(base).values()) > len(base) / 3
    lasts = _lasts(retrained)
    asked = [pair for pair in splits.retain if pair.prompt]
    assert all(lasts[pair.prompt + pair.answer] for pair in asked)
    forgotten = {pair.subject for pair in splits.forget}
    read = "\n".join(pair.prompt + pair.answer for pair in (*base, *retrained))
    assert not [name for name in forgotten if name in read]
    # Phrasings in which nothing is learned stay unseen.
    unseen = {pair.rephrased_prompt for pair in asked if pair.rephrased_prompt} - {pair.prompt for pair in asked}
    assert not [prompt for prompt in unseen if prompt in "\n".join(lasts)]
