"""Which encoding text beyond ASCII is in: what each makes of the same bytes is weighed against how people write.

Each encoding is a rough model of a script: how likely are its common characters, its other ones, those that exist and
are hardly written, and bytes that are no character. The one under which the bytes are likeliest is the guess; where
another is nearly as likely, or where bytes mean different letters in encodings that no model tells apart, it is asked.
"""

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

# The commonest characters of general text and of what hospitals write, by our own knowledge of the languages.
_KOREAN = (
    "이다의가는을에하고지로한사기대도어리자인서정수나일시아부보제여상해전장과안원주공동성신무비학경화구국선조진관소유방물문체생계연금음식약염중요"
    "특개발명단양면역당차세실험건료환번호남월년분코드외입퇴응급병내검결치처투량횟용법증후군통합불만족확강김박최윤임오권황은를있것들그되우않못없"
    "등더또씨스트러라마바카타파하미모민박연영예외위육율은임재저적점접질집차참창책천청초촬촉총추출충측층평포표품필한항향허현형호홈확활황회효후"
    "휴흉흡희날짜투여담과목코드복름주민록등길거두부목간폐위심뇌골절혈압액뇨당체온맥박호흡신장췌담낭대소"
)
_UNITS = "㎎㎏㎗㎖㎍㎕㎜㎝㎡㎥㏄㎠㎢㎛㎚㎐㎐㎾"  # which Korean exports write as one sign
_SIMPLIFIED = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都"
    "同现当没动面起看定天分还进好小部其些主样理心本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问"
    "很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论"
    "处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决"
    "治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候"
    "带导争运病患者号编姓名性别男女出生日期住院门诊诊断检验检查结果药品剂量单位编码费用医生科室血压糖尿肝肾肺心脏治疗手术日期时间类型描述地址电话"
    "岁体温项目处方急性慢性炎高血压冠编号医保身份证"
)
_TRADITIONAL = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經麼去法學如都同"
    "現當沒動面起看定天分還進好小部其些主樣理心本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最"
    "重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員解水名真論處走義各"
    "入幾口認條平系氣題活爾更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計管期市直德資命山金指克許統區保至隊形社便空決治展馬科"
    "病患號編姓名性別男女出生日期住院門診斷檢驗檢查結果藥品劑量單位代碼費用醫師科室血壓糖尿肝腎肺心臟治療手術時間類型描述地址電話歲體溫項目處方急"
    "慢炎健保身分證字號就醫序診所"
)
_KANA = "".join(map(chr, [*range(0x3041, 0x3097), *range(0x30A1, 0x30F7), 0x30FC]))
_KANJI = (
    "日一国人年大十二本中長出三時行見月分後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語土木聞食車何南万毎"
    "白天母火右読友左休父雨会同事自社発者地業方新場員立開手力問代明動京目通言理体田主題意不作用度強公持野以思家世多正安院心界教文元重近考画海売"
    "知道集別物使品計死特私始朝運終台広住無真有口少町料工建空急止送切転研足究楽起着店病質待試族銀早映親験英医仕去味写字答夜音注帰古歌買悪図週"
    "室歩風紙黒花春赤青館屋色走秋夏習駅洋旅服夕借曜飲肉貸堂鳥飯勉冬昼茶弟牛魚兄犬妹姉漢患番号氏名性別生年月日入院退院外来診療科診断検査結果値単"
    "位薬剤処方量投与日付区分種類施設住所電話保険記録担当手術血圧糖尿腎肝肺臓脳腫瘍癌炎症状態既往歴身長体重"
)
_CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"

_ASCII = math.log(1 / 60)
_WRONG = math.log(1e-6)
_RUN = math.log(0.1)
"""What an accented letter costs beside another one: in Latin script they stand alone."""
_MIXTURE = math.log(0.01)
"""What a letter of a script of its own costs beside one of ASCII."""
_SURE = 8.0
"""How much likelier (natural logarithm) the best has to be than the next for nobody to be asked."""

Weights = tuple[tuple[Callable[[str], bool], float], ...]


@dataclass(frozen=True)
class _Script:
    """A model: classes of characters with the logarithm of what one character of each is worth, the first that fits."""

    encoding: str
    codec: str
    words: str
    classes: Weights
    single: bool = False
    """One byte for each letter, of a script whose letters do not stand beside those of ASCII."""
    flat: bool = False
    """Nothing tells its common letters, so that it is never sure."""
    before: float = 0.0
    """The logarithm of how much likelier than others it is before anything is seen."""


