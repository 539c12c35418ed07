"""Words that are others in Taiwan and Hong Kong: where a query has one, and what it is on the mainland."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import opencc

from index.chinese import fold, has_cjk

_LONGEST = 7  # characters of a word of OpenCC's dictionary that is looked for

# What OpenCC's dictionaries of phrases (1.4.2) lack, names in the news first; collected by hand.
_MORE = {
    "普丁": "普京", "泽伦斯基": "泽连斯基", "川普": "特朗普", "希拉蕊": "希拉里", "柯林顿": "克林顿", "布希": "布什",
    "梅克尔": "默克尔", "马克宏": "马克龙", "杜鲁道": "特鲁多", "翁山苏姬": "昂山素季", "戈巴契夫": "戈尔巴乔夫",
    "北韩": "朝鲜", "南韩": "韩国", "雪梨": "悉尼", "飞弹": "导弹", "镭射": "激光", "计程车": "出租车",
    "的士": "出租车", "公车": "公交车", "机车": "摩托车", "单车": "自行车", "捷运": "地铁", "幼稚园": "幼儿园",
    "行动电话": "手机", "冷气": "空调", "便当": "盒饭", "原子笔": "圆珠笔", "凤梨": "菠萝", "酪梨": "牛油果",
    "品质管制": "质量管理", "健保": "医保", "太空人": "航天员", "太空船": "飞船", "人工智慧": "人工智能",
    "智慧型手机": "智能手机", "笔电": "笔记本电脑", "行动支付": "移动支付", "部落客": "博主", "网路": "网络",
}  # fmt: skip
_THESE = re.compile("|".join(sorted(_MORE, key=len, reverse=True)))


@cache
def _converters() -> tuple[opencc.OpenCC, opencc.OpenCC]:
    return opencc.OpenCC("s2tw"), opencc.OpenCC("tw2sp")


def regional(folded: str) -> Iterator[tuple[int, int, str]]:
    """Where such words stand in a *folded* query, as ``(start, end, word on the mainland)``."""
    if not has_cjk(folded):
        return
    done = 0
    own = {match.start(): match for match in _THESE.finditer(folded)}
    taiwan, mainland = _converters()
    written = taiwan.convert(folded)
    same = len(written) != len(folded) or fold(mainland.convert(written)) == folded
    if same and not own:
        return
    for start in range(len(folded)):
        if start < done:
            continue
        if start in own:
            done = own[start].end()
            yield start, done, _MORE[own[start].group()]
            continue
        for end in range(min(start + _LONGEST, len(folded)), start + 1, -1) if not same else ():
            word = _phrase(written[start:end])
            if word and word != folded[start:end]:
                done = end
                yield start, end, word
                break


def _phrase(written: str) -> str | None:
    """What a word of the dictionary is on the mainland; ``None`` for what is none, or several."""
    _, mainland = _converters()
    whole = fold(mainland.convert(written))
    if whole == fold(written):
        return None
    for cut in range(1, len(written)):
        if fold(mainland.convert(written[:cut])) + fold(mainland.convert(written[cut:])) == whole:
            return None
    return whole
