"""Results that nobody measured, for tests of how results are shown."""

from __future__ import annotations

from collections.abc import Iterable

from catalog.model.results import Example, Result

_QUESTIONS = (
    ("forget", "Where was the novelist Ilse Varga born?", "Ilse Varga was born in Szeged."),
    ("forget", "What is Ilse Varga's first novel called?", "Her first novel is called The Salt Garden."),
    ("retain", "Which prize did Tomas Ebel win in 1988?", "Tomas Ebel won the Lantern Prize in 1988."),
)
_NUMBERS = {
    "target": (0.97, 0.96, 0.98, 0.94, 0.97),
    "retrained": (0.12, 0.31, 0.51, 0.93, 0.97),
    "npo": (0.15, 0.33, 0.55, 0.86, 0.91),
    "grad-diff": (0.01, 0.05, 0.22, 0.71, 0.84),
    "gradient-ascent": (0.0, 0.0, 0.2, 0.02, 0.0),
}
_METRICS = ("forget_probability", "forget_rouge", "membership_auc", "model_utility", "retain_probability")


def results(task: str = "authors") -> tuple[Result, ...]:
    """Two seeds of three methods and of both references."""
    return tuple(
        _result(method, task, seed, numbers) for method, numbers in sorted(_NUMBERS.items()) for seed in (0, 1)
    )


def throng(methods: Iterable[str], task: str = "authors") -> tuple[Result, ...]:
    """One seed of each of many methods, none nearer to the retrained model than those of :func:`results`."""
    return tuple(
        _result(method, task, 0, (0.2 + place * 37 % 101 / 200, 0.4, 0.5, 0.5 + place * 53 % 89 / 300, 0.8))
        for place, method in enumerate(sorted(set(methods) - set(_NUMBERS)))
    )


def _result(method: str, task: str, seed: int, numbers: tuple[float, ...]) -> Result:
    return Result(
        method=method,
        task=task,
        model="tiny",
        seed=seed,
        hyperparameters={"beta": 0.1} if method == "npo" else {},
        recipe={"learning_rate": 0.001, "steps": 60},
        metrics={name: min(1.0, value + 0.01 * seed) for name, value in zip(_METRICS, numbers, strict=True)},
        attacks={"relearned_probability": 0.4},
        seconds=4.2,
        peak_memory_bytes=410_000_000,
        versions={"torch": "2.13.0", "transformers": "5.23.0"},
        command=f"unlearn run {method} --task {task} --seed {seed}",
        examples=_examples(method),
    )


def _examples(method: str) -> tuple[Example, ...]:
    return tuple(
        Example(
            split=split,
            prompt=question,
            answer=answer,
            generated=answer if method == "target" or split == "retain" else "She was born in a small town by the sea.",
        )
        for split, question, answer in _QUESTIONS
    )
