"""The documentation says what is so: links lead somewhere, Python prints what is shown, commands have these options."""

import contextlib
import importlib.util
import io
import re
import shlex
from itertools import zip_longest
from pathlib import Path

import pytest
import typer

from gnn_inventory.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "examples/*.md", "topologies/*.md", "training/*.md")
    for path in ROOT.glob(pattern)
)
RUN = [ROOT / "docs" / "ideas.md", *sorted((ROOT / "docs" / "how_to").glob("*.md"))]
"""Pages whose Python is run, but for blocks that stand under a line `<!-- slow -->`."""
FENCE = re.compile(r"^(?P<mark><!-- slow -->\n+)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)")
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?|-?\d+")
COMMANDS = typer.main.get_command(app).commands


def name(page):
    return str(page.relative_to(ROOT))


def prose(page):
    """A page without its code."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page):
    """As code hosts and the site make them of headings; the same heading again gets a number."""
    found = []
    for heading in re.findall(r"^#+ +(.+?) *$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.append(f"{anchor}-{found.count(anchor)}" if anchor in found else anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(prose(page)):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: {link}: no such file"
        assert target.is_relative_to(ROOT), f"{name(page)}: {link}: lies outside of the repository"
        if anchor:
            assert anchor in anchors(target), f"{name(page)}: {link}: no such heading"


def test_a_dead_link_would_be_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A (b): c, d\n[x](gone.md#y) `[code](not_a_link.md)`\n```text\n# no heading\n[z](code.md)\n```\n## A (b): c, d\n"
    )
    assert LINK.findall(prose(page)) == ["gone.md#y"]
    assert anchors(page) == ["a-b-c-d", "a-b-c-d-1"]


def blocks(page, language):
    """Blocks of a language: whether marked as slow, the text, and the block of text that stands right after it, if any."""
    content = page.read_text(encoding="utf-8")
    fences = list(FENCE.finditer(content))
    for fence, after in zip_longest(fences, fences[1:]):
        if fence["language"] == language:
            shown = after and after["language"] == "text" and content[fence.end() : after.start()].strip() in ("", "prints")
            yield bool(fence["mark"]), fence["text"], after["text"] if shown else None


def same(printed, shown):
    """Equal but for the last digits of numbers, which differ from machine to machine."""
    if NUMBER.sub("#", printed.strip()) != NUMBER.sub("#", shown.strip()):
        return False
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (printed, shown)]
    return numbers[0] == pytest.approx(numbers[1], rel=0.02, abs=0.02)


@pytest.mark.parametrize("page", RUN, ids=name)
def test_python_prints_what_is_shown(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for slow, text, shown in blocks(page, "python"):
        if slow:
            compile(text, name(page), "exec")
            continue
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(text, name(page), "exec"), names)  # the page's own code
        assert shown is None or same(printed.getvalue(), shown), f"{name(page)}: prints\n{printed.getvalue()}\nnot\n{shown}"


def test_other_text_and_other_numbers_would_be_seen():
    assert same("cost 5.0001, 3 stores\n", "cost 5.0000, 3 stores")
    assert not same("cost 5.3, 3 stores", "cost 5.0, 3 stores")
    assert not same("cost 5.0, 3 stores", "costs 5.0, 3 stores")


def commands(page):
    """Lines that call the command line: those of shell blocks as they are typed, and those that show its usage."""
    for language in ("bash", ""):
        for _, text, _ in blocks(page, language):
            for line in text.replace("\\\n", " ").splitlines():
                if "gnn-inventory " in line:
                    yield line[line.index("gnn-inventory ") :], language == "bash"
    for span in re.findall(r"`(gnn-inventory \w+[^`]*)`", FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield span, False


def options(command):
    return {option for parameter in command.params for option in parameter.opts} | {"--help"}


def check(line, typed):
    """Parse a call as the command line would, without running it; of a line of usage, its command and its options."""
    line = line.split("  #")[0].split(" > ")[0]
    words = shlex.split(line) if typed else re.findall(r"[\w./-]+|'[^']*'", re.sub(r"'[^']*'", "VALUE", line))
    if words[1].startswith("--"):
        return
    command = COMMANDS[words[1]]
    if typed:
        command.make_context(words[1], words[2:])
    else:
        unknown = {word for word in words[2:] if re.fullmatch(r"--?[a-z][a-z-]*", word)} - options(command)
        assert not unknown, f"{words[1]} has no {sorted(unknown)}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_can_be_typed(page):
    for line, typed in commands(page):
        try:
            check(line, typed)
        except Exception as error:  # whatever the parser raises
            raise AssertionError(f"{name(page)}: {line}: {error}") from error


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("gnn-inventory train one_warehouse", True),
        ("gnn-inventory train one_warehouse -o run --sett a=1", True),
        ("gnn-inventory trian one_warehouse -o run", True),
        ("gnn-inventory train RECIPE -o RUN [--sett key=value ...]", False),
    ],
)
def test_a_wrong_command_would_be_seen(line, typed):
    with pytest.raises(Exception, match=r".+"):
        check(line, typed)


def test_an_address_on_another_host_would_be_seen():
    pytest.importorskip("mkdocs", reason="the site's own check runs where the site is built: make docs")
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = '<link rel="stylesheet" href="//a.b/c.css"><script src="https://a.b/c.js"></script><a href="https://x">x</a><img src=own.svg>'
    assert list(module.external_assets(page)) == ["//a.b/c.css", "https://a.b/c.js"]
