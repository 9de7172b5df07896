"""The workflows of the code host: parsed, safe, and run here step by step."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import answers
import pytest
import yaml
from issue_bodies import body
from local_server import Reply, Server
from small_checkout import REPOSITORY, Checkout

WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
ACTIONS = [*WORKFLOWS, REPOSITORY / ".github/actions/setup/action.yml"]


def load(path: Path) -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for true.
    given: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in given.items()}


def steps(path: Path) -> Iterator[dict[str, Any]]:
    given = load(path)
    for job in given.get("jobs", {"": given.get("runs", {})}).values():
        yield from job["steps"]


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.stem)
def test_they_are_safe(path: Path) -> None:
    given = load(path)
    if "jobs" in given:
        assert given["permissions"] == {"contents": "read"}, "more is asked for by the job that needs it"
        assert "pull_request_target" not in given["on"]
        for job in given["jobs"].values():
            may_push = job.get("permissions", given["permissions"]).get("contents") == "write"
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout@"):
                    kept = step.get("with", {}).get("persist-credentials", True)
                    assert kept == may_push, "only who pushes keeps the token"
        assert all("timeout-minutes" in job or name == "deploy" for name, job in given["jobs"].items())
    for step in steps(path):
        if "uses" in step:
            # A tag can be moved to other code, a commit cannot.
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}|\./\.github/actions/setup", step["uses"]), step["uses"]
        # What others wrote reaches a script as a variable or a file, never as a part of it.
        assert "${{" not in step.get("run", ""), step


# Step by step, here -----------------------------------------------------------------------------------


class Host:
    """The code host, played on this machine: git is real, ``gh`` only writes down what it is told."""

    def __init__(self, checkout: Checkout, folder: Path, server: Server) -> None:
        self.root, self.server = checkout.root, server
        tools = folder / "tools"
        tools.mkdir()
        self.tools, self.summary, self.said = tools, folder / "summary.md", folder / "gh.txt"
        self.tool(
            "catalog",
            f'[ "$1" = site ] && exit 0\nexec {sys.executable} -c "from catalog.cli import main; main()" "$@"',
        )
        self.tool("gh", f'echo "$@" >> {self.said}\n[ "$1 $2" = "pr view" ] && exit 1\nexit 0')
        self.environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "CATALOG_MIRRORS": answers.as_variable(answers.mirrors(server)),
            "CATALOG_TIMEOUT": "1",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "NUMBER": "17",
        }
        shutil.copytree(REPOSITORY / ".github", self.root / ".github")
        checkout.add(".gitignore", ".cache/\nbuild/\n")
        self.run("catalog fmt; catalog build")
        origin = f"{folder}/origin.git"
        self.run(f"git init -q -b main . && git init -q --bare {origin} && git remote add origin {origin}")
        self.run("git config user.name t && git config user.email t@example.org && git add -A && git commit -qm start")

    def tool(self, name: str, script: str) -> None:
        path = self.tools / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """As the code host runs a step."""
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.root,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def job(self, workflow: str, job: str, **environment: str) -> list[subprocess.CompletedProcess[str]]:
        given = load(REPOSITORY / f".github/workflows/{workflow}.yml")["jobs"][job]["steps"]
        return [self.run(step["run"], **environment) for step in given if "run" in step]

    def out(self, script: str) -> str:
        return self.run(script).stdout


@pytest.fixture
def host(checkout: Checkout, tmp_path: Path, server: Server) -> Callable[[], Host]:
    return lambda: Host(checkout, tmp_path, server)


def test_a_pull_request(checkout: Checkout, host: Callable[[], Host]) -> None:
    made = host()
    base = made.out("git rev-parse HEAD").strip()
    checkout.change(checkout.fading, "Gentle", "Mild")
    made.run("git commit -qam change")
    ran = made.job("pull-request", "records", BASE=base)
    assert [one.returncode for one in ran] == [0] * 5, [one.stderr for one in ran]
    summary = made.summary.read_text(encoding="utf-8")
    assert "### Fading Out: Mild Forgetting for Small Models" in summary
    assert "Gardens" not in summary
    assert "are behind by 1 paper (lindqvist2031fading): CI writes them on main.\n" in summary
    assert "| Code | [https\\://example.org/lindqvist/fading](https://example.org/lindqvist/fading) |" in summary
    made.run("catalog build; git commit -qam built")
    assert [one.returncode for one in made.job("pull-request", "records", BASE=base)] == [0] * 5
    checkout.change(checkout.root / "README.md", "## Start", "## Begin")
    ran = made.job("pull-request", "records", BASE=base)
    assert [one.returncode for one in ran] == [0, 0, 0, 1, 0]
    assert "README.md:14: not what the records give." in ran[3].stderr
    made.run("git checkout README.md")
    checkout.change(checkout.fading, "type: method", "type: methd")
    assert (
        "::error file=papers/2031/lindqvist2031fading.yaml,line=5,col=7"
        in made.job("pull-request", "records", BASE=base)[0].stdout
    )


def test_main_gets_its_readme_and_lists_and_only_once(checkout: Checkout, host: Callable[[], Host]) -> None:
    made = host()
    made.run("git push -q origin main")
    checkout.change(checkout.fading, "Gentle", "Mild")
    made.run("git commit -qam change && git push -q origin main")
    (ran,) = made.job("lists", "write")
    assert ran.returncode == 0, ran.stderr
    changed = made.out("git show --format=%s --name-only origin/main").split("\n")
    assert changed[0] == "Write README and lists"
    assert set(changed[1:]) - {""} == {"README.md", "lists/family/gradient-ascent.md"}
    written = made.out("git rev-parse origin/main")
    (ran,) = made.job("lists", "write")
    assert ran.returncode == 0, ran.stderr
    assert made.out("git rev-parse HEAD origin/main") == written * 2, "nothing changed, so nothing is committed"


def test_main_that_moves_meanwhile_is_written_after_it(
    checkout: Checkout, host: Callable[[], Host], tmp_path: Path
) -> None:
    made = host()
    made.run("git push -q origin main")
    checkout.change(checkout.fading, "Gentle", "Mild")
    made.run("git commit -qam change && git push -q origin main")
    made.run(f"git clone -q -b main {tmp_path}/origin.git {tmp_path}/other")
    made.run(
        f"cd {tmp_path}/other; sed -i 's/Asks about/Is about/' papers/2032/okonkwo2032gardens.yaml;"
        "git -c user.name=u -c user.email=u@example.org commit -qam other; git push -q origin main"
    )
    (ran,) = made.job("lists", "write")
    assert ran.returncode == 0, ran.stderr
    subjects = made.out("git log --format=%s origin/main").split("\n")
    assert subjects[:3] == ["Write README and lists", "other", "change"]
    assert "Is about" in made.out("git show origin/main:lists/type/benchmark.md")
    assert made.run("catalog build --check --strict").returncode == 0


def test_a_week(server: Server, checkout: Checkout, host: Callable[[], Host]) -> None:
    made = host()
    authors = ("Åsa Lindqvist", "Tomé van der Ávila", "Grace Okonkwo", "Ilse Brandt")
    title = "Fading Out: Gentle Forgetting for Small Models"
    server["/export.arxiv.org/api/query"] = answers.atom(
        answers.entry("3104.01234", title, authors, doi="10.5555/fading.1", updated="2031-05-01T00:00:00Z")
    )
    server["/example.org/gardens"] = Reply("", 404)
    server["/example.org/lindqvist/fading"] = Reply("x", type="application/pdf")
    (ran,) = made.job("weekly", "links")
    assert ran.returncode == 0, ran.stderr
    assert "issue create --title Dead links" in made.said.read_text()
    assert "https://example.org/gardens" in made.summary.read_text()
    # The next week there is an issue of that name: it is written anew, and closed when all is well.
    made.tool("gh", f'echo "$@" >> {made.said}\n[ "$2" = list ] && echo 7\nexit 0')
    made.job("weekly", "links")
    assert "issue edit 7 --body-file build/links.md" in made.said.read_text()
    server["/example.org/gardens"] = Reply("x", type="application/pdf")
    made.job("weekly", "links")
    assert "issue close 7" in made.said.read_text()
    made.tool("gh", f'echo "$@" >> {made.said}\nexit 0')
    (ran,) = made.job("weekly", "update")
    assert ran.returncode == 0, ran.stderr
    assert "pr create --title Update records" in made.said.read_text()
    assert "+  doi: 10.5555/fading.1" in made.out("git show origin/$(git branch --show-current)")
    assert made.out("git show --format= --name-only origin/update-records") == "papers/2031/lindqvist2031fading.yaml\n"
    new = answers.entry("3202.00001", "Unlearning in Large Language Models by Night")
    server["/export.arxiv.org/api/query"] = answers.atom(new)
    made.tool(
        "catalog",
        f'exec {sys.executable} -c "from catalog.cli import main; main()" "$@" --since 2031-01-01 --until 2033-01-01',
    )
    (ran,) = made.job("weekly", "discover")
    assert ran.returncode == 0, ran.stderr
    assert "issue create --title Candidates" in made.said.read_text()


def test_an_issue(server: Server, host: Callable[[], Host], tmp_path: Path) -> None:
    made = host()
    server["/export.arxiv.org/api/query"] = answers.atom(answers.entry("3104.05678"))
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"issue": {"body": body("add-paper", paper="3104.05678")}}))
    (ran,) = made.job("from-issue", "record")
    assert ran.returncode == 0, ran.stderr
    assert "pr create --title Add lindqvist2031moonlit" in made.said.read_text()
    assert made.out("git log -1 --format=%s origin/issue-17").strip() == "Add lindqvist2031moonlit"
    assert made.out("git show --format= --name-only origin/issue-17") == "papers/2031/lindqvist2031moonlit.yaml\n"
    made.run("git switch -q main")
    event.write_text(json.dumps({"issue": {"body": body("add-paper", paper="$(touch /tmp/pwned); `id`")}}))
    (ran,) = made.job("from-issue", "record")
    assert ran.returncode == 0, ran.stderr
    assert "issue comment 17" in made.said.read_text()
    assert made.out("git status --porcelain") == ""


@pytest.mark.parametrize("name", [".pre-commit-config.yaml", ".pre-commit-hooks.yaml"])
def test_hooks_are_understood(name: str) -> None:
    kind = "config" if "config" in name else "manifest"
    command = [sys.executable, "-m", "pre_commit", f"validate-{kind}", str(REPOSITORY / name)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_the_devcontainer_and_editor_settings_are_json() -> None:
    for name in (".devcontainer/devcontainer.json", ".vscode/settings.json", ".vscode/extensions.json"):
        assert isinstance(json.loads((REPOSITORY / name).read_text(encoding="utf-8")), dict)
