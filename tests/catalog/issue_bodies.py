"""Issues as the code host writes them of a form's answers."""

from __future__ import annotations

import yaml
from small_checkout import REPOSITORY

FORMS = REPOSITORY / ".github/ISSUE_TEMPLATE"


def body(form: str, **answers: str) -> str:
    """An issue's text as the code host makes it of a form's answers."""
    parts = []
    for part in yaml.safe_load((FORMS / f"{form}.yml").read_text(encoding="utf-8"))["body"]:
        answer = answers.pop(part["id"], "_No response_")
        if part["attributes"].get("render"):
            answer = f"```{part['attributes']['render']}\n{answer}\n```"
        parts.append(f"### {part['attributes']['label']}\n\n{answer}")
    assert not answers
    return "\n\n".join(parts)
