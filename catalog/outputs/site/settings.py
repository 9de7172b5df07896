"""What decides how the site looks: where it stands, and what it shows where nobody chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml
from mkdocs.utils.yaml import get_yaml_loader, yaml_load

from catalog.base.project import Project
from catalog.model import defaults
from catalog.model.navigation import CONFIG_FILE


@dataclass(frozen=True)
class Settings:
    """What the site must know beyond the catalog; see ``extra`` in ``site/mkdocs.yml``."""

    repository: str = ""
    """Where records can be read and edited, as ``https://host/owner/name``; ``""`` while there is no such place."""
    site_url: str = ""
    """Where the site will be, with a slash at its end; ``""`` while nobody knows."""
    branch: str = "main"
    headline_method: str = defaults.METHOD
    """The method that the home page runs."""
    headline_task: str = defaults.TASK
    utility_metric: str = defaults.UTILITY
    truth_metric: str = defaults.TRUTH
    """The vertical axis of the figures."""
    headline_attack: str = defaults.ATTACK
    """The attack that has a figure of its own."""
    headline_metrics: tuple[str, ...] = ("forget_probability", defaults.UTILITY)
    """The columns of the small tables on the home page and on papers' pages."""
    many_rows: int = 12
    """A table with more rows than this has a field that leaves those with some words."""
    markdown_extensions: tuple[Any, ...] = ()
    """As MkDocs reads them, for Markdown within HTML."""

    @property
    def get_it(self) -> tuple[str, ...]:
        """What sets the project up, line by line; ``ADDRESS`` stands for a repository that is not known."""
        if not self.repository:
            return "git clone ADDRESS llm-unlearning", "cd llm-unlearning", "make"
        folder = self.repository.rpartition("/")[2].removesuffix(".git")
        return f"git clone {self.repository}", f"cd {folder}", "make"


def read_settings(project: Project) -> Settings:
    """The part of ``mkdocs.yml`` that the generator must know."""
    # MkDocs' own loader knows !ENV, and by default would make any object that a file names.
    config = yaml_load((project.site / CONFIG_FILE).read_text(encoding="utf-8"), get_yaml_loader(yaml.SafeLoader))
    options = config["extra"]["catalog"]
    options["headline_metrics"] = tuple(options["headline_metrics"])
    options["markdown_extensions"] = tuple(config["markdown_extensions"])
    address = (config.get("site_url") or "").rstrip("/")
    return Settings(
        repository=(config.get("repo_url") or "").rstrip("/"), site_url=f"{address}/" if address else "", **options
    )
