"""Runs a command on a terminal of its own and draws the end of what is left on the screen, then takes a picture of the
portal; called by script/picture.
"""

import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from fcntl import ioctl
from html import escape
from io import BytesIO, StringIO
from itertools import groupby
from pathlib import Path
from termios import TIOCSWINSZ

from PIL import Image
from playwright.sync_api import sync_playwright
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs/pictures"
WIDTH = 100
SIZE = (1180, 820)  # of the picture of the portal
LONGEST = 20  # lines of a table that are shown
CELL, LINE, PAD, TOP = 8.4, 18.0, 16, 30.0  # of one character; around the text
INK, PAPER, DOTS, THEME = "#d8d8d8", "#20242b", ("#e0645c", "#e0b04c", "#5cb85c"), SVG_EXPORT_THEME
CONTROL = re.compile(r"\x1b\[\?25[lh]|\x1b\[(?P<count>\d*)A|\x1b\[2K|\r|\n")


def run(command: list[str], environment: dict[str, str]) -> str:
    """All that the command writes to a terminal of WIDTH columns, with the codes."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(command[0], command, environment)
    ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", 200, WIDTH, 0, 0))
    written = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other side has closed
            break
        if not part:
            break
        written += part
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = written.decode("utf-8", "replace")
    if status != 0:
        sys.exit(f"picture: {' '.join(command)} ended with {status}:\n{text}")
    return text


def screen(text: str) -> list[str]:
    """The lines that stay on the screen. Knows what Rich's live display uses: up, erase line, return, newline."""
    lines, row, place = [""], 0, 0
    for control in CONTROL.finditer(text):
        lines[row] += text[place : control.start()]
        place = control.end()
        code = control[0]
        if code == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif code.endswith("A"):
            row = max(0, row - int(control["count"] or 1))
        elif code == "\x1b[2K":
            lines[row] = ""
    lines[row] += text[place:]
    return lines


def shorten(lines: list[Text]) -> list[Text]:
    """The last account on the screen and what follows it; longer tables are cut, and ⋮ says so."""
    titles = [at for at, line in enumerate(lines) if re.match(r"\S+@1: ", line.plain)]
    start = titles[-1] if titles else 0
    short: list[Text] = [Text("⋮", "dim")] if start else []
    for is_empty, block in groupby(lines[start:], key=lambda line: not line.plain.strip()):
        rows = list(block)
        left_out = not is_empty and len(rows) > LONGEST
        short += [*rows[: LONGEST - 8], Text("⋮", "dim")] if left_out else rows
    return short


def draw(lines: list[Text]) -> str:
    """An SVG of the lines as on a terminal.

    Every run of equally wide characters is put where its cell is, so that Korean and Latin columns stay aligned
    whatever font the viewer has; no font is named that would have to come from elsewhere.
    """
    console = Console(width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    drawn = []
    for number, line in enumerate(lines):
        cell = 0
        for segment in line.render(console):
            style = segment.style or Style()
            color = style.color.get_truecolor(THEME) if style.color and not style.color.is_default else None
            css = f"fill:{color.hex if color else INK}"
            css += ";font-weight:bold" if style.bold else ""
            css += ";opacity:.6" if style.dim else ""
            for wide, characters in groupby(segment.text.rstrip("\n"), key=lambda character: cell_len(character) > 1):
                run_text = "".join(characters)
                cells = cell_len(run_text)
                if run_text.strip():
                    place = f'x="{PAD + cell * CELL:.1f}" y="{TOP + (number + 1) * LINE:.1f}"'
                    fit = f'textLength="{cells * CELL:.1f}"' + (' class="wide"' if wide else "")
                    drawn.append(f'<text {place} {fit} style="{css}">{escape(run_text)}</text>')
                cell += cells
    width, height = 2 * PAD + WIDTH * CELL, TOP + (len(lines) + 1) * LINE
    dots = "".join(f'<circle cx="{PAD + 7 + 20 * n}" cy="20" r="6" fill="{c}"/>' for n, c in enumerate(DOTS))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">\n'
        "<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}"
        ".wide{font-size:16px;font-family:'Noto Sans Mono CJK KR',NanumGothicCoding,D2Coding,sans-serif}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>{dots}\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def photograph(environment: dict[str, str], language: str) -> bytes:
    """A PNG of the page of a record in the portal, in few colors."""
    port = "8461"
    address = f"http://127.0.0.1:{port}/records/demo-hospital"
    with subprocess.Popen([str(ROOT / ".venv/bin/madang"), "serve", "--port", port], env=environment) as portal:
        try:
            for _attempt in range(60):
                try:
                    urllib.request.urlopen(address).close()
                    break
                except OSError:
                    time.sleep(0.5)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                page = browser.new_page(locale=language, viewport={"width": SIZE[0], "height": SIZE[1]})
                page.goto(address)
                picture = Image.open(BytesIO(page.screenshot()))
                browser.close()
        finally:
            portal.terminate()
    small = BytesIO()
    picture.convert("RGB").quantize(64).save(small, "PNG", optimize=True)
    return small.getvalue()


def main() -> None:
    """Draw the demo and its portal in both languages."""
    PICTURES.mkdir(exist_ok=True)
    for language, suffix in (("en", ""), ("ko", "-ko")):
        with tempfile.TemporaryDirectory(prefix="madang-") as home:
            environment = {
                **os.environ,
                "MADANG_HOME": f"{home}/madang",
                "MADANG_LANG": language,
                "TERM": "xterm-256color",
                "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
            }
            environment |= {"COLORTERM": "truecolor"}
            environment.pop("COLUMNS", None)
            command = [str(ROOT / ".venv/bin/madang"), *(sys.argv[1:] or ["demo"])]
            text = run(command, environment).replace(f"{home}/madang", "~/.local/share/madang")
            portal = photograph(environment, language)
        lines = screen(text)
        while lines and not lines[-1].strip():
            lines.pop()
        prompt = Text.assemble(("$ ", "dim"), ("madang " + " ".join(command[1:]), "bold"))
        (PICTURES / f"portal{suffix}.png").write_bytes(portal)
        (PICTURES / f"demo{suffix}.svg").write_text(draw([prompt, *shorten([Text.from_ansi(line) for line in lines])]))


if __name__ == "__main__":
    main()
