"""Publishing: the hub's own protocol, spoken by a server on this machine."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import command_runs
import pytest


class Hub(ThreadingHTTPServer):
    """Takes repositories and commits from whoever has the token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.made: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.titles: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        self.send({"error": "Repository not found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != "Bearer hf_right":
            self.send({"error": "Invalid username or password."}, 401)
        elif self.path == "/api/repos/create":
            self.server.made.append(json.loads(body))
            self.send({"url": f"{self.server.url}/me/forgetful", "name": "me/forgetful", "id": "me/forgetful"})
        elif self.path.endswith("/preupload/main"):
            asked = json.loads(body)["files"]
            self.send(
                {"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in asked]}
            )
        elif self.path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    self.server.files[value["path"]] = base64.b64decode(value["content"])
                else:
                    self.server.titles.append(value["summary"])
            self.send({"commitUrl": f"{self.server.url}/me/forgetful/commit/1", "commitOid": "1"})
        else:
            self.send({"errors": [], "warnings": []})

    def send(self, answer: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "unlearned"
    folder.mkdir()
    for name in ("config.json", "result.json", "model.safetensors", "wrapper.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    (folder / "README.md").write_text("---\ntags: [x]\n---\n\n# tiny, unlearned with NPO\n", encoding="utf-8")
    (folder / ".unfinished-1").mkdir()
    (folder / ".unfinished-1" / "model.safetensors").write_text("half", encoding="utf-8")
    return folder


def push(saved: Path, url: str, token: str = "hf_right", name: str = "me/forgetful", **environment: str) -> Any:
    """In a process of its own: the library reads its environment when it is imported."""
    own = {**os.environ, "HF_ENDPOINT": url, "HF_TOKEN": token, "HF_HUB_OFFLINE": "0", **environment}
    command = [sys.executable, "-m", "reference_impls", "push", str(saved), name]
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False, timeout=120)


def test_model_card_and_record_arrive_in_one_commit(hub: Hub, saved: Path) -> None:
    ran = push(saved, hub.url)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == f"Published: {hub.url}/me/forgetful"
    assert set(hub.files) == {"README.md", "config.json", "model.safetensors", "result.json", "wrapper.json"}
    assert hub.files["README.md"] == (saved / "README.md").read_bytes()
    assert hub.titles == ["tiny, unlearned with NPO"]
    assert hub.made[-1]["name"] == "forgetful"
    assert hub.made[-1].get("visibility", "private" if hub.made[-1].get("private") else "") == "private"


def test_a_hub_that_refuses_or_is_not_there_is_told_in_a_sentence(hub: Hub, saved: Path) -> None:
    refused = push(saved, hub.url, token="hf_wrong")
    assert refused.returncode == 2
    assert "refused (401)" in refused.stderr
    assert "hf auth login" in refused.stderr
    away = push(saved, "http://127.0.0.1:9")
    assert away.returncode == 2
    assert "cannot be reached" in away.stderr
    assert "Traceback" not in refused.stderr + away.stderr


def test_what_is_no_saved_model_is_not_published(tmp_path: Path, unlearn: command_runs.Run) -> None:
    said = unlearn("push", tmp_path, "me/nothing")
    assert said.status == 2
    assert "holds no config.json" in said.err


def test_a_name_that_is_none_is_refused_before_anything_is_sent(saved: Path, unlearn: command_runs.Run) -> None:
    said = unlearn("push", saved, "no such/name")
    assert said.status == 2
    assert "OWNER/NAME" in said.err
