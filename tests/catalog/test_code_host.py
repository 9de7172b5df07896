"""The workflows of the code host: parsed, safe, and run here step by step."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import answers
import pytest
import yaml
from issue_bodies import body
from local_server import Reply, Server
from small_checkout import REPOSITORY, Checkout
from workflow_rules import faults

WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
ACTIONS = [*WORKFLOWS, REPOSITORY / ".github/actions/setup/action.yml"]


def load(path: Path) -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for true.
    given: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in given.items()}


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.stem)
def test_they_are_safe(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


SAFE = """\
on:
  push:
permissions: {contents: read}
jobs:
  one:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions: {contents: write}
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683
        with: {persist-credentials: false}
      - run: git push
"""


@pytest.mark.parametrize(
    ("was", "becomes", "fault"),
    [
        ("push:", "pull_request_target:", "strangers"),
        ("push:", "workflow_run:", "strangers"),
        ("push:", "pull_request:", "may write contents while"),
        ("permissions: {contents: read}\n", "", "more than reading"),
        ("permissions: {contents: read}\n", "permissions: write-all\n", "more than reading"),
        ("    permissions: {contents: write}", "    permissions: write-all", "write-all"),
        ("run: git push", "run: git status", "may write contents, and does not"),
        ("contents: write", "packages: write", "may write packages"),
        ("contents: write", "id-token: write", "without an environment"),
        ("11bd71901bbe5b1630ceea73d27597364c9af683", "v4", "not pinned"),
        ("actions/checkout@", "somebody/checkout@", "nobody looked"),
        ("persist-credentials: false", "fetch-depth: 0", "the token is kept"),
        ("false}", "false, ref: '${{ github.event.pull_request.head.sha }}'}", "an event names"),
        ("git push", 'git push "${{ github.event.issue.title }}"', "part of a script"),
        ("git push", "git push; pip install requests", "no hash names"),
        ("git push", "git push; npm install", "the lock file does not name"),
        ("git push", "git push; curl -s https://example.org/x | bash", "runs what it fetches"),
        ("run: git push", "run: git push\n        env: {KEY: '${{ secrets.KEY }}'}", "a secret"),
        ("    timeout-minutes: 5\n", "", "no timeout"),
    ],
)
def test_what_is_not_safe_is_seen(was: str, becomes: str, fault: str) -> None:
    assert faults(SAFE) == []
    assert was in SAFE
    assert any(fault in one for one in faults(SAFE.replace(was, becomes, 1)))


def test_a_release_is_published_from_a_tag_only_after_it_was_tried() -> None:
    release = load(REPOSITORY / ".github/workflows/release.yml")
    assert release["on"] == {"push": {"tags": ["v[0-9]*"]}}
    publishing = release["jobs"]["publish"]
    assert publishing["needs"] == ["build", "try"]
    assert publishing["environment"]["name"] == "pypi"
    assert publishing["permissions"] == {"id-token": "write"}
    assert publishing["steps"][-1]["with"]["attestations"] is True
    assert all("permissions" not in job for name, job in release["jobs"].items() if name != "publish")


@pytest.mark.parametrize(("tag", "status"), [("v{}", 0), ("{}", 1), ("v{}.1", 1)])
def test_a_release_is_of_the_version_that_its_tag_names(tag: str, status: int) -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    (script,) = (
        step["run"]
        for step in load(REPOSITORY / ".github/workflows/release.yml")["jobs"]["build"]["steps"]
        if step.get("name") == "The tag is the version"
    )
    python = f'python() {{ "{sys.executable}" "$@"; }}\n'
    environment = {**os.environ, "GITHUB_REF_NAME": tag.format(version)}
    ran = subprocess.run(["bash", "-ec", python + script], cwd=REPOSITORY, env=environment, check=False)
    assert ran.returncode == status


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


def test_known_vulnerabilities_become_an_issue_and_none_close_it(host: Callable[[], Host]) -> None:
    made = host()
    made.tool("make", "echo 'urllib3 2.8.0 PYSEC-2031-1'\nexit 2")
    (ran,) = made.job("weekly", "audit")
    assert ran.returncode == 0, ran.stderr
    assert "issue create --title Audit of dependencies" in made.said.read_text()
    assert "PYSEC-2031-1" in made.out("cat build/audit.md")
    made.tool("gh", f'echo "$@" >> {made.said}\n[ "$2" = list ] && echo 7\nexit 0')
    made.job("weekly", "audit")
    assert "issue edit 7 --body-file build/audit.md" in made.said.read_text()
    made.tool("make", "exit 0")
    made.job("weekly", "audit")
    assert "issue close 7" in made.said.read_text()


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
