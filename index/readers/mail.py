"""Messages in MIME: web pages saved as one file (.mht, .mhtml), and letters (.eml)."""

from __future__ import annotations

import email
from collections.abc import Iterator
from dataclasses import replace
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import parseaddr

from index.errors import SourceError
from index.readers.content import Content
from index.readers.encoding import decode
from index.readers.html import article, declared_charset
from index.readers.pages import Facts, Note, Page, Reading
from index.readers.text import text_of

MAXIMUM = 64 << 20  # bytes, with all pictures


def read_mail(content: Content) -> Iterator[Reading]:
    """The saved page, or the letter, as one document. Attachments are told and not read.

    Raises:
        SourceError: It holds no text, or is larger than 64 MiB.
    """
    message = email.message_from_bytes(content.read(MAXIMUM))
    parts = [part for part in message.walk() if not part.is_multipart()]
    attached = sum(_is_attached(part) for part in parts)
    for part in parts:
        if part.get_content_type() not in {"text/plain", "text/html"} or _is_attached(part):
            continue
        text, facts, notes = _body(part, content.name)
        if text.strip():
            if attached:
                notes += (
                    Note(
                        f"{content.name} has {attached} attachments, which were not read; save them as files.",
                        f"{content.name} 有 {attached} 个附件，未读入；请另存为文件。",
                    ),
                )
            yield Reading(content.name, (Page(text),), _facts(message, part, facts), notes)
            return
    raise SourceError(
        f"{content.name} holds no text; what is attached to it has to be saved as files.",
        f"{content.name} 中没有文字；其附件请另存为文件。",
    )


def _is_attached(part: Message) -> bool:
    return part.get_content_disposition() == "attachment"


def _body(part: Message, name: str) -> tuple[str, Facts, tuple[Note, ...]]:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    if part.get_content_type() == "text/plain":
        text, notes = text_of(raw, name, part.get_content_charset(""))
        return text.replace("\r\n", "\n"), Facts(), notes
    markup, notes = text_of(raw, name, part.get_content_charset("") or declared_charset(raw))
    return *article(markup), notes


def _facts(message: Message, part: Message, facts: Facts) -> Facts:
    """What the page says of itself, and where it says nothing what the letter's head does."""
    title = facts.title or _header(message, "Subject")[:300]
    sender, address = parseaddr(_header(message, "From"))
    if "@" not in address:  # a browser saved a page: the date is that of saving
        place = _header(message, "Snapshot-Content-Location") or _header(part, "Content-Location")
        return replace(facts, title=title, url=facts.url or (place if place.startswith("http") else ""))
    return replace(
        facts, title=title, byline=facts.byline or sender or address, date=facts.date or _header(message, "Date")
    )


def _header(message: Message, name: str) -> str:
    """A field of the head, decoded, whether it is encoded as it should be or in bare bytes."""
    value = message.get(name, "")
    try:
        words = decode_header(value)
    except HeaderParseError:
        return ""
    shown = (word if isinstance(word, str) else decode(word, charset or "").text for word, charset in words)
    return " ".join("".join(shown).split())
