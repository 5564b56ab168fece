"""One way to fill a page: escaped, from the template beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def filled(name: str, /, **values: Any) -> str:
    """The page `name`.html.j2 as text. Everything is escaped but what is marked safe, such as our own charts."""
    from jinja2 import Environment, FileSystemLoader

    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=folder, autoescape=True, trim_blocks=True)
    return environment.get_template(f"{name}.html.j2").render(**values)
