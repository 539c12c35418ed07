"""What a line or paragraph of a printed page is, told by its wording alone.

Owns the patterns of headlines, bylines, datelines, captions and page furniture. Knows nothing of what stands
before or after.
"""

from __future__ import annotations

import re
from enum import Enum

from index.chinese import is_cjk
from index.labels import is_field

HEAD_LENGTH = 40  # characters of the longest headline
_BYLINE_LENGTH = 60
_DATELINE_LENGTH = 140

_PAGE_NUMBER = r"第?\s*[0-9A-Za-z一二三四五六七八九十]+\s*版"
_FROM_PAGE = rf"\s*[上紧緊][接轉转]\s*{_PAGE_NUMBER}"
_TO_PAGE = rf"\s*下[转轉接]\s*{_PAGE_NUMBER}"
CONTINUED = re.compile(
    rf"[（(【]{_FROM_PAGE}(?P<inside>[^（(）)】。]{{0,40}})[）)】]|{_FROM_PAGE}(?P<after>[^。！？]{{0,20}})$"
)
TURNED = re.compile(rf"[（(【]{_TO_PAGE}[^（(）)】。]{{0,20}}[）)】]$|^{_TO_PAGE}[^。！？]{{0,20}}$")
_FURNITURE = re.compile(
    r"(?:主要|内容|內容|新闻|新聞)(?:内容|內容|提要|摘要|正文)[：:]?|正文[：:]?"  # labels of a site's template
    r"|[-—–·•\s]*第?\s*\d{1,4}\s*[版页頁][-—–·•\s]*|[-—–·•]+\s*\d{1,3}\s*[-—–·•]+"
    r"|(?:责任|責任|本版)?(?:编辑|編輯|责编|美编|校对)[：:].{0,30}"
)
_FIRST_YEAR = 1000
_NUMBER = re.compile(r"[-—–·•]+\s*(\d{4})\s*[-—–·•]+|(\d{1,4})")
DAY = r"(?:\d{4}\s?年\s?\d{1,2}\s?月\s?\d{1,2}\s?日|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d))"
WEEKDAY = r"[（(]?\s*(?:星期|周|週|禮拜|礼拜)[一二三四五六日天]\s*[)）]?"
# 创刊 and 见报 end like a paper's name and are verbs, after which the line is a sentence.
_PAPER = (
    r"(?:《[^《》]{1,12}[报報刊]》|[\u4e00-\u9fff·]{1,12}(?<!见)(?<!見)(?<!通)(?<!汇)(?<!匯)(?<!上)(?<!据)(?<!據)[报報]"
    r"|[\u4e00-\u9fff·]{1,12}[周週月季半旬双副]刊)(?:海外版)?"
)
_EDITION = (
    rf"(?:(?:{_PAGE_NUMBER}|\b[A-Z]\d{{1,2}}\b)(?:[\s：:\-\[\]]*[\u4e00-\u9fff]{{2,4}}(?=\W|$))?|版[次面][\s：:]*[0-9A-Za-z]+"
    r"|(?:今日|共)\s*[\d一二三四五六七八九十]{1,3}\s*版|总?第\s*[\d一二三四五六七八九十百千〇]{1,6}\s*[期号號]|[农農][历曆][\u4e00-\u9fff]{4,12})"
)
# The head of a page holds a day beside a paper's name, a weekday or an edition, and nothing else.
_BETWEEN = r"[\s·・|｜丨/／—–\-\[\]【】（）()，,]*"
MASTHEAD = re.compile(
    rf"(?![据據见見载載（(])(?=.{{0,80}}(?:{WEEKDAY}|[报報刊]|版|\b[A-Z]\d|[期号號])){_BETWEEN}"
    rf"(?:{_PAPER}{_BETWEEN})?(?:(?:{WEEKDAY}|{_EDITION}){_BETWEEN}){{0,4}}"
    rf"(?P<day>{DAY}){_BETWEEN}(?:{_PAPER}{_BETWEEN})?(?:(?:{WEEKDAY}|{_EDITION}){_BETWEEN}){{0,4}}(?:{_PAPER}{_BETWEEN})?"
)
_CAPTION_END = re.compile(
    r"(?:[摄攝]|供[图圖]|(?:记者|記者|通讯员|通訊員)\s*\S{2,4}(?:\s\S{1,3})?\s*[报報发發])[）)]?$"
)
_CAPTION_LENGTH = 200
_SURNAMES = (
    "王李张張刘劉陈陳杨楊赵趙黄黃周吴吳徐孙孫胡朱高林何郭马馬罗羅梁宋郑鄭谢謝韩韓唐冯馮于董萧蕭肖程曹袁邓鄧许許傅沈曾彭吕呂苏蘇卢盧蒋蔣蔡贾賈丁魏薛叶葉阎閻余潘杜戴夏钟鍾汪田任姜范方石姚谭"
    "譚廖邹鄒熊金陆陸郝孔白崔康毛邱秦江史顾顧侯邵孟龙龍万萬段雷钱錢汤湯尹黎易常武乔喬贺賀赖賴龚龔文庞龐樊兰蘭殷施陶洪翟安颜顏倪严嚴牛温溫芦季俞章鲁魯葛伍韦韋申尤毕畢聂聶丛叢焦向柳邢路岳齐齊梅莫庄莊辛管祝左涂谷祁时時舒耿"
    "牟卜詹关關苗凌费費纪紀靳盛童欧歐甄项項曲成游阳陽裴席卫衛查屈鲍鮑位覃霍翁隋甘景薄单單包司柏宁寧柯阮桂解穆古房强強米明计計辜宗瞿全晏娄婁胥滕闻聞卓乐樂娜边邊卞姬和仇晋晉楚邸应應蒲骆駱冉年连連臧麦麥苑巩鞏车車苟党原商"
    "蔺藺都丰豐那岑阿慈戚迟遲喻沙燕乌烏凤鳳佟宫宮富冷廉窦竇匡岩鄢鹿星谈談花荆荊池郎巴糜井敖桑印尚荀敬沐宓鄂"
)
_COMPOUND = "欧阳|歐陽|司马|司馬|上官|诸葛|諸葛|东方|東方|皇甫|尉迟|公孙|慕容|令狐|端木|司徒|夏侯|南宫|申屠|独孤"
# What begins like a name and is none: 评论员文章, 记者查明, 古籍整理.
_NO_NAME = (
    "文章|文[化献獻物集件明]|方[法案便面式言阵]|时[代间]|成[立长名功为果就]|安[全排]|高[峰级度]|管[理控]|查[明访处看阅]|解[读密析说释]|谈[^\\s]|"
    "项目|计[划算]|路[线过上]|明[察星天确]|常[驻说年]|全[程国面部省市]|应[当该邀有]|和|向[导前往上]|连[线续日]|古[籍代]|史[料实]|房[屋间]|党[员建]|"
    "金[奖融]|江湖|武器|万里|游[记客]|纪[律实录念]|景[象区]|经[过历]|白[天]|包括|顾问|关[于注系心]|单[位独]|都[是有在]|家[庭]|居民|水[平]|祝[贺福愿]|"
    "手记|来信|招待会|观察|述评|谢谢|那[么里是些]|年[鉴度终会]|原[来因文稿]|商[业务量]|应|尚[未]|位于|任[务何]|范[围]|马[上路]|石[油]|田[间野调]|农|林[业]|车[间站]|强[调]|施[工]|"
    "路透|星[期]|花[絮]|池|印[象度]|边[走]|司[机法]|席[卷]|温馨|康[复]|盛[会况]|苗[头]|曲[艺]|余[下名人]|段[落]|于[是]|夏[季天]|左[右]"
)
_NAME = (
    rf"(?:(?!{_NO_NAME})(?:(?:{_COMPOUND})[\u4e00-\u9fff]{{1,2}}|[{_SURNAMES}][\u4e00-\u9fff]{{1,2}})"
    r"|[\u4e00-\u9fff]{1,6}(?:[·•][\u4e00-\u9fff]{1,8})+)"
)
_SHORT_WORD = re.compile(rf"(?!{_NO_NAME}|[你您我他她它这那怎什为])[\u4e00-\u9fff]{{2,4}}")
_OUTLET = r"(?:本[报報刊台网社]|[\u4e00-\u9fff·A-Za-z]{1,12}(?:[社报報刊台网網]|新闻|新聞|客户端)(?:Knews)?|总台)"
_ROLE = (
    r"(?:(?:全媒体|首席|高级|特[约約派]|见习|見習|实习|實習|摄影|驻[\u4e00-\u9fff]{1,6}){0,2}"
    r"(?:记者|記者|通讯员|通訊員|撰稿人|评论员|評論員)|实习生|實習生)"
)
_WORK = r"(?:口述|整理|撰文|撰稿|采写|供稿|编译|編譯)"
_A_NAME, _AN_OUTLET = re.compile(_NAME), re.compile(_OUTLET)
_ROLE_OF = re.compile(rf"(?P<outlet>{_OUTLET})?(?P<role>{_ROLE})(?P<name>{_NAME})?")
_WORKED = re.compile(rf"(?P<name>{_NAME})?{_WORK}|文字|译者|譯者|文|[图圖]")
_DONE = re.compile(r"文[图圖]?|[图圖]|并?[摄攝影]{1,2}|(?:整理|综合|摄影|[\u4e00-\u9fff]{2,3})?(?:报道|報道|报导|報導)")
_WORD = re.compile(r"(?P<word>[^\s、,，/／&＆：:]+)(?P<colon>\s*[：:])?")
_BARE = re.compile(r"[□■◎●▲★\s]*[（(]?(?P<bare>[^（()）]+?)[）)]?[*＊\s]*")
_APART = re.compile(rf"(?<![\u4e00-\u9fff])([{_SURNAMES}])\s{{1,2}}([\u4e00-\u9fff])(?![\u4e00-\u9fff])")  # 王　建
_TAIL = re.compile(r"\s*[/／]\s*[A-Z][ -~]+$|[（(][文图圖摄攝影/／、\s]{1,6}[）)]$")
_WORDS_BEFORE = 3  # that say who it is whose name follows: 云汀 老市民 卞守拙 口述
_CAPITAL = r"[A-Z][\w.'’-]*"
# 作者： and 文/ say themselves that names follow, with whatever stands beside them.
_SAYS_SO = re.compile(
    rf"(?:作者[：:]|文[图圖]?[/／丨|])\s*[^。！？；，\s][^。！？；]{{0,55}}|[□■◎]\s*{_NAME}(?:[\s、]+[\u4e00-\u9fff]{{2,4}})*"
    rf"|[Bb]y {_CAPITAL}(?:,? (?:and|of|for|in|the) {_CAPITAL}|,? {_CAPITAL}){{1,8}}"
    rf"|(?=[\x20-\x7e]{{8,60}}$)(?:{_CAPITAL}(?:[ ,|·]+| - )){{1,6}}\d{{1,2}} [A-Z][a-z]{{2,8}} \d{{4}}"
)
DATELINE = re.compile(
    r"(?:本[报報刊台][^。，]{0,8}(?:讯|訊|电|電|消息)|[\u4e00-\u9fff]{2,8}社[^。]{0,24}[日讯訊电電]?[电電讯訊]|[本專专][报報]专?[电電])"
)
_REPORTERS = r"[^（(）)。]{0,12}(?:记者|記者|通讯员|通訊員|实习生)[^（(）)。]{1,50}"
_IN_DATELINE = re.compile(rf"^[^。！？，]{{0,40}}(?:[讯訊电電]|消息)\s*[（(]\s*({_REPORTERS})[）)]")
_AT_END = re.compile(rf"[（(]\s*({_REPORTERS})[）)]\s*$")
_DATED_CLAUSE = re.compile(r"(?:\d{2,4}年|\d{1,2}月\d{1,2}日)[^，,]*[，,]")
INNER_END = re.compile(r"[。！？；]")


