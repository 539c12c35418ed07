"""How much a text looks like written Chinese, character by character: what tells a right decoding from a wrong one.

Wrong decodings of Chinese are made of rare characters, because every encoding puts the common ones where others have
the rare. So one number for each character is enough, and works for texts of a few characters.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from index.chinese import fold

# The 1,500 commonest characters of encyclopedia articles, laws and articles on computing, commonest first,
# counted over 8 million characters folded to simplified ones; they make 97 % of running text.
COMMON = (
    "的一在用人是有以和行中个为可第年会法不定应国条你当本于理上了这大作文部时十者件使地其下发管或要民出工设对规我关务到政业成后生机建主并公能开它来方区动安他所如分们及由二经市进事学员程门三日制等内自保数之"
    "同通位多面合与名提将过系新代单物器全任得加统家实体现令处产运而目被入月最前些重表服性式化据间命因但需更也项常水果种施相级期责四标置计接构组府道改外查包资子电立五特从教信例供原就院利装长具选场高情列证护"
    "正权源交品议此基度户依小意量然照明取里向编台都版路创么解监共请网持展按海点该委准西存示次序案指元何容车起备支报布斯至类很收线息称划看决县结社已职活东平环无格色南城变金境问认好调配技许专样营两力检录口记"
    "受说字告执还没术比确六集办非知复款书科形军图司球只输求审天除未语码联反参域总直亚完织软各限着题队什推治山防导尔校商站美节试世放北违况给马根费省督功则章律修始赛做企属义手约七每强测型质那传协想密育克让注"
    "视模像算达号且八别端流心助载德采影空止广验核予游范回库少负整造万获界林村转华显符译简身王批先申打战写效客拉九见启维终罚首易括际鱼去带士必港预即百团登州农气控引投清岛论食诉态步连适领排消究言乐医围移志承"
    "评研罗头续另举价料择音值络担害险米女河太操超史居尼乡花近演失再片英历足段纳湾土击快卫镇份几换状白住师考销较群星己故巴香卡财兰筑风停辑优又曾便速送济托印航官污养观房益初找察荣含光响识张读象障习哪随树增戏"
    "街罪离措播候索古键盘话江园石角染把仅周须添誉洲普真鳍享补龙储升阿独层纪损深严族今犯铁够致病帮局访派刑档留禁互希细错额届否往守似急老越继健附签儿疗奖述黑景桌满免黄药火奥神才率宣脚欢喜默争朝页京征众绿望址"
    "警硬扩救块励兴远边爱亲售背积波仍感曲追红货死植览拟热歌低威退画偿干夫辖宗付双占素李频函切剧船青误虚危旅云轻材判草武落释季破介善某断劳母康假她极板篇丁千艺税声精侧博湖训堂授欧裁早难亦础射洋座履馆异购延突"
    "策邮鼓田阳苏废培父般临册杂微减室汉均席仓庭陆木底虽尽班架思链典票私帝股镜尾尚绝甲浏拥献允询遗甚替半兵涉阅练讼屋森沙融封析搜脑松听待毒略促哥归味幕降订哈陈署藏隐充删奇侵念副绍驱牌矿跟岁坏银短枚福冠永攻玩"
    "桥野压缩旧屏词塞叶萨愿鉴飞描卷塔遇杀良觉富右遵吉氏窗却友顿钟余尝牙套佳闭岸租久党综买径胜役伊温楼盟灾伦拒圣磁束泰散皇曼乎卖澳估详趣讨鸟避逐势店呈迁撤债援探插伤伯左智菜辆返途夏赔驶挥笔循男缺盖诺幼乘燃映"
    "圆针差瑞革鲁擅翻疫恢顺顶栖贡谷兼秘汇唱走灵沿雄洛招败固殊宽川阶残稳捷毕抗油吸垃圾媒疑弃怎竞答毛截闻弟眼缓血齿央骨赖疾皮亮隔概宫拆踪隆弹祖钥郡夹讲阻礼殖雷您宁碍尺籍靠虑杨秀借亡饰零寻丰露拍若谁贝捕婚烟挂"
    "刚舶拿轮跨混阵韩震叫刘孙刊爆械冲缴勒暂渔券酒堡倍颜惠宝贴毁棘埃唐莱姆烈繁丹刻瓦斑饮莓吗患距末乌绘迪厂巨账俗框激骤筹困匹钱熟坚吧蒙纽雅丽摄胡池串摩徒洞绩唯春讯驾课恩梅杜鲜菲泛汽句休缘灭透黎渐纠押递朗吴乱"
    "轨宅厅贸杯岩齐呢静庆纸佛宾蛇牛彩贵迎抵斗虫坦琉嘉栏仲蒂紧遭晚驻廷荐邦剂宋酸触洁湿津舞肉谢顾刺墙童俄夜纷聚棒堆蓝盛掌仔聘犬梁董腹臀逾夺乙庄幸臣漫覆巧钮币邻忠扣谈耳恶暴枪诸箱恐灰悉嫌捐梯猫忽宜掉召迹扬纹仪"
    "赵凭旦逃孩液脱耗倒舰竹慈怪横郑敦灯艾衣煤遍洪辅晋仙泽漏诗皆貌麻莫浙寺厘尤褐吊峰鼠挑亿衡毫穿伙怀丝扁朱赠颁努妇卓鳞乔玉暗雪秒旗纲辐杰慢卵坐溪魔宪麦恒尊锁迷姓兹沟惯惊仁昌帕抢楚妻岗弗泊肯扶泉拜兽搭吃雨跳赫"
    "伪扫填逻迫抽拳宿倾洗挖旋餐御盐拖偶辩坡谋勘翰徽郎尖畜潮泥赏伴孔淡栈冰腊巡咨羽兄陷卢赞烧阁奉龄拔骑扰折荷滨氧潜伟纯浪井屿寄猎壳豪秩夷伍蜂殿玛紫衔滑粮浮邀龟剑辛伐耶佩邨偏塘赢滤滚伸擎戒侦冬裂既旁雌曹阴诊朋"
)
_RANK = {char: 1 - place / 3000 for place, char in enumerate(COMMON)}
_MARKS = frozenset("，。、；：？！“”‘’（）《》〈〉「」『』【】〔〕—…·～　％")
_BROKEN = {"Co", "Cc", "Cn", "Cs"}  # private, control, unassigned, half a pair: nobody writes these


@cache
def value(char: str) -> float | None:
    """From 1 for the commonest characters down to -3 for what nobody writes; ``None`` for ASCII, which says nothing."""
    if " " <= char <= "~" or char in "\t\n\r\f\ufeff":
        return None
    if "\u4e00" <= char <= "\u9fff":
        return _hanzi(char)
    if char in _MARKS:
        return 0.8
    if char == "\ufffd" or unicodedata.category(char) in _BROKEN:
        return -3.0
    if "\u00c0" <= char <= "\u024f":  # accented letters, of which wrong decodings as Latin-1 are made
        return -0.2
    return 0.2 if "\uff01" <= char <= "\uff5e" or "\u3040" <= char <= "\u30ff" else -0.5


def _hanzi(char: str) -> float:
    folded = fold(char)
    if (known := _RANK.get(folded)) is not None:
        return known
    try:
        row = folded.encode("gb2312")[0]
    except UnicodeEncodeError:
        return -1.0
    return 0.2 if row < 0xD8 else -0.3  # its first level holds the 3,755 characters in common use


def plausibility(text: str) -> float:
    """Mean value of the characters: about 0.7 for Chinese prose, below 0 for a wrong decoding; 0.5 for pure ASCII."""
    values = [known for char in text if (known := value(char)) is not None]
    return sum(values) / len(values) if values else 0.5
