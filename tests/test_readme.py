"""The READMEs cannot rot: commands, flags, links, formats, models and printed answers are held against the code."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from index import fusion, readers
from index.corpus import Corpus
from index.document import SearchRequest
from index.model_cards import MODELS
from index.reranker import RERANKERS
from service.answers import HitOut, SearchAnswer
from service.schemas import SearchFields

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
NOT_FORMATS = {".venv", ".xls", ".ppt"}
SETTING = re.compile(r"XUNZHANG_[A-Z]+(?:_[A-Z]+)*")

pytestmark = pytest.mark.parametrize("readme", READMES)


def text_of(readme: str) -> str:
    return (ROOT / readme).read_text(encoding="utf-8")


def blocks(markdown: str, *languages: str) -> list[str]:
    fences = re.findall(r"^```(\w+)\n(.*?)^```$", markdown, re.M | re.S)
    return [code for language, code in fences if language in languages]


def inline_codes(markdown: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", markdown, flags=re.M | re.S))


def command_lines(markdown: str) -> Iterator[list[str]]:
    """The commands of the shell blocks as words, without the prompt and the variables before them."""
    prompted = [line[2:] for block in blocks(markdown, "console") for line in block.splitlines() if line[:2] == "$ "]
    plain = [line for block in blocks(markdown, "sh") for line in block.splitlines()]
    for line in prompted + plain:
        words = shlex.split(line, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if words:
            yield words


def parser_of(command: str) -> argparse.ArgumentParser:
    module = import_module(f"scripts.{command}")
    made = module.arguments() if hasattr(module, "arguments") else module.parser()
    assert isinstance(made, argparse.ArgumentParser)
    return made


def options_of(made: argparse.ArgumentParser) -> set[str]:
    found: set[str] = set()
    for action in made._actions:
        found.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found.update(*(options_of(below) for below in action.choices.values()))
    return found


def program_of(words: list[str]) -> tuple[str, list[str]] | None:
    """The module of scripts/ that a command starts, and its arguments."""
    match words:
        case ["scripts/serve", *rest]:
            return "server", rest
        case [python, "-m", module, *rest] if python.endswith("python") and module.startswith("scripts."):
            return module.removeprefix("scripts."), rest
    return None


def test_every_command_is_one_that_its_program_takes(readme: str, capsys: pytest.CaptureFixture[str]) -> None:
    offenders, seen = [], 0
    for words in command_lines(text_of(readme)):
        if (called := program_of(words)) is None:
            continue
        seen += 1
        try:
            parser_of(called[0]).parse_args(called[1])
        except SystemExit:
            offenders.append(f"{shlex.join(words)}: {capsys.readouterr().err}")
    assert seen > 10
    assert not offenders, "\n".join(offenders)


def test_every_other_program_is_there(readme: str) -> None:
    """What is neither ours by module nor a tool of everyone's is a file of the project."""
    named = {words[1] if words[0] == "bash" else words[0] for words in command_lines(text_of(readme))}
    missing = {name for name in named - {"curl", ".venv/bin/python"} if not (ROOT / name).is_file()}
    assert not missing


def test_every_module_and_flag_in_the_prose_exists(readme: str) -> None:
    codes = inline_codes(text_of(readme))
    modules = {name for code in codes for name in re.findall(r"python -m scripts\.(\w+)", code)}
    commands = ("build_index", "search", "manage", "evaluate", "server", "train_model", "benchmark", "load")
    known = set().union(*(options_of(parser_of(name)) for name in commands))
    flags = {flag for code in codes for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", code)}
    assert modules <= set(commands)
    assert flags
    assert flags <= known


def test_every_search_sent_by_curl_is_one_that_the_service_takes(readme: str) -> None:
    bodies = [
        words[words.index("--json") + 1]
        for words in command_lines(text_of(readme))
        if words[0] == "curl" and "--json" in words
    ]
    assert bodies
    for body in bodies:
        SearchFields.model_validate_json(body)


def test_every_relative_link_leads_somewhere(readme: str) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text_of(readme))
    assert targets
    assert not [target for target in targets if ":" not in target and not (ROOT / target).exists()]


def test_the_formats_named_are_those_that_are_read(readme: str) -> None:
    named = {code for code in inline_codes(text_of(readme)) if re.fullmatch(r"\.[a-z0-9]+", code)} - NOT_FORMATS
    assert named == readers.FORMATS


def test_every_setting_named_is_read_somewhere(readme: str) -> None:
    code = {
        name
        for room in ("index", "service", "scripts")
        for path in (ROOT / room).rglob("*")
        if path.suffix in {".py", ".sh"}
        for name in SETTING.findall(path.read_text(encoding="utf-8"))
    }
    assert set(SETTING.findall(text_of(readme))) <= code


def test_every_reranker_is_in_the_table(readme: str) -> None:
    text = text_of(readme)
    assert [card.name for card in RERANKERS.values() if f"| `{card.name}` | {card.licence} |" not in text] == []


def test_every_model_is_in_the_table(readme: str) -> None:
    rows = [line for line in text_of(readme).splitlines() if line.startswith("| `")]
    for name, card in MODELS.items():
        short = name.rpartition("/")[2]
        family, _, size = short.rpartition("-")  # `-base` stands beside its smaller sister
        named = [row for row in rows if f"{short}`" in row or (family and family in row and f"`-{size}`" in row)]
        facts = (str(card.dimension), card.licence.split()[0])
        assert any(all(fact in row for fact in facts) for row in named), name


def test_the_printed_answer_has_the_fields_of_answers(readme: str) -> None:
    (block,) = blocks(text_of(readme), "json")
    answer = json.loads(block)
    assert set(answer) == set(SearchAnswer.model_fields) - {"stages"}
    assert all(set(hit) == set(HitOut.model_fields) for hit in answer["hits"])
    SearchAnswer.model_validate(answer)


def test_the_printed_answers_are_those_of_the_sample(readme: str, sample: Corpus) -> None:
    markdown = text_of(readme)
    (printed,) = (json.loads(block) for block in blocks(markdown, "json"))
    best = sample.search(SearchRequest(printed["query"], limit=1)).hits[0]
    (shown,) = printed["hits"]
    sentence = "".join(part.text for part in best.segments if part.in_sentence)
    assert (shown["title"], shown["score"]) == (best.title, pytest.approx(best.score, abs=0.02))
    assert "".join(part["text"] for part in shown["segments"] if part["in_sentence"]) == sentence
    assert (shown["position"]["start"], shown["position"]["end"]) == (best.position.start, best.position.end)
    (console,) = blocks(markdown, "console")
    assert f"⟦{sentence}⟧" in console
    unmarked = console.replace("⟦", "").replace("⟧", "").replace("\n   ", "\n")
    assert best.text in unmarked


def test_the_printed_phrases_find_what_they_say(readme: str, sample: Corpus) -> None:
    phrases = [
        words[3]
        for words in command_lines(text_of(readme))
        if words[1:3] == ["-m", "scripts.search"] and words[3][0] in '"“'
    ]
    assert len(phrases) == 2
    for phrase in phrases:
        assert sample.search(SearchRequest(phrase)).total == 1


def test_the_cut_off_and_the_weak_mark_are_those_of_the_code(readme: str) -> None:
    markdown = text_of(readme)
    assert f"{fusion.CUT_OFF:g}" in markdown
    assert f"{fusion.SURE:g}" in markdown
