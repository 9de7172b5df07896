"""How a run tells those who wait how far it is; libraries have progress bars of their own, and are silenced."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``."""


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


def silence_libraries() -> None:
    """Turn them off, for this process. Imports transformers."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", module=r"(torch|transformers|peft|accelerate)\b.*")
    from transformers.utils import logging

    logging.disable_progress_bar()
