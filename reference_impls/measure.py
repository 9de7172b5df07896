"""What a run cost, and with which versions."""

from __future__ import annotations

import platform
import resource
import sys
from importlib.metadata import version


def peak_memory_bytes() -> int:
    """The most memory that was in use: of the accelerator if there is one, else of this process since it started."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes


def versions() -> dict[str, str]:
    """Versions of what decides a number."""
    packages = ("llm-unlearning", "torch", "transformers", "accelerate", "peft", "tokenizers")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
