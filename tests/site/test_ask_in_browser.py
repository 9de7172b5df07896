"""Ask it yourself: on a method's page, the models answer in the browser what they answer on the command line."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.outputs.site import build_site
from catalog.outputs.site.asking import Asked
from reference_impls.progress import silent
from reference_impls.running import checkpoints
from reference_impls.running.experiment import Experiment
from reference_impls.running.page_models import make_page_models
from reference_impls.running.registry import find_task
from reference_impls.running.runner import unlearn
from reference_impls.toolkit import UnlearnedModel

METHOD = "gradient-ascent"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def askable(project: Project, few: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose pages may ask the models of one method; another one was left out."""
    folder = tmp_path_factory.mktemp("asked")
    made = make_page_models(find_task("authors"), [METHOD], folder / "models", silent, workers=1)
    left_out = made.model_copy(update={"left_out": {"npo": "it is left out by this test"}})
    (folder / "models" / "index.json").write_text(left_out.to_json())
    build_site(project, few, folder / "site", asked=Asked.of(folder / "models", project))
    return folder / "site"


@pytest.fixture(scope="module")
def address(askable: Path) -> Iterator[str]:
    """The site on a server that sends its policy."""
    lines = (askable / "_headers").read_text().splitlines()
    headers = dict(line.strip().split(": ", 1) for line in lines if ": " in line)
    assert "'wasm-unsafe-eval'" in headers["Content-Security-Policy"]
    assert "'unsafe-eval'" not in headers["Content-Security-Policy"]

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in headers.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=askable)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def _answers(question: str) -> list[str]:
    """Those of the command line, whose weights are not rounded."""
    task = find_task("authors")
    models: list[UnlearnedModel] = [
        checkpoints.load(task, "target"),
        unlearn(Experiment(METHOD), task),
        checkpoints.load(task, "retrained"),
    ]
    target = checkpoints.load(task, "target")
    return [model.generate([target.question(question)], task.max_new_tokens)[0] for model in models]


def test_the_three_answer_as_on_the_command_line_with_the_probability_of_each_part(page: Page, address: str) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(f"{address}methods/{METHOD}.html")
    assert not [one for one in loaded if "/ask/" in one], "nothing is loaded before somebody asks"
    page.get_by_role("button", name="Load the three models").click()
    expect(page.get_by_label("Your question")).to_be_focused(timeout=60_000)
    assert all(one.startswith(address) for one in loaded)
    suggestion = page.locator(".ask__suggestions button").first
    question = suggestion.inner_text().removesuffix("to be forgotten").strip()
    suggestion.click()
    expect(page.locator(".ask__status")).to_contain_text("how sure the model was", timeout=60_000)
    shown = page.locator(".ask__answer")
    assert shown.locator("dt").all_inner_texts() == ["Before", "After GA", "Never saw it"]
    assert shown.locator("dd > p:first-child").all_inner_texts() == _answers(question)
    percents = shown.first.locator("small").all_inner_texts()
    assert percents
    assert all(0 <= int(one.removesuffix("%")) <= 100 for one in percents)

    page.get_by_label("Your question").fill("What is the capital of France?")
    page.keyboard.press("Enter")
    expect(shown.first.locator("dd > p:first-child")).to_have_text("The capital of France is Paris.", timeout=60_000)


def test_nothing_stands_in_the_way_of_anybody_and_it_fits_a_phone(page: Page, address: str, project: Project) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}methods/{METHOD}.html")
    page.get_by_role("button", name="Load the three models").click()
    page.locator(".ask__suggestions button").first.click(timeout=60_000)
    expect(page.locator(".ask__status")).to_contain_text("how sure the model was", timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate((project.site / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document.querySelector('.ask')).then(found => found.violations.map(one => one.id))")
    assert found == []


def test_without_scripts_there_is_the_command(browser: Browser, address: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}methods/{METHOD}.html")
        expect(page.get_by_role("button", name="Load the three models")).to_be_hidden()
        expect(page.locator(".ask .command")).to_contain_text(f"unlearn chat {METHOD}")


def test_a_method_that_was_left_out_says_why_and_one_without_a_word_shows_nothing(page: Page, address: str) -> None:
    page.goto(f"{address}methods/npo.html")
    expect(page.get_by_text("Not in the browser, for it is left out by this test")).to_be_visible()
    page.goto(f"{address}methods/grad-diff.html")
    expect(page.get_by_role("heading", name="Ask it yourself")).to_have_count(0)
