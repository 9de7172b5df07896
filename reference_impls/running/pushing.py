"""A saved model goes to a hub of models, with its card and its record, where ``transformers`` finds it by name."""

from __future__ import annotations

import os
from pathlib import Path

from reference_impls.errors import UsageError
from reference_impls.toolkit.savepoints import UNFINISHED

ENDPOINT = "HF_ENDPOINT"
"""Names another hub that speaks the same protocol."""


def push(folder: Path, name: str, *, private: bool = True) -> str:
    """Upload what ``unlearn run --out`` saved, in one commit; the repository is made if it is not there.

    Args:
        folder: the saved model.
        name: of the repository, ``OWNER/NAME``.
        private: whether only its owner sees it, if it is made now.

    Returns:
        The address.

    Raises:
        UsageError: there is no model in the folder, the hub refuses, or it cannot be reached.
    """
    for file in ("config.json", "README.md", "result.json"):
        if not (folder / file).is_file():
            raise UsageError(f"{folder} holds no {file}, so it is nothing that `unlearn run --out` saved.")
    from huggingface_hub import HfApi, errors
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

    # Of the client that the library uses, whichever that is.
    unreachable: type[Exception] = getattr(errors, "HTTPError", OSError)

    hub = HfApi(endpoint=os.environ.get(ENDPOINT))
    try:
        made = hub.create_repo(name, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=made.repo_id,
            folder_path=folder,
            commit_message=_first_line(folder / "README.md"),
            ignore_patterns=[f"{UNFINISHED}*"],
        )
    except HFValidationError as error:
        raise UsageError(f"{name!r} is no name of a repository: {_line(error)} Write OWNER/NAME.") from None
    except LocalTokenNotFoundError:
        raise UsageError(f"{hub.endpoint} does not know you. {LOGIN}") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        hint = LOGIN if status in (401, 403) else "Nothing was published; try again."
        raise UsageError(f"{hub.endpoint} refused ({status}): {_line(error)} {hint}") from None
    except OfflineModeIsEnabled:
        raise UsageError("HF_HUB_OFFLINE is set, so that no hub is asked. Unset it.") from None
    except (unreachable, OSError) as error:
        raise UsageError(f"{hub.endpoint} cannot be reached: {_line(error)} Nothing was published.") from None
    return str(made)


LOGIN = "Log in with `hf auth login`, or set HF_TOKEN to a token that may write."


def _first_line(card: Path) -> str:
    """The card's title."""
    lines = card.read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix("# ") for line in lines if line.startswith("# ")), "An unlearned model")


def _line(error: Exception) -> str:
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return said if said.endswith(".") else f"{said}."