def _of(text: str, share: float) -> tuple[Callable[[str], bool], float]:
    signs = frozenset(text)
    return signs.__contains__, math.log(share / len(signs))


def _between(first: str, last: str, share: float, count: int) -> tuple[Callable[[str], bool], float]:
    return (lambda sign: first <= sign <= last), math.log(share / count)


def _in_rows(codec: str, first: int, last: int, share: float, count: int) -> tuple[Callable[[str], bool], float]:
    """Characters of two bytes whose first one is in this range and whose second is not below 0xA1 (0x40 in cp932)."""
    least = 0x40 if codec in ("cp932", "cp950") else 0xA1

    def fits(sign: str) -> bool:
        data = sign.encode(codec, "replace")
        return len(data) == 2 and first <= data[0] <= last and data[1] >= least

    return fits, math.log(share / count)


def _any(share: float, count: int) -> tuple[Callable[[str], bool], float]:
    return (lambda _sign: True), math.log(share / count)


_SYMBOLS = 0.02
_SCRIPTS = (
    _Script(
        "cp949", "cp949", "Korean",
        (_of(_KOREAN, 0.8), _of(_UNITS, 0.01),
         _in_rows("cp949", 0xB0, 0xC8, 0.17, 2350), _in_rows("cp949", 0xA1, 0xAC, _SYMBOLS, 1000),
         _in_rows("cp949", 0xCA, 0xFD, 0.005, 4888), _any(0.004, 8822)),
        before=6.0,
    ),
    _Script(
        "gb18030", "gb18030", "simplified Chinese",
        (_of(_SIMPLIFIED, 0.65), _in_rows("gb18030", 0xB0, 0xD7, 0.3, 3755),
         _in_rows("gb18030", 0xA1, 0xA9, 0.03, 800), _in_rows("gb18030", 0xD8, 0xF7, 0.015, 3008), _any(0.003, 14000)),
    ),
    _Script(
        "cp950", "cp950", "traditional Chinese, Big5",
        (_of(_TRADITIONAL, 0.65), _in_rows("cp950", 0xA4, 0xC6, 0.32, 5401),
         _in_rows("cp950", 0xA1, 0xA3, _SYMBOLS, 400), _in_rows("cp950", 0xC9, 0xF9, 0.01, 7652), _any(0.001, 6000)),
    ),
    _Script(
        "cp932", "cp932", "Japanese, Shift-JIS",
        (_of(_KANA, 0.45), _of(_KANJI, 0.35), _between("\uff61", "\uff9f", 0.01, 63),
         _in_rows("cp932", 0x88, 0x98, 0.15, 2965), _in_rows("cp932", 0x81, 0x84, 0.03, 500), _any(0.01, 4000)),
    ),
    _Script(
        "cp932", "cp932", "Japanese, Shift-JIS with narrow kana",
        (_between("\uff61", "\uff9f", 0.6, 63), _of(_KANJI, 0.2), _of(_KANA, 0.1), _any(0.1, 7000)),
        single=True, flat=True,
    ),
    _Script(
        "euc-jp", "euc_jp", "Japanese, EUC-JP",
        (_of(_KANA, 0.45), _of(_KANJI, 0.35), _in_rows("euc_jp", 0xB0, 0xCF, 0.15, 2965),
         _in_rows("euc_jp", 0xA1, 0xA8, 0.03, 500), _any(0.01, 10000)),
    ),
    *(
        _Script(name, codec, f"Cyrillic{more}", (_of(_CYRILLIC[:12], 0.6), _of(_CYRILLIC, 0.3), _any(0.05, 80)), True)
        for name, codec, more in (
            ("cp1251", "cp1251", ""), ("koi8-r", "koi8_r", ", KOI8-R"), ("cp866", "cp866", ", DOS"),
        )
    ),
    _Script(
        "cp1253", "cp1253", "Greek",
        (_of("αοιετσνηυρ", 0.5), _between("ά", "ώ", 0.3, 35), _between("Ά", "Ώ", 0.05, 30), _any(0.02, 60)), True,
    ),
    _Script("cp874", "cp874", "Thai", (_between("ก", "๛", 0.9, 60), _any(0.01, 20)), single=True, flat=True),
)  # fmt: skip
_ACCENTED = "äöüÄÖÜßéèêëàáâãåæçíìîïñóòôõøúùûÉÀÇÅØÆ"
_LATIN, *_OLD_LATIN = (
    _Script(name, codec, words, (_of(_ACCENTED + signs, 0.09), _any(0.01, 90)), before=4.0 if name == "cp1252" else 0.0)
    for name, codec, words, signs in (
        ("cp1252", "cp1252", "Western European", "\u00a0°µ²³±§’–“”€®™"),
        ("cp850", "cp850", "Western European, DOS", ""),
        ("mac-roman", "mac_roman", "Western European, Macintosh", ""),
    )
)
# Encodings of one byte for each letter that no count tells apart: they differ in which letters they have.
_LIKE_LATIN = ("cp1252", "cp1250", "iso-8859-15", "cp1254", "cp1257", "iso-8859-2")
_INSIDE = re.compile(rb"(?<=[A-Za-z])[\x80-\x91\x93-\x9f\xa1-\xff](?=[a-z])")
"""Bytes within words; the apostrophe and the blank of Windows are none."""


