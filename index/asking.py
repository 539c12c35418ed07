"""The words of a query that only make it a question, and say nothing of what is sought.

By how rare they are in an archive they would weigh much: a newspaper hardly ever writes 怎么, and an archive in Chinese
hardly ever ``how``.
"""

from __future__ import annotations

import re

# A word of the question weighs this share of what its rarity would give it in late interaction; it is not asked of the
# word index. Measured on data/eval (nDCG@10 without -> with): see ``index/README.md``.
QUESTION_WEIGHT = 0.3

# Words that hold one of those below and ask nothing; what follows them may look like a question (多伦多大学).
_KEPT = (
    "多伦多|多高层|任何|几何|吗啡|吗丁啉"
    "|[十百千万亿好][几多](?=[个天年次种名家位人大月周])|[近前这那茶头]几(?=[个天年次种名家位月周])"
)
_MEASURES = "个|天|点|本|次|种|张|枚|名|家|位|届|只|条|件|项|场|座|辆|艘|架|块|款|轮|局|部|集|分钟|分"
_CHINESE = re.compile(
    f"(?P<kept>{_KEPT})"
    "|请问|请教|想问一下|为什么|为啥|为何|什么样|[什甚]么时[候间]|什么|怎么样|怎么办|怎么|怎样|如何|多少|谁|啥时候|啥|咋(?!舌)"
    "|是否|是不是|有没有|能不能|可不可以|会不会|要不要"
    "|哪一?(?:[个些里儿种位家款本国年天类项所部]|(?<=一))|何[时地处人]"
    "|(?<![很更许诸众较太最])多(?=[久长大高远钱深宽厚])|(?<![很更许诸众较太最])多(?=重(?![\u4e00-\u9fff]))|(?<=有)多(?=重)"
    f"|第几(?:{_MEASURES}|(?=人))?|几(?:{_MEASURES}|(?=[月号级年岁楼大度时门口人]))"
    "|吗|(?<![毛花])呢(?![子绒料喃])"
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
    rest = words.sub(lambda match: match.groupdict().get("kept") or " " * len(match.group()), folded)
    return rest if rest.strip() else folded
