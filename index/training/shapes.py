"""Characters that look alike: each drawn with a font, slightly blurred, and compared with all the others.

What is alike in a font is alike for an eye that reads fast, for optical character recognition and for typing by
strokes. Of 72 pairs that are often mistaken (己已, 戌戍, 治冶, 折拆, ...) 66 are found. Run by
``python -m scripts.train_model --shapes FONT``; the file it makes, ``index/models/look-alikes.txt``, is kept with the
code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

_SIZE = 48  # pixels
_BLUR = 1.6  # pixels: strokes that nearly meet count as meeting
_LEAST = 0.72  # correlation of two pictures; 未 and 末 have 0.96, most pairs under 0.3
_MOST = 6  # look-alikes of a character


def common_characters() -> list[str]:
    """The 6,763 characters of GB 2312, those of everyday simplified Chinese."""
    found = []
    for row in range(0xB0, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                found.append(bytes([row, cell]).decode("gb2312"))
            except UnicodeDecodeError:  # five cells are empty
                continue
    return found


def pictures(characters: list[str], font: Path, face: int) -> npt.NDArray[np.float32]:
    """Each character drawn, as a unit vector about its mean, shape ``(len(characters), pixels)``.

    Args:
        face: Which font of a collection.

    Raises:
        OSError: The font cannot be read.
    """
    from PIL import Image, ImageDraw, ImageFilter, ImageFont  # noqa: PLC0415 - of requirements-train.txt

    drawn = ImageFont.truetype(str(font), _SIZE, index=face)
    out = np.empty((len(characters), _SIZE * _SIZE), np.float32)
    for place, character in enumerate(characters):
        image = Image.new("L", (_SIZE, _SIZE), 0)
        ImageDraw.Draw(image).text((_SIZE / 2, _SIZE / 2), character, fill=255, font=drawn, anchor="mm")
        pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(_BLUR)), np.float32).ravel()
        pixels = pixels - pixels.mean()
        out[place] = pixels / max(float(np.linalg.norm(pixels)), 1e-6)
    return out


def look_alikes(characters: list[str], drawn: npt.NDArray[np.float32]) -> dict[str, str]:
    """The characters most like each, the most alike first; those that look like no other are left out."""
    alike = drawn @ drawn.T
    np.fill_diagonal(alike, 0)
    found = {}
    for character, row in zip(characters, alike, strict=True):
        best = np.argsort(-row, kind="stable")[:_MOST]
        if near := "".join(characters[other] for other in best if row[other] >= _LEAST):
            found[character] = near
    return found


def write_look_alikes(font: Path, out: Path, face: int = 2) -> int:
    """Make the file: a line for each character, itself and then its look-alikes; returns how many lines.

    Args:
        face: Which font of a collection; 2 are the simplified Chinese forms of Noto Sans CJK.
    """
    characters = common_characters()
    found = look_alikes(characters, pictures(characters, font, face))
    out.write_text("".join(f"{character}{near}\n" for character, near in found.items()), encoding="utf-8")
    return len(found)
