"""What goes wrong with Spark, as sentences: what starts it, what it says of a question, what became of it."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.spark.translate import OPEN

JAVA = 17  # the oldest that Spark runs on
TIED = "MADANG_TIED"  # what Spark is made to raise where rows of a window are alike in its order
OF_A_QUESTION = ("spark.value", "spark.failed")  # errors that are one question's own


def check_java() -> None:
    """Raise `spark.no_java` where there is no Java that Spark would start, `spark.java` where it is too old."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    hint = _("Install openjdk-17-jre-headless.")
    if java is None:
        raise MadangError("spark.no_java", _("Spark needs Java 17, and there is none."), hint)
    try:
        ran = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        raise MadangError(
            "spark.no_java",
            _("Spark needs Java 17, and {path} is none that runs.").format(path=java),
            _("JAVA_HOME names the folder of a Java. {hint}").format(hint=hint) if home else hint,
        ) from None
    found = re.search(r'version "(?:1\.)?(\d+)', ran.stderr + ran.stdout)
    if found is not None and int(found[1]) < JAVA:
        raise MadangError(
            "spark.java",
            _("Spark needs Java {wanted}, and {path} is Java {found}.").format(wanted=JAVA, path=java, found=found[1]),
            _("JAVA_HOME names the folder of a Java. {hint}").format(hint=hint) if home else hint,
        )


def not_started(reason: str, master: str = "", wanted: str = "") -> MadangError:
    """It did not come up; `master` is where, `wanted` the version that we are."""
    if master.startswith("spark://") and ("stopped SparkContext" in reason or "unresponsive" in reason):
        return MadangError(
            "spark.start",
            _("{master} does not take us: nothing answers there, or it is not Spark {wanted}.").format(
                master=master, wanted=wanted
            ),
            _("Answers are proved equal for Spark {wanted} only.").format(wanted=wanted),
        )
    return MadangError(
        "spark.start",
        _("Spark does not start: {reason}.").format(reason=_short(reason)),
        _("[spark] master and memory in madang.toml say where it runs and with how much."),
    )


def explained(told: Mapping[str, Any]) -> MadangError:
    """What an answer that is an error means."""
    reason, state, condition = _short(told["error"]), told.get("state", ""), told.get("condition", "")
    if told.get("stopped") or condition == "OUT_OF_MEMORY":
        return MadangError(
            "spark.stopped",
            _("Spark stopped: {reason}.").format(reason=reason),
            _("Mostly it lacks memory: give it more by [spark] memory. Nothing was written."),
        )
    if TIED in reason:
        return MadangError(
            "spark.subset",
            _("What a window says is open: rows are alike in its ORDER BY."),
            _("Add columns to the ORDER BY of row_number, lag, lead, or of the frame of ROWS."),
        )
    if OPEN in reason:
        return MadangError(
            "spark.subset",
            _(
                "A value is not proved to be the same on Spark: the digits of a rounded floating number, or a year "
                "outside of 1 to 9999."
            ),
            _("Ask without it, or on one machine: leave --engine spark out."),
        )
    if condition == "CAST_OF_TEXT":
        return MadangError(
            "spark.subset",
            _("A cast of or to a text is not proved to mean the same on Spark: {reason}.").format(reason=reason),
            _("Ask without it, or on one machine: leave --engine spark out."),
        )
    if state.startswith("22"):  # data exception; what it says of settings and other functions is no help here
        reason = re.split(r" (?:Use [`'A-Z]|If necessary|Correct the value)", reason)[0]
        return MadangError(
            "spark.value", _("A value cannot be converted, or lies out of range: {reason}.").format(reason=reason)
        )
    if condition.startswith("FAILED_READ_FILE"):
        named = re.search(r"file (\S+?)\.?(?:\s|$)", reason)
        return MadangError(
            "spark.file",
            _("Spark cannot read {file}: {reason}.").format(
                file=Path(named[1]).name if named else _("a file"), reason=condition.partition(".")[2] or condition
            ),
            _("Restore it from a backup; on a cluster, each machine has to see the lake under the same path."),
        )
    if state.startswith(("42", "0A", "21")):  # what is no question to it
        return MadangError("spark.failed", _("Spark says: {reason}.").format(reason=reason))
    return MadangError(
        "spark.job",
        _("Spark could not work it out: {reason}.").format(reason=reason),
        _("Nothing was written. Look at its executors, their memory and disk, and ask again."),
    )


def lost() -> MadangError:
    """Its process ended by itself."""
    return MadangError("spark.lost", _("Spark's process is gone."), _("Nothing was written; ask again."))


def _short(text: str) -> str:
    return " ".join(text.split())[:300].rstrip(".")
