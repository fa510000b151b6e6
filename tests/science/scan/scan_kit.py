"""A small made-up export of a hospital; every person in it is invented, and no resident number is a valid one."""

import random
from pathlib import Path

from madang.science.standardize.scan.personal import has_check_digit

SURNAMES = "김이박최정강조윤장임"
GIVEN = ("민준", "서연", "도윤", "지우", "하은", "시우", "예준", "수아")


def resident_number(rng: random.Random) -> str:
    """The form of a resident number with a wrong check digit: nobody's, by construction."""
    while True:
        birth = f"{rng.randint(30, 99)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
        number = f"{birth}-{rng.choice('12')}{rng.randint(0, 999999):06}"
        if not has_check_digit(number):
            return number


def hospital(folder: Path, people: int = 200) -> dict[str, list[str]]:
    """Write patients, visits and monthly results; gives the planted personal values by kind."""
    rng = random.Random(7)
    planted: dict[str, list[str]] = {"name": [], "resident number": [], "phone": [], "address": [], "e-mail": []}
    patients = ["등록번호,환자명,주민등록번호,휴대전화,주소,이메일,성별,생년월일"]
    for number in range(people):
        row = {
            "name": rng.choice(SURNAMES) + rng.choice(GIVEN),
            "resident number": resident_number(rng),
            "phone": f"010-{rng.randint(1000, 9999)}-{rng.randint(1000, 9999)}",
            "address": f"서울특별시 {rng.choice(['강남구', '종로구'])} 세종대로 {rng.randint(1, 300)}",
            "e-mail": f"user{number}@example.org",
        }
        for kind, value in row.items():
            planted[kind].append(value)
        birth = "19" + row["resident number"][:6]
        patients.append(",".join([f"{10000000 + number}", *row.values(), rng.choice("남여"), birth]))
    (folder / "환자.csv").write_bytes("\r\n".join(patients).encode("cp949"))
    visits = ["내원번호,등록번호,내원일자,내원시간,진료과"]
    for number in range(people * 2):
        patient = 10000000 + rng.randrange(people)
        day = f"2023{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
        at = f"{rng.randint(8, 17):02}{rng.randint(0, 59):02}"
        visits.append(f"V{number:06},{patient},{day},{at},{rng.choice(['내과', '외과'])}")
    (folder / "내원.csv").write_bytes("\n".join(visits).encode("cp949"))
    for month in ("202301", "202302"):
        results = ["검사번호,내원번호,등록번호,검사코드,검사명,검사일자,결과,단위,금액"]
        for number in range(300):
            code, name = rng.choice([("L01", "혈당"), ("L02", "크레아티닌")])
            value = rng.choice(["<0.5", "음성", f"{rng.random() * 9:.1f}", f"{rng.random() * 9:.1f}"])
            visit, patient = rng.randrange(people * 2), 10000000 + rng.randrange(people)
            amount = f'"{rng.randint(1, 9)},{rng.randint(100, 999)}"'
            day = f"{month}{rng.randint(1, 28):02}"
            results.append(f"{month}{number:05},V{visit:06},{patient},{code},{name},{day},{value},mg/dL,{amount}")
        results.append(f"{month}99999,V000001,10000001,L99,아주 드문 검사,{month}01,양성,없음,1")
        results.append("ragged")
        (folder / f"검사_{month}.csv").write_bytes("\n".join(results).encode("cp949"))
    return planted
