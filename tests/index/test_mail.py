"""Web pages saved as one file, and letters."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from index.readers import supported
from tests.index.documents import PAGE, SENTENCE, source


def saved(page: str, encoding: str, charset: str) -> bytes:
    """A page as a browser saves it, with a picture."""
    message = EmailMessage()
    message["From"] = "<Saved by Blink>"
    message["Snapshot-Content-Location"] = "https://example.org/saved.html"
    message["Subject"] = "老桥"
    message["Date"] = "Tue, 1 Jun 2024 08:30:00 +0800"
    message.set_content(page.encode(encoding), "text", "html", cte="quoted-printable")
    if charset:
        message.set_param("charset", charset)
    message.add_related(b"\x89PNG" * 50, "image", "png")
    return message.as_bytes()


def letter(*, html: bool = False, attached: bool = False) -> bytes:
    message = EmailMessage()
    message["From"] = "林汀 <lin@example.org>"
    message["Subject"] = "关于老石桥"
    message["Date"] = "Tue, 01 Jun 2021 08:30:00 +0800"
    message.set_content(f"<p>{SENTENCE}</p>" if html else SENTENCE, subtype="html" if html else "plain", charset="gbk")
    if not html:
        message.add_alternative(f"<p>{SENTENCE}</p>", subtype="html")
    if attached:
        message.add_attachment("附件的文字", filename="a.txt")
    return message.as_bytes()


@pytest.mark.parametrize("name", ["a.mht", "a.mhtml", "a.txt"])
@pytest.mark.parametrize(("encoding", "charset"), [("utf-8", "utf-8"), ("gb18030", "gb2312"), ("gb18030", "")])
def test_a_saved_page_is_read_as_a_page(tmp_path: Path, name: str, encoding: str, charset: str) -> None:
    found = source(tmp_path, name, saved(PAGE, encoding, charset))
    assert SENTENCE in found.text
    assert "首页" not in found.text
    assert (found.document.title, found.document.byline) == ("老石桥重新开放", "林汀")
    assert (found.document.date, found.document.url) == ("2021-06-01T08:30:00", "https://example.org/bridge.html")
    assert supported(Path(name))


def test_what_a_saved_page_does_not_say_its_envelope_does_but_not_when_it_was_written(tmp_path: Path) -> None:
    document = source(
        tmp_path, "a.mht", saved(f"<html><body><p>{SENTENCE}</p></body></html>", "utf-8", "utf-8")
    ).document
    assert (document.title, document.url) == ("老桥", "https://example.org/saved.html")
    assert (document.date, document.byline) == ("", "")


@pytest.mark.parametrize("html", [True, False])
def test_a_letter_is_read_with_its_subject_sender_and_date(tmp_path: Path, html: bool) -> None:
    found = source(tmp_path, "a.eml", letter(html=html))
    assert found.text.strip() == SENTENCE
    document = found.document
    assert (document.title, document.byline, document.date) == ("关于老石桥", "林汀", "2021-06-01T08:30:00")


def test_attachments_of_a_letter_are_told(tmp_path: Path) -> None:
    found = source(tmp_path, "a.eml", letter(attached=True))
    assert "附件的文字" not in found.text
    assert "has 1 attachments, which were not read" in found.notes[0].english


def test_a_subject_in_bare_bytes_is_decoded(tmp_path: Path) -> None:
    raw = f"Subject: 关于老石桥\r\nFrom: lin@example.org\r\n\r\n{SENTENCE}\r\n".encode("gb18030")
    document = source(tmp_path, "a.eml", raw).document
    assert (document.title, document.byline) == ("关于老石桥", "lin@example.org")
