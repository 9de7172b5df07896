"""With what a paper trained a model of billions: declared once, in a method's class or a benchmark's table.

A method's class says it in literals (``reference_impls.toolkit.method.Method`` has the same name)::

    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 32,
        "source": "released code, TOFU with Llama-2-7B-chat",
    }

What is not known is left out, and never guessed; without any of it the class says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

FIELDS = ("learning_rate", "epochs", "steps", "batch_size", "weight_decay", "warmup")


class RecipeError(ValueError):
    """A published recipe is declared in a way that nothing can run."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class PublishedRecipe:
    """How somebody trained a model of billions; None is what they do not say."""

    source: str
    """Where it is said, and of which model."""
    learning_rate: float | None = None
    epochs: float | None = None
    """Passes over the forget set; or else ``steps``."""
    steps: int | None = None
    batch_size: int | None = None
    """Forget examples to a step, over all devices and accumulated ones."""
    weight_decay: float | None = None
    warmup: float | None = None
    """The part of the steps over which the learning rate rises."""

    @classmethod
    def declared(cls, value: Any) -> PublishedRecipe:
        """The recipe that a literal states.

        Raises:
            RecipeError: it is no dictionary of the known fields, says no source, or has numbers that cannot be meant.
        """
        known = f"A dictionary with source and any of: {', '.join(FIELDS)}."
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise RecipeError("published is no dictionary of names", known)
        if unknown := [key for key in value if key not in (*FIELDS, "source")]:
            raise RecipeError(f"published has {unknown[0]!r}", known)
        if not isinstance(value.get("source"), str) or not value["source"].strip():
            raise RecipeError("published says no source", "Say which paper or code says it, and of which model.")
        if "epochs" in value and "steps" in value:
            raise RecipeError("published has both epochs and steps", "Say one of them.")
        for key in FIELDS:
            if key in value and not _sensible(key, value[key]):
                raise RecipeError(f"published has {key} = {value[key]!r}", _ALLOWED[key])
        if not any(key in value for key in FIELDS):
            raise RecipeError("published says nothing but its source", known)
        return cls(**value)

    def steps_for(self, examples: int, batch_size: int) -> int | None:
        """How many steps it means for so many examples to forget; None where it does not say."""
        if self.epochs is None:
            return self.steps
        # Exact: 0.1 * 30 is more than 3 in binary.
        return max(1, -(-Fraction(str(self.epochs)) * -(-examples // batch_size) // 1))

    @property
    def words(self) -> str:
        """It as a person reads it, without the source."""
        said = {
            "learning_rate": "learning rate {:g}",
            "epochs": "{:g} passes over the forget set",
            "steps": "{} steps",
            "batch_size": "batches of {}",
            "weight_decay": "weight decay {:g}",
            "warmup": "warm-up over {:.0%} of the steps",
        }
        parts = ((form, getattr(self, name)) for name, form in said.items())
        text = ", ".join(form.format(value) for form, value in parts if value is not None)
        return text.replace("1 passes", "1 pass") if self.epochs == 1 else text


_ALLOWED = {
    "learning_rate": "A number above 0.",
    "epochs": "A number above 0.",
    "steps": "A whole number, 1 or more.",
    "batch_size": "A whole number, 1 or more.",
    "weight_decay": "A number, 0 or more.",
    "warmup": "A part of the steps, from 0 to 1.",
}


def _sensible(key: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    match key:
        case "steps" | "batch_size":
            return isinstance(value, int) and value >= 1
        case "warmup":
            return 0 <= value <= 1
        case "weight_decay":
            return value >= 0 and value < float("inf")
    return 0 < value < float("inf")
