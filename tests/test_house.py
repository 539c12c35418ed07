"""The house rules, each as a test: which room may know which, how big things may grow, and what must be written down.

Every test collects all offenders, so that its failure is the list of what to mend.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("index", "service", "scripts")

LONGEST_FILE = 350
LONGEST_FUNCTION = 60
LARGEST_MODEL = 40_000_000

# What a room may not import: the rooms above it, and the libraries that are another room's business.
FORBIDDEN = {
    "index": {"service", "scripts", "tests", "flask", "werkzeug", "waitress"},
    "service": {"scripts", "tests", "faiss", "sqlite3", "tantivy", "pymilvus", "sentence_transformers", "torch"},
    "scripts": {"tests"},
}

# The settings that DESIGN promises, should the code build their names from parts.
PROMISED_SETTINGS = {"XUNZHANG_DATA", "XUNZHANG_MODEL", "XUNZHANG_ENGINE", "XUNZHANG_RERANKER"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


# What is there


def python_files(room: str) -> list[Path]:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files, f"no Python in {room}/"
    return files


def code_files(room: str) -> list[Path]:
    """What people wrote as code: Python, the page and its scripts, and the shell; not the model, not the sample."""
    suffixes = {".py", ".js", ".css", ".html", ".sh"}
    return sorted(
        path
        for path in (ROOT / room).rglob("*")
        if path.is_file()
        and not {"models", "sample"} & set(path.relative_to(ROOT).parts)
        and (path.suffix in suffixes or is_shell(path))
    )


def is_shell(path: Path) -> bool:
    if path.suffix:
        return False
    with path.open("rb") as file:
        return file.read(2) == b"#!"


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path, line: int = 0) -> str:
    return f"{path.relative_to(ROOT)}:{line}" if line else str(path.relative_to(ROOT))


def definitions(tree: ast.Module) -> Iterator[Definition]:
    for node in ast.walk(tree):
        if isinstance(node, Definition):
            yield node


# Who may know whom


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and top-level name of each absolute import, those by importlib.import_module("name") included."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name.partition(".")[0]) for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield node.lineno, module.partition(".")[0]
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module.partition(".")[0]


def test_imports_are_seen_in_every_form() -> None:
    source = """
import faiss.contrib, json
from flask.views import View
from . import sibling
importlib.import_module("torch.nn")
def late():
    import tantivy as words
"""
    assert sorted(imports(ast.parse(source))) == [
        (2, "faiss"),
        (2, "json"),
        (3, "flask"),
        (5, "torch"),
        (7, "tantivy"),
    ]


def test_imports_run_one_way() -> None:
    offenders = [
        f"{name_of(path, line)} imports {name}"
        for room in ROOMS
        for path in python_files(room)
        for line, name in imports(parsed(path))
        if name in FORBIDDEN[room]
    ]
    assert not offenders, "\n".join(offenders)


def test_no_import_climbs_out_of_its_package() -> None:
    """`from ... import x` counts its way up, and an import that nobody can read can go anywhere."""
    offenders = [
        name_of(path, node.lineno)
        for room in ROOMS
        for path in python_files(room)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.level >= len(path.relative_to(ROOT).parts)
    ]
    assert not offenders, "\n".join(offenders)


# How big things may grow


def test_no_file_is_too_long() -> None:
    offenders = [
        f"{name_of(path)}: {lines} lines"
        for room in ROOMS
        for path in code_files(room)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    ]
    assert not offenders, "\n".join(offenders)


def test_no_function_is_too_long() -> None:
    offenders = [
        f"{name_of(path, node.lineno)} {node.name}: {lines} lines"
        for room in ROOMS
        for path in python_files(room)
        for node in definitions(parsed(path))
        if not isinstance(node, ast.ClassDef) and (lines := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert not offenders, "\n".join(offenders)


def test_the_bundled_model_stays_small_enough_for_git() -> None:
    sizes = [path.stat().st_size for path in (ROOT / "index/models/compact").rglob("*") if path.is_file()]
    assert 0 < sum(sizes) <= LARGEST_MODEL


# What must be written down


def undocumented(body: list[ast.stmt]) -> Iterator[Definition]:
    """Public functions, classes and methods without a docstring. What is inside a function is its own affair."""
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not speaks_for_another(node):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node.body)


def speaks_for_another(node: Definition) -> bool:
    """An overload, an override or a property's setter is documented at the other one."""
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return bool(names & {"overload", "override", "setter"})


def test_everything_public_in_the_library_and_the_service_has_a_docstring() -> None:
    offenders = [
        f"{name_of(path, node.lineno)} {node.name}"
        for room in ("index", "service")
        for path in python_files(room)
        for node in undocumented(parsed(path).body)
    ]
    assert not offenders, "\n".join(offenders)


def settings() -> set[str]:
    pattern = re.compile(r"XUNZHANG_[A-Z]+(?:_[A-Z]+)*")
    return PROMISED_SETTINGS.union(
        *(pattern.findall(path.read_text(encoding="utf-8")) for room in ROOMS for path in code_files(room))
    )


def test_every_setting_is_in_both_readmes() -> None:
    offenders = [
        f"{readme} does not explain {setting}"
        for readme in ("README.md", "README.zh-CN.md")
        for setting in sorted(settings())
        if not re.search(rf"\b{setting}\b", (ROOT / readme).read_text(encoding="utf-8"))
    ]
    assert not offenders, "\n".join(offenders)


FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<language>[\w-]*)[^\n]*\n(?P<code>.*?)^\1\2 *$", re.M | re.S)


def headings(markdown: str) -> list[int]:
    """The levels of the headings, in order; a `#` in a code block is a comment, not a heading."""
    return [len(marks) for marks in re.findall(r"^(#{1,6}) ", FENCE.sub("", markdown), re.M)]


def commands(markdown: str) -> list[str]:
    """The lines of all shell and Python blocks, less their comments, which may speak another language."""
    return [
        command
        for block in FENCE.finditer(markdown)
        if block["language"] in {"sh", "bash", "shell", "console", "python"}
        for line in block["code"].splitlines()
        if (command := re.sub(r"(^|\s)#.*", "", line).strip())
    ]


def test_a_markdown_file_is_read_as_a_person_reads_it() -> None:
    markdown = """# Title

```sh
# a comment, not a heading
scripts/serve papers/   # 建立索引
```

## Answer

```json
{"hits": []}
```
"""
    assert headings(markdown) == [1, 2]
    assert commands(markdown) == ["scripts/serve papers/"]


def test_the_two_readmes_have_the_same_sections_and_commands() -> None:
    english = (ROOT / "README.md").read_text(encoding="utf-8")
    chinese = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    assert commands(english), "README.md shows no command"
    assert headings(chinese) == headings(english)
    assert commands(chinese) == commands(english)


def test_every_requirement_is_pinned() -> None:
    pinned = re.compile(r"[\w.-]+(\[[\w,-]+\])?==[\w.+!]+( *;.*)?")
    offenders = [
        f"{name}: {requirement}"
        for name in sorted(path.name for path in ROOT.glob("requirements*.txt"))
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if (requirement := line.partition("#")[0].strip())
        and not re.fullmatch(r"-r requirements(-milvus|-e5)?\.txt", requirement)
        and not pinned.fullmatch(requirement)
    ]
    assert not offenders, "\n".join(offenders)


def test_there_are_a_licence_and_a_changelog() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "## " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
