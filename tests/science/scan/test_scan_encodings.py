"""Encodings: found, or asked about, and never silently another one; and letters that hold the bytes of a delimiter."""

from pathlib import Path

import pytest

from madang.science.standardize.intake import check_files, read_blocks, register
from madang.science.standardize.new_pack import new_pack
from madang.science.standardize.pack import Column, Source, load_pack
from madang.science.standardize.scan import scan

KOREAN = "환자번호,성별,생년월일,진단명\n1,남,19800101,본태성 고혈압\n2,여,19750203,제2형 당뇨병\n"
CHINESE = "病人编号,性别,出生日期,诊断名称\n1,男,19800101,高血压\n2,女,19750203,二型糖尿病\n"
TAIWANESE = "病患編號,性別,出生日期,診斷名稱\n1,男,19800101,高血壓\n2,女,19750203,第二型糖尿病\n"
JAPANESE = "患者番号,性別,生年月日,病名\n1,男,19800101,高血圧症\n2,女,19750203,急性気管支炎\n"
RUSSIAN = "Номер,Пол,Дата рождения,Диагноз\n1,мужской,19800101,гипертония\n2,женский,19750203,сахарный диабет\n"
FRENCH = "Numéro,Sexe,Prénom,Décès\n1,M,René,non\n2,F,Hélène,oui\n"
GERMAN = "Nr,Geschlecht,Größe,Ärzte\n1,m,180,Müller\n2,w,170,Jäger\n"
POLISH = "Nr,Płeć,Imię,Diagnoza\n1,M,Łukasz,zapalenie płuc\n2,K,Żaneta,choroba wieńcowa\n"
CZECH = "Číslo,Pohlaví,Jméno,Diagnóza\n1,muž,Jiří,vysoký krevní tlak\n2,žena,Božena,chřipka\n"
TURKISH = "No,Cinsiyet,İsim,Tanı\n1,Erkek,Çağrı,şeker hastalığı\n2,Kadın,Işıl,yüksek tansiyon\n"
THAI = "เลขที่,เพศ,ชื่อ,โรค\n1,ชาย,สมชาย,ความดันโลหิตสูง\n2,หญิง,สมหญิง,เบาหวาน\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (KOREAN, "cp949"), (CHINESE, "gb18030"), (CHINESE, "gbk"), (TAIWANESE, "cp950"), (JAPANESE, "cp932"),
        (JAPANESE, "euc-jp"), (RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (RUSSIAN, "cp866"), (GERMAN, "latin-1"),
        (KOREAN, "utf-8"), (JAPANESE, "utf-16"),
    ],
)  # fmt: skip
def test_an_encoding_that_letters_tell_is_found(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "x.csv").write_bytes(text.encode(encoding))
    (source,) = scan(tmp_path).sources
    assert [c.header for c in source.columns] == text.splitlines()[0].split(",")
    assert source.ask == ""


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "cp1252"), (POLISH, "cp1250"), (POLISH, "iso-8859-2"), (CZECH, "cp1250"), (TURKISH, "cp1254"),
        (THAI, "cp874"), (FRENCH, "cp850"), (GERMAN, "mac-roman"), ("番号\n1\nﾀﾅｶ ﾀﾛｳ\n", "cp932"),
        ("no,명\n1,x\n", "cp949"),
    ],
)  # fmt: skip
def test_an_encoding_that_letters_do_not_tell_is_asked_about(tmp_path: Path, text: str, encoding: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "x.csv").write_bytes(text.encode(encoding))
    made = new_pack("fresh", scan(folder), tmp_path)
    toml = (made / "pack.toml").read_text(encoding="utf-8")
    assert "Look at names and words" in next(line for line in toml.splitlines() if "encoding = " in line)


