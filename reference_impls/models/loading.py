"""How a model is to be loaded, as people say it: no torch here, so that a run can be named without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Loading:
    """What may be chosen when a model is loaded; None leaves it to the model and the machine."""

    window: int | None = None
    """How many tokens of a text are read at a time; by default as many as the model was made for, within reason."""
    dtype: Precision | None = None
    """What its weights are computed with; by default 32 bits wherever those fit. Whatever trains has copies in 32."""
    trust_remote_code: bool = False
    """Whether code that comes with a model may be run, where ``transformers`` has none for it: it can do anything."""

    @property
    def words(self) -> list[str]:
        """The options that say this on the command line."""
        chosen = [("--window", self.window), ("--dtype", self.dtype)]
        said = [word for option, value in chosen if value is not None for word in (option, str(value))]
        return said + (["--trust-remote-code"] if self.trust_remote_code else [])
