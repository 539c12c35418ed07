"""The words of a query that only make it a question, and say nothing of what is sought.

By how rare they are in an archive they would weigh much: a newspaper hardly ever writes 怎么, and an archive in Chinese
hardly ever ``how``.
"""

from __future__ import annotations

import re

# A word of the question weighs this share of what its rarity would give it in late interaction; it is not asked of the
# word index. Measured on data/eval (nDCG@10 without -> with): see ``index/README.md``.
QUESTION_WEIGHT = 0.3

_CHINESE = re.compile(
    "请问|请教|想问一下|为什么|为啥|为何|什么样|什么|怎么样|怎么办|怎么|怎样|如何|多少|谁|啥|咋(?!舌)"
    "|是否|是不是|有没有|能不能|可不可以|会不会|要不要"
    "|哪(?=[个些里儿种位一家款本集国年天类项所部])|何(?=[时地处人])"
    "|(?<![很更许诸众较太])多(?=[久长大高远重钱深宽厚])"
    "|几(?=[个天点月号本级集年分次岁部种张楼大度时门口])"
    "|吗(?!啡)|(?<![毛花])呢(?![子绒料喃])"
)
# For queries without a Chinese character: beside Chinese, IT, WHO and A are names.
_ENGLISH = re.compile(
    r"\b(?:how|what|whats|who|whom|whose|when|where|why|which|is|are|was|were|be|been|do|does|did|can|could|should|would"
    r"|will|has|have|had|a|an|the|of|to|for|in|on|at|by|with|from|and|or|as|about|that|this|there)\b"
)


def sought(folded: str, *, chinese: bool) -> str:
    """A *folded* query with blanks in place of the words of its question, as long as before; itself where they are all
    there is.

    Args:
        chinese: Whether there is a Chinese character in it.
    """
    words = _CHINESE if chinese else _ENGLISH
    rest = words.sub(lambda match: " " * len(match.group()), folded)
    return rest if rest.strip() else folded
