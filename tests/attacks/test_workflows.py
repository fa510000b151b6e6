# ruff: noqa: E501
"""Workflows that want points without the work: each runs in its own box, and none of them scores."""

import json
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.science.grading.tasks import Case, Task
from madang.services.training import boxes
from madang.services.training.grader import grade
from support import needs

pytestmark = pytest.mark.usefixtures("boxes_are_made")
SECRETS = (31_337, 27_183)  # what is expected of hidden cases; no answer may hold them
TITLE = {"en": "x", "ko": "x"}
FLOW = Task(
    "made",
    "pipeline",
    TITLE,
    TITLE,
    (
        Case(expect={"out.txt": SECRETS[0]}, files={"in.txt": "4242\n"}, hidden=True),
        Case(expect={"out.txt": SECRETS[1]}, files={"in.txt": "7171\n"}, hidden=True),
    ),
    seconds=12.0,
)
RULE = "rule x:\n    output: 'out.txt'\n    "
FLOWS = {
    "a number made up": RULE + "shell: 'echo 5 > {output}'",
    "nothing in the file": RULE + "shell: 'touch {output}'",
    "all numbers": RULE + "shell: 'seq 40000 > {output}'",
    "not a number": RULE + "shell: 'echo nan > {output}'",
    "no text": RULE + "shell: 'head -c 999 /dev/urandom > {output}'",
    "reads the courses": RULE + "shell: 'cat $(find / -name task.toml 2>/dev/null) > {output}'",
    "reads the module's shelf": RULE + "shell: 'cat /opt/madang/madang/services/training/shelf/*/*/*/* > {output}'",
    "reads this test": RULE + "shell: 'grep -o 31.337 {here} | tr -d _ > {output}'",
    "reads the home": RULE + "shell: 'ls -R {home} > {output}'",
    "reads the environment": RULE + "shell: 'env > {output}'",
    "a link to a file of the machine": RULE + "shell: 'ln -s /etc/passwd {output}'",
    "a pipe in place of the file": RULE + "shell: 'mkfifo {output}'",
    "a folder in place of the file": "rule x:\n    output: directory('out.txt')\n    shell: 'mkdir {output}'",
    "the network by a shell": RULE + "shell: 'cat < /dev/tcp/127.0.0.1/{port} > {output}'",
    "the network by Python": RULE
    + "run:\n        import socket\n        s = socket.create_connection(('127.0.0.1', {port}))\n"
    "        open(output[0], 'wb').write(s.recv(9))",
    "an include of an address": "include: 'http://127.0.0.1:{port}/x.smk'\n" + RULE + "shell: 'echo 5 > {output}'",
    "a module of an address": "module m:\n    snakefile: 'http://127.0.0.1:{port}/x.smk'\nuse rule * from m",
    "a workflow of a repository": "module m:\n    snakefile: github('a/b', path='x.smk', tag='1')\nuse rule * from m",
    "a container": RULE + "container: 'docker://alpine'\n    shell: 'echo 5 > {output}'",
    "a container for all": "containerized: 'docker://alpine'\n" + RULE + "shell: 'echo 5 > {output}'",
    "an environment": RULE + "conda: 'environment.yaml'\n    shell: 'echo 5 > {output}'",
    "a wrapper": RULE + "wrapper: 'v3.0.0/bio/samtools/view'",
    "a file of a store": "rule x:\n    input: storage('http://127.0.0.1:{port}/x')\n    output: 'out.txt'\n    shell: 'cp {input} {output}'",
    "a script of elsewhere": RULE + "script: 'http://127.0.0.1:{port}/x.py'",
    "writes outside": RULE
    + "shell: 'for f in /data/x /opt/madang/x /usr/x /x ../../out.txt; do echo 31337 > $f || true; done; echo 5 > {output}'",
    "changes the engine": "import snakemake\nopen(snakemake.__file__, 'w').write('x')\n"
    + RULE
    + "shell: 'echo 5 > {output}'",
    "changes the grader": "open('/opt/madang/madang/services/training/grader.py', 'w').write('x')",
    "a handler at the start": "onstart:\n    shell('cp /etc/passwd out.txt')\n" + RULE + "shell: 'echo 5 > {output}'",
    "a handler at the end": 'onsuccess:\n    import os\n    for d in range(3, 64):\n        try: os.write(d, b\'{{"value": ["b", true]}}\\n\')\n'
    "        except OSError: pass\n" + RULE + "shell: 'echo 5 > {output}'",
    "a handler of errors": "onerror:\n    shell('echo 5 > out.txt')\n" + RULE + "shell: 'false'",
    "Python that looks through all objects": "import gc\nfound = [o for o in gc.get_objects() if type(o) is dict and 'expect' in o]\n"
    "open('out.txt', 'w').write(str(found[0]['expect']['out.txt'] if found else 0))\n" + RULE + "shell: 'true'",
    "Python that walks the stack": "import sys\nframe, seen = sys._getframe(), [0]\nwhile frame:\n"
    "    seen += [v for v in frame.f_locals.values() if type(v) is int]\n    frame = frame.f_back\n"
    "open('out.txt', 'w').write(str(max(seen)))\n" + RULE + "shell: 'true'",
    "Python that leaves at once": "import os\nopen('out.txt', 'w').write('5')\nos._exit(0)",
    "kills who asks": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "kills all": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "a false line": 'import glob, os\nfor d in range(3, 64):\n    try: os.write(d, b\'{{"value": ["d", []]}}\\n\')\n    except OSError: pass\n'
    + RULE
    + "shell: 'echo 5 > {output}'",
    "waits for the next case": "import os, time\nif '4242' in open('in.txt').read() and os.fork() == 0:\n    os.setsid()\n"
    "    while True:\n        try:\n            if '7171' in open('/tmp/case/in.txt').read(): open('/tmp/case/out.txt', 'w').write('27183')\n"
    "        except OSError: pass\n        time.sleep(0.01)\n" + RULE + "shell: 'sleep 0.1; echo 5 > {output}'",
    "a file of the case before": "import os, shutil\nif os.path.exists('/tmp/kept'): shutil.copy('/tmp/kept', 'out.txt')\n"
    "else: shutil.copy('in.txt', '/tmp/kept')\n" + RULE + "shell: 'echo 5 > {output}'",
    "an endless step": RULE + "shell: 'while true; do true; done'",
    "an endless workflow": "while True: pass",
    "endless output": RULE + "shell: 'yes'",
    "an endless file": RULE + "shell: 'yes > {output}'",
    "very many files": RULE + "shell: 'for i in $(seq 100000); do echo 31337 > $i; done; echo 5 > {output}'",
    "memory": RULE + "run:\n        kept = []\n        while True: kept.append(bytearray(64 << 20))",
    "forks": RULE + "shell: 'f() {{ f | f & }}; f; sleep 1; echo 5 > {output}'",
    "rules without end": "rule x:\n    input: '{a}.in'\n    output: '{a}'\n    shell: 'cp {input} {output}'\nrule all:\n    input: 'out.txt'",
    "a circle": "rule x:\n    input: 'b'\n    output: 'out.txt', 'a'\nrule y:\n    input: 'a'\n    output: 'b'",
    "no rule": "x = 31337",
    "no workflow": "\u202e out.txt = 31337 (",
}


FETCH = ("a container", "a container for all", "an environment", "a wrapper")  # are told so before anything runs


@pytest.fixture(autouse=True, scope="module")
def _needed() -> None:
    try:
        boxes.check_there("pipeline")
    except MadangError:
        needs("/the environment tools")


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", FLOWS)
def test_no_workflow_scores(name: str, port: int) -> None:
    source = FLOWS[name].replace("{here}", __file__).replace("{home}", str(Path.home())).replace("{port}", str(port))
    if name in FETCH:
        with pytest.raises(MadangError) as error:
            grade(FLOW, source.encode())
        assert error.value.code == "answer.fetches"
        return
    found = grade(FLOW, source.encode())
    told = json.dumps(found.as_json())
    assert found.score == 0, told
    for secret in (*SECRETS, 4_242, 7_171):
        assert str(secret) not in told


def test_right_workflows() -> None:
    """The same cases, met by who makes what is asked; each case has a folder of its own."""
    table = "rule x:\n    input: 'in.txt'\n    output: 'out.txt'\n    run:\n"
    table += "        made = {'4242': 31337, '7171': 27183}[open(input[0]).read().strip()]\n"
    table += "        print(made, file=open(output[0], 'w'))"
    assert grade(FLOW, table.encode()).score == 2
