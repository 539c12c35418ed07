"""What archives are filled with: short texts, and long ones told apart by a number."""

from __future__ import annotations

from index.ingest import Source, record_source

BRIDGE = "经过两年修缮，城南的老石桥昨天重新开放。每天有上千人从桥上走过，老人们在桥头下棋。"
HARBOUR = "今天中午十二点起，渔港的六百条渔船全部回港。休渔期三个半月，渔民在岸上补网修船。"
SCHOOL = "新学期开始，学校食堂每天公布菜谱。家长代表可以随时进入后厨察看，孩子们剩饭少了一半。"

# Short ones, by the ids of their documents.
FOUR = {
    "bridge": "城南的老石桥昨天重新开放。",
    "harbour": "渔港的六百条渔船全部回港。",
    "school": "山里的小学今天开学了。",
    "rice": "再生稻一季能收两次。",
}


def piece(number: int) -> Source:
    sentence = "第{0}号渔船第{1}次回港，打到了{2}斤鱼，船上有{1}名渔民。"
    text = "\n".join(sentence.format(number, line, number * line) for line in range(40))
    return record_source({"id": f"p{number}", "text": text}, source="")
