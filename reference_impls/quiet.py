"""Libraries have progress bars and advice of their own; a run shows its own."""

from __future__ import annotations

import os
import warnings


def silence_libraries() -> None:
    """Turn them off, for this process. Imports transformers."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", module=r"(torch|transformers|peft|accelerate)\b.*")
    from transformers.utils import logging

    logging.disable_progress_bar()
