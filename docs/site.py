"""Hooks of the documentation site: its files lie where the repository has them, and it loads nothing from elsewhere.

A link that works between two files of the repository is to work between their pages. So each page keeps its path in the
repository as its source, whatever folder it lies in; `docs/` alone is left out of addresses.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
BESIDE = (
    "*.md",
    "LICENSE",
    "benchmarks/*",
    "examples/*.py",
    "topologies/*",
    "training/*.md",
    "training/*.yaml",
    "training/suites/*.yaml",
)
"""What of the repository beside docs/ pages link to."""
ASSET = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)", re.IGNORECASE)


def on_files(files: Files, config: Any) -> Files:
    """Every page and picture under its path in the repository."""
    docs = Path(config.docs_dir)
    kept = [file for file in files if file.src_dir != config.docs_dir]  # the theme's
    inside = sorted(docs / file.src_uri for file in files if file.src_dir == config.docs_dir and not file.src_uri.endswith(".py"))
    beside = sorted({path for pattern in BESIDE for path in ROOT.glob(pattern) if path.is_file()})
    return Files(kept + [_file(path, config) for path in inside + beside])


def on_post_build(config: Any) -> None:
    """Refuse a site that would load a script, a style, a font or a picture from another host."""
    found = [
        f"{page.relative_to(config.site_dir)}: {address}"
        for page in sorted(Path(config.site_dir).rglob("*.html"))
        for address in external_assets(page.read_text(encoding="utf-8"))
    ]
    if found:
        raise PluginError("the site is to stand alone; it loads from elsewhere:\n" + "\n".join(found))


def external_assets(html: str) -> Iterator[str]:
    """Addresses on other hosts that a page loads by itself; what a reader may follow is not meant."""
    return (match.group(1) for match in ASSET.finditer(html))


def _file(path: Path, config: Any) -> File:
    """A file of the repository; README.md at the top gives way to docs/index.md as the first page."""
    source = path.relative_to(ROOT).as_posix()
    file = File(source, str(ROOT), config.site_dir, config.use_directory_urls)
    if source == "README.md":
        file.dest_uri = "readme.html"
    elif source.startswith("docs/"):
        file.dest_uri = file.dest_uri.removeprefix("docs/")
    return file