def test_no_text_of_one_language_is_surely_another(tmp_path: Path) -> None:
    """Each line by itself: what is sure is right."""
    for number, (text, encodings) in enumerate(
        ((KOREAN, ("cp949",)), (CHINESE, ("gb18030",)), (TAIWANESE, ("cp950",)), (JAPANESE, ("cp932", "euc-jp")),
         (RUSSIAN, ("cp1251", "koi8-r", "cp866")), (FRENCH, ("cp1252", "cp850")), (POLISH, ("cp1250",)),
         (CZECH, ("cp1250",)), (TURKISH, ("cp1254",)), (THAI, ("cp874",)))
    ):  # fmt: skip
        for encoding in encodings:
            for line in text.splitlines():
                folder = tmp_path / f"{number}{encoding}"
                folder.mkdir(exist_ok=True)
                (folder / "x.csv").write_bytes(f"a,b,c,d\n{line}\n".encode(encoding))
                (source,) = scan(folder).sources
                if not source.ask and not line.isascii():
                    assert line.encode(encoding).decode(source.encoding) == line, (encoding, source.encoding)


@pytest.mark.parametrize(
    ("text", "encoding"), [("ソ|ポ表十|1", "cp932"), ("功|許蓋|1", "cp950"), ("丂|亅絴|1", "gb18030")]
)
def test_letters_that_hold_the_byte_of_a_delimiter_are_not_cut(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(f"a|b|c\n{text}\n".encode(encoding) + b"\x81|x|2\n")
    columns = {name: Column(name, "text", required=name == "a") for name in "abc"}
    source = Source("x", ("x.csv",), columns, encoding=encoding, delimiter="|")
    assert check_files(tmp_path, [source]) == []
    blocks = list(read_blocks(path, register(path, source), source))
    rows = [tuple(row[name] for name in "abc") for block in blocks for row in block.table.to_pylist()]
    assert rows[0] == tuple(text.split("|"))
    assert len(rows) + sum(len(block.rejects) for block in blocks) == 2
    assert "\ufffd" not in str(rows)


@pytest.mark.parametrize(
    ("texts", "encodings", "told"),
    [
        ((KOREAN, KOREAN), ("cp949", "utf-8"), "each"),
        ((GERMAN, GERMAN), ("latin-1", "utf-8"), "utf-8 or latin-1"),
        ((JAPANESE, JAPANESE), ("cp932", "utf-8"), "utf-8 or cp932"),
    ],
)
def test_files_of_one_source_in_two_encodings(
    tmp_path: Path, texts: tuple[str, str], encodings: tuple[str, str], told: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for year, text, encoding in zip((2020, 2021), texts, encodings, strict=True):
        (folder / f"x_{year}.csv").write_bytes(text.encode(encoding))
    found = scan(folder)
    (source,) = found.sources
    assert (source.encoding, source.rows) == (told, 4)
    toml = (new_pack("fresh", found, tmp_path) / "pack.toml").read_text(encoding="utf-8")
    assert f'encoding = "{told}"' in toml
    load_pack(tmp_path / "fresh")
    spec = Source("x", source.patterns, {"a": Column("a", "text", header=texts[0].splitlines()[0].split(",")[-1])},
                  encoding=told, extra_columns="ignore")  # fmt: skip
    rows = []
    for name in source.files:
        file = register(folder / name, spec)
        rows += [row["a"] for b in read_blocks(folder / name, file, spec) for row in b.table.to_pylist()]
    assert rows == [line.split(",")[-1] for line in texts[0].splitlines()[1:]] * 2


@pytest.mark.parametrize("delimiter", ["\x01", "\x1f", "\x02", "\x07"])
def test_control_characters_that_separate_fields_are_a_delimiter(tmp_path: Path, delimiter: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rows = [f"{i},{i % 28 + 1990}-01-02,x, y" for i in range(50)]
    (folder / "x.txt").write_text(
        "\n".join(delimiter.join(row.split(",", 2)) for row in ["no,day,text", *rows]), encoding="utf-8"
    )
    found = scan(folder)
    (source,) = found.sources
    assert ([c.header for c in source.columns], source.delimiter) == (["no", "day", "text"], delimiter)
    made = new_pack("fresh", found, tmp_path)
    commented = (made / "pack.toml").read_text(encoding="utf-8")
    assert f'# delimiter = "\\u{ord(delimiter):04x}"' in commented
