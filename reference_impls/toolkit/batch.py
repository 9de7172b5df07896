"""One step's data, as a loss sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import Encoded

Reference = Literal["nothing", "log-probabilities", "model"]
"""What a loss needs of the model before unlearning."""


@dataclass(frozen=True)
class Batch:
    """Forget sequences and as many from the retain set."""

    forget: Encoded
    """With ``forget.reference``, if the method asks for ``"log-probabilities"``."""
    retain: Encoded
    """Without a sequence where there is no retain set, or where the method does not look at it."""
    reference: LanguageModel | None
    """The frozen model before unlearning, if the method asks for ``"model"``."""
    alternate: Encoded | None = None
    """The forget sequences with another answer each, if the method asks for it: drawn from ``Pair.alternates``, anew
    for every batch. With ``alternate.reference``, if the method asks for ``"log-probabilities"``."""

    @property
    def before(self) -> LanguageModel:
        """The model before unlearning, frozen: no gradients flow through it.

        Raises:
            LookupError: the method does not say ``reference = "model"``.
        """
        if self.reference is None:
            raise LookupError('a method that looks at the model before unlearning says reference = "model"')
        return self.reference

    @property
    def preferred(self) -> Encoded:
        """``alternate``: the answers that may be given instead.

        Raises:
            LookupError: the method does not say ``alternates = True``.
        """
        if self.alternate is None:
            raise LookupError("a method that looks at alternate answers says alternates = True")
        return self.alternate