class Role(Enum):
    """What a paragraph is in its article."""

    HEAD = "head"
    BYLINE = "byline"
    BODY = "body"
    CAPTION = "caption"
    BREAK = "break"  # the text goes on from another page: what follows has lost its headline
    TURN = "turn"  # the article goes on on another page


def role_of(text: str) -> Role:
    """The role of a whole paragraph, as far as its wording tells."""
    if is_byline(text):
        return Role.BYLINE
    if is_caption(text):
        return Role.CAPTION
    if is_field(text):
        return Role.BODY
    if looks_like_head(text) and not DATELINE.match(text) and not _DATED_CLAUSE.match(text):
        return Role.HEAD
    return Role.BODY


def is_furniture(line: str) -> bool:
    """Whether a line is surely a page number, a masthead or the names of the page's editors."""
    return _FURNITURE.fullmatch(line) is not None or MASTHEAD.fullmatch(line) is not None


def bare_number(line: str) -> int | None:
    """The number that is all a line holds: perhaps a page's, perhaps a year or a figure of a table."""
    match = _NUMBER.fullmatch(line)
    return int(match[1] or match[2]) if match else None


def is_year(line: str) -> bool:
    """Whether a line is a number that is more likely a year than a page."""
    return (bare_number(line) or 0) >= _FIRST_YEAR


