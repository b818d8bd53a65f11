"""The documentation's Python runs, its YAML is a pipeline and its links lead somewhere."""

import re
from pathlib import Path
from typing import get_args

import pytest

from millimorph.ops import IntensityOp, OneOf, SomeOf, SpatialOp
from millimorph.recipe import draw, parse_pipeline

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
names = [str(page.relative_to(ROOT)) for page in PAGES]


def python_blocks(page):
    return PYTHON.findall(page.read_text(encoding="utf-8"))


PAGES_WITH_PYTHON = [page for page in PAGES if python_blocks(page)]


def anchors(page):
    """Make the anchors that GitHub gives a page's headings."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    """The blocks of one page run in order, in one namespace, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    done = 0
    for block in python_blocks(page):
        code = compile(block, f"{page.name}, block {done + 1}", "exec")
        exec(code, namespace)  # noqa: S102 - our own pages
        done += 1
    assert done > 0


YAML_BLOCKS = [block for page in PAGES for block in YAML.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=lambda block: block.splitlines()[0])
def test_the_yaml_of_a_page_is_a_pipeline_that_can_be_drawn(block):
    assert next(draw(parse_pipeline(block))).spatial


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_the_links_of_a_page_resolve(page):
    """Files and headings are looked up; addresses on the web are not fetched."""
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}"


def test_the_page_of_operations_names_every_op_as_it_is_spelled():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for kind in (*get_args(SpatialOp), *get_args(IntensityOp), OneOf, SomeOf):
        row = f"| `{kind.__name__}` | `{kind.model_fields['op'].default}` | "
        assert page.count(row) == 1, f"docs/operations.md has no row, or two, for {row}"


def test_the_readme_shows_python_and_yaml_that_is_run():
    assert ROOT / "README.md" in PAGES_WITH_PYTHON
    assert YAML_BLOCKS