@dataclass(frozen=True)
class Guess:
    """An encoding, what speaks for it, and what to ask where that is not enough."""

    encoding: str
    evidence: str
    ask: str = ""


def guess_by_letters(sample: bytes) -> Guess:
    """The encoding of bytes some of which are beyond ASCII."""
    text = sample.decode("utf-8", "replace")
    letters, wrong = sum(1 for sign in text if sign > "\x7f" and sign != "\ufffd"), text.count("\ufffd")
    if wrong <= letters * 0.02:
        return Guess("utf-8", f"{letters:,} characters beyond ASCII, {wrong:,} that are no UTF-8")
    beside = len(re.findall(rb"(?<=[A-Za-z])[\x80-\xff]|[\x80-\xff](?=[A-Za-z])", sample)) * _MIXTURE
    weighed = [(_latin(sample, script), script) for script in (_LATIN, *_OLD_LATIN)]
    weighed += [(_weight(sample, script) + (beside if script.single else 0), script) for script in _SCRIPTS]
    ranked = sorted(weighed, key=lambda one: -one[0])
    (most, best), *others = ranked
    next_most, second = next((one for one in others if one[1].encoding != best.encoding), others[0])
    if best is _LATIN:
        return _single(sample, None if most - next_most >= _SURE else second)
    text = sample.decode(best.codec, "replace")
    letters, wrong = sum(1 for sign in text if sign > "\x7f" and sign != "\ufffd"), text.count("\ufffd")
    evidence = f"{letters:,} characters beyond ASCII as in {best.words}, {wrong:,} that are no {best.encoding}"
    sound = letters >= 4 and wrong <= letters * 0.05
    if sound and most - next_most >= _SURE and best not in _OLD_LATIN and not best.flat:
        return Guess(best.encoding, evidence)
    return Guess(
        best.encoding,
        evidence,
        f"is it {best.encoding} ({best.words}), or {second.encoding} ({second.words})? Look at names and words",
    )


def _weight(sample: bytes, script: _Script) -> float:
    """The logarithm of how likely a model makes these bytes."""
    total = script.before
    for sign, count in Counter(sample.decode(script.codec, "replace")).items():
        if sign < "\x80":
            total += count * _ASCII
        elif sign == "\ufffd":
            total += count * _WRONG
        else:
            total += count * next(weight for fits, weight in script.classes if fits(sign))
    return total


def _latin(sample: bytes, script: _Script) -> float:
    beside = len(re.findall(rb"(?<=[\x80-\xff])[\x80-\xff]", sample))
    return _weight(sample, script) + beside * _RUN


def _single(sample: bytes, rival: _Script | None) -> Guess:
    """Of encodings with a byte for each letter, which; asked where the letters that are there differ among them."""
    windows = any(0x80 <= byte < 0xA0 for byte in set(sample))
    evidence = "bytes beyond ASCII that stand alone, as the letters of Western Europe do"
    encoding = "cp1252" if windows else "latin-1"
    if windows:
        evidence += ", quotes and dashes of Windows among them"
    inside = set(b"".join(_INSIDE.findall(sample)))
    letters = bytes(sorted(byte for byte in set(sample) if byte > 0x7F and (byte in inside or _is_letter(byte))))
    if rival:
        return Guess(
            encoding, evidence, f"is it {encoding}, or {rival.encoding} ({rival.words})? Look at names and words"
        )
    if len({letters.decode(codec, "replace") for codec in _LIKE_LATIN}) == 1:
        return Guess(encoding, evidence)
    return Guess(encoding, evidence, f"is it {encoding}, or cp1250 or another? Look at names and words")


def _is_letter(byte: int) -> bool:
    """Whether a byte is a letter in Western Europe: signs as ° and µ are the same or do no harm elsewhere."""
    sign = bytes([byte]).decode("cp1252", "replace")
    return sign.isalpha() and sign not in "µªº"