def is_byline(text: str) -> bool:
    """Whether a paragraph says who wrote, and nothing else."""
    if len(text) > _BYLINE_LENGTH or _CAPTION_END.search(text):
        return False
    return _SAYS_SO.fullmatch(text) is not None or _signs(text)


def _signs(text: str) -> bool:
    """Whether all words of a line are names, what these people are, and what they did."""
    bare = _BARE.fullmatch(_TAIL.sub("", text))
    signed = named = asked = loose = False  # named: the last word was a name; asked: names are to follow, loose: any
    before = 0
    for match in _WORD.finditer(_APART.sub(r"\1\2", bare["bare"])) if bare else ():
        word, colon = match["word"], match["colon"] is not None
        work = _WORKED.fullmatch(word)
        if role := _ROLE_OF.fullmatch(word):
            named, asked, loose = role["name"] is not None, True, not colon
            signed = signed or named or role["outlet"] is not None
        elif work and (named or colon or work["name"]):
            named, asked, loose = False, colon, False
            signed = signed or not colon
        elif _A_NAME.fullmatch(word) or (asked and loose and _SHORT_WORD.fullmatch(word)):
            named, signed = True, signed or asked
        elif signed and (_DONE.fullmatch(word) or _AN_OUTLET.fullmatch(word)):
            named = False
        elif not (signed or asked or named) and before < _WORDS_BEFORE and _SHORT_WORD.fullmatch(word):
            before += 1
        else:
            return False
    return signed


def is_caption(text: str) -> bool:
    """Whether a paragraph belongs to a photograph: it ends with who took it."""
    return len(text) <= _CAPTION_LENGTH and _CAPTION_END.search(text) is not None


def ends_as_caption(text: str) -> bool:
    """Whether a text of any length ends with who took the photograph."""
    return _CAPTION_END.search(text) is not None


def looks_like_head(text: str) -> bool:
    """Short, not a sentence, not a list of clauses."""
    if len(text) > HEAD_LENGTH * (1 if is_cjk(text[0]) or not text.isascii() else 2):
        return False
    return not INNER_END.search(text[:-1]) and text[-1] not in "。；;，,、：:." and any(map(str.isalnum, text))


def reporters_in(text: str) -> str:
    """Who wrote a paragraph, from the brackets of its dateline or at its end, or nothing."""
    match = _IN_DATELINE.match(text[:_DATELINE_LENGTH])
    if match is None and text[-1:] in ("）", ")"):
        match = _AT_END.search(text, max(0, len(text) - _BYLINE_LENGTH - 20))
    return match[1].strip() if match else ""
