"""A certificate is verified by a photo of its QR code, over HTTP, without an account."""

import io

import segno
from PIL import Image

from madang.services.certification import photo
from portal_house import OURS, House
from services.certification.certificates import issue_one
from support import needs
from web.served import Served


def drawn(text: str) -> Image.Image:
    out = io.BytesIO()
    segno.make(text, error="m", boost_error=False, micro=False).save(out, kind="png", scale=6, border=4)
    return Image.open(out).convert("L")


def saved(picture: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def verified(site: Served, content: bytes) -> tuple[int, str]:
    answer = site.post(
        "/certificates/verify?lang=en", files={"file": ("code", content)}, data={"certificate": ""}, headers=OURS
    )
    return answer.status_code, answer.text


def test_a_photo_of_the_code_is_as_good_as_the_text(house: House, site: Served) -> None:
    needs("bwrap")
    entry = issue_one(house.node)
    code = drawn(entry.text)
    larger = Image.new("L", (4_000, 3_000), 180)
    larger.paste(code.rotate(7, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC), (300, 200))
    for content in (saved(code, "PNG"), saved(larger, "JPEG"), saved(code, "WEBP"), entry.text.encode()):
        status, page = verified(site, content)
        assert status == 200 and entry.certificate.number in page, content[:12]


def test_pictures_that_hold_no_single_code_are_refused_with_a_sentence(house: House, site: Served) -> None:
    needs("bwrap")
    two = Image.new("L", (900, 400), 255)
    two.paste(drawn("one").resize((300, 300)), (20, 20))
    two.paste(drawn("two").resize((300, 300)), (500, 20))
    png = saved(drawn("one"), "PNG")
    huge = png[:16] + (200_000).to_bytes(4, "big") * 2 + png[24:]
    for content in (saved(two, "PNG"), saved(Image.new("L", (50, 50)), "JPEG"), png[:60], b"\xff\xd8\xff", huge):
        status, page = verified(site, content)
        assert status == 422 and "No single QR code can be read" in page, content[:12]
    status, page = verified(site, b"\x89PNG\r\n" + bytes(photo.LARGEST))
    assert status == 422 and "is too long" in page
    assert verified(site, bytes(2 * photo.LARGEST))[0] == 413
