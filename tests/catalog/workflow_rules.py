"""What a workflow of the code host must not do, as rules that a test can ask of any of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

ACTIONS = r"(actions/[a-z-]+|pypa/gh-action-pypi-publish)@[0-9a-f]{40}|\./\.github/actions/setup"
"""A tag can be moved to other code, a commit cannot."""
REASONS = {
    "contents": r"git push",
    "issues": r"gh issue",
    "pull-requests": r"gh pr",
    "pages": r"actions/deploy-pages@",
    "id-token": r"actions/deploy-pages@|pypa/gh-action-pypi-publish@",
}
"""What may be written, and what a job must do to need that."""
UNCHECKED = {
    r"\bpip3? (install|download)(?!.*--require-hashes)": "installs what no hash names",
    r"\bnpm (install|i|exec)\b|\bnpx\b": "installs what the lock file does not name",
    r"(curl|wget)\b[^\n]*\|\s*(ba)?sh": "runs what it fetches",
}


def faults(text: str) -> list[str]:
    """What is wrong with a workflow, or with an action of the project's own."""
    # YAML 1.1 takes the key `on` for true.
    given = {("on" if key is True else key): value for key, value in yaml.safe_load(text).items()}
    return [*(_of_workflow(given) if "jobs" in given else _of_steps(given["runs"]["steps"]))]


def _of_workflow(given: dict[str, Any]) -> Iterator[str]:
    triggers = set([given["on"]] if isinstance(given["on"], str) else given["on"])
    for trigger in sorted(triggers & {"pull_request_target", "workflow_run"}):
        yield f"{trigger} runs with rights on what strangers wrote"
    if given.get("permissions") not in ({"contents": "read"}, {}):
        yield "more than reading is asked for by the job that needs it"
    for name, job in given["jobs"].items():
        for fault in _of_job(job, triggers):
            yield f"{name}: {fault}"


def _of_job(job: dict[str, Any], triggers: set[str]) -> Iterator[str]:
    does = yaml.safe_dump(job.get("steps", []), width=1000)
    rights = job.get("permissions", {})
    if not isinstance(rights, dict):
        yield f"permissions: {rights}"
        rights = {}
    for scope, right in rights.items():
        if right == "write" and not re.search(REASONS.get(scope, "(?!)"), does):
            yield f"may write {scope}, and does not"
        if right == "write" and "pull_request" in triggers:
            yield f"may write {scope} while it runs what strangers wrote"
    if "id-token" in rights and "environment" not in job:
        yield "publishes without an environment that protects it"
    if "pypa/gh-action-pypi-publish@" in does and re.search(r"\brun:|\./|actions/checkout@", does):
        yield "runs code of the project where the token to publish is"
    if "timeout-minutes" not in job:
        yield "no timeout-minutes"
    if "${{ secrets" in does:
        yield "uses a secret that somebody has to keep"
    yield from _of_steps(job.get("steps", []))


def _of_steps(steps: list[dict[str, Any]]) -> Iterator[str]:
    for step in steps:
        uses, options, script = step.get("uses", ""), step.get("with", {}), step.get("run", "")
        if uses and not re.fullmatch(ACTIONS, uses):
            yield f"{uses} is not pinned to a commit, or nobody looked at it"
        if uses.startswith("actions/checkout@"):
            if options.get("persist-credentials", True):
                yield "the token is kept where whatever runs later finds it"
            if "${{" in str(options.get("ref", "")):
                yield "checks out what an event names"
        # What others wrote reaches a script as a variable or a file, never as a part of it.
        if "${{" in script or "${{" in str(options.get("script", "")) or "${{" in step.get("shell", ""):
            yield "an expression becomes a part of a script"
        for pattern, fault in UNCHECKED.items():
            if re.search(pattern, script):
                yield fault
