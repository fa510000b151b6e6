"""TES beyond the suite: who may ask, what is staged, views, pages under writes, attacks by description."""

from typing import Any

import httpx
import pytest

from madang.services.compute.runner import work_off
from portal_house import House
from services.compute.conftest import token  # type: ignore[import-not-found]  # beside the tests
from web.served import Served

BASE = "/ga4gh/tes/v1"


def one(*command: str, **more: Any) -> dict[str, Any]:
    return {"name": "t", "executors": [{"image": "alpine", "command": list(command)}], **more}


def client(site: Served, house: House, login: str, scopes: str = "read write") -> httpx.Client:
    made = site.browser()
    made.headers["Authorization"] = f"Bearer {token(house, login, scopes)}"
    return made


def test_nobody_without_a_token_and_nobody_without_its_scope(house: House, site: Served) -> None:
    assert site.get(BASE + "/service-info").json()["type"] == {
        "group": "org.ga4gh",
        "artifact": "tes",
        "version": "1.1.0",
    }
    for answer in (site.get(BASE + "/tasks"), site.post(BASE + "/tasks", json=one("true"))):
        assert answer.status_code == 401 and answer.json()["code"] == "permission.sign_in"
    assert site.get(BASE + "/tasks", headers={"Authorization": "Bearer x"}).status_code == 401
    with client(site, house, "member", "read") as reads, client(site, house, "steward") as other:
        assert reads.post(BASE + "/tasks", json=one("true")).status_code == 403
        with client(site, house, "member", "task.*") as mine:
            made = mine.post(BASE + "/tasks", json=one("true")).json()["id"]
            assert mine.get(f"{BASE}/tasks/{made}").json() == {"id": made, "state": "QUEUED"}
        assert other.get(f"{BASE}/tasks/{made}").status_code == 404
        assert other.post(f"{BASE}/tasks/{made}:cancel").status_code == 404
        assert other.get(f"{BASE}/tasks").json() == {"tasks": []}
    basic = site.get(BASE + "/tasks", auth=("madang", token(house, "auditor")))
    assert basic.status_code == 200 and len(basic.json()["tasks"]) == 1


@pytest.mark.usefixtures("boxes")
def test_inputs_are_staged_and_outputs_kept_with_their_hash(house: House, site: Served) -> None:
    import hashlib

    task = one(
        "sh",
        "-c",
        "tr a-z A-Z < /data/in.txt > /data/out/a.txt && cp /ro/x.txt /data/out/b.txt && ! touch /ro/x.txt",
        inputs=[{"path": "/data/in.txt", "content": "bases"}, {"path": "/ro/x.txt", "content": "x"}],
        outputs=[{"url": "madang://kept", "path": "/data/out", "type": "DIRECTORY"}],
        volumes=["/data"],
    )
    with client(site, house, "member") as mine:
        number = mine.post(BASE + "/tasks", json=task).json()["id"]
        work_off(house.node)
        full = mine.get(f"{BASE}/tasks/{number}?view=FULL").json()
        assert full["state"] == "COMPLETE", full
        outputs = {each["url"]: each["size_bytes"] for each in full["logs"][0]["outputs"]}
        assert outputs == {f"madang://task/{number}/kept/a.txt": "5", f"madang://task/{number}/kept/b.txt": "1"}
        following = one("cat", "/in", inputs=[{"path": "/in", "url": f"madang://task/{number}/kept/a.txt"}])
        second = mine.post(BASE + "/tasks", json=following).json()["id"]
        work_off(house.node)
        full = mine.get(f"{BASE}/tasks/{second}?view=FULL").json()
        assert full["logs"][0]["logs"][0]["stdout"] == "BASES"
        basic = mine.get(f"{BASE}/tasks/{number}?view=BASIC").json()
        assert "content" not in basic["inputs"][0] and "stdout" not in basic["logs"][0]["logs"][0]
        with client(site, house, "steward") as other:
            assert other.post(BASE + "/tasks", json=following).status_code == 422
    from madang.services.compute import service
    from portal_house import OWNER

    kept = service.result_of(service.see(house.node, OWNER, int(number)))["outputs"]
    assert {each["sha256"] for each in kept} == {hashlib.sha256(b).hexdigest() for b in (b"BASES", b"x")}


def test_pages_hold_still_while_tasks_are_added(house: House, site: Served) -> None:
    with client(site, house, "member") as mine:
        ids = [each["id"] for each in mine.post(BASE + "/tasks", json=[one("true")] * 10).json()]
        seen, token_ = [], ""
        for _page in range(10):
            answer = mine.get(
                f"{BASE}/tasks", params={"page_size": 3, "page_token": token_} if token_ else {"page_size": 3}
            )
            seen += [each["id"] for each in answer.json()["tasks"]]
            mine.post(BASE + "/tasks", json=one("true"))
            token_ = answer.json().get("next_page_token", "")
            if not token_:
                break
        assert seen == ids[::-1]


BAD = {
    "out of the box": one("true", outputs=[{"url": "madang://x", "path": "/data/../etc/passwd"}]),
    "hides the system": one("true", inputs=[{"path": "/usr/bin/sh", "content": "x"}]),
    "relative": one("true", inputs=[{"path": "data", "content": "x"}]),
    "options of bubblewrap": one("true", inputs=[{"path": "/a\x00--bind\x00/\x00/b", "content": "x"}]),
    "options in a value": {
        "executors": [{"image": "alpine", "command": ["true"], "env": {"A": "x\x00--bind\x00/\x00/b"}}]
    },
    "options in a name": {"executors": [{"image": "alpine", "command": ["true"], "env": {"A=B\x00": "x"}}]},
    "a new line in a path": one("true", volumes=["/data\n/x"]),
    "a name that no disk takes": one("true", inputs=[{"path": "/data/" + "가" * 86, "content": "x"}]),
    "two inputs in one place": one(
        "true", inputs=[{"path": "/in/a", "content": "1"}, {"path": "/in/a/", "content": "2"}]
    ),
    "an input below a file": one(
        "true", inputs=[{"path": "/in/a", "content": "1"}, {"path": "/in/a/b/c", "content": "2"}]
    ),
    "an input that is a folder": one("true", inputs=[{"path": "/data", "content": "x"}], volumes=["/data"]),
    "an input where it works": one("true", inputs=[{"path": "/task", "content": "x"}]),
    "a file to work in": {
        "inputs": [{"path": "/in/a", "content": "x"}],
        "executors": [{"image": "alpine", "command": ["true"], "workdir": "/in/a"}],
    },
    "an unknown image": {"executors": [{"image": "evil/miner:1", "command": ["true"]}]},
    "10,000 cores": one("true", resources={"cpu_cores": 10_000}),
    "a petabyte of memory": one("true", resources={"ram_gb": 1e6}),
    "a GPU": one("true", resources={"backend_parameters": {"gpus": "1"}}),
    "no command": {"executors": [{"image": "alpine", "command": []}]},
    "no executor": {"name": "x"},
    "no object": 7,
    "too much": one("x" * 99_000, *["y" * 99_000] * 12),
}


@pytest.mark.parametrize("given", BAD.values(), ids=BAD.keys())
def test_what_cannot_be_a_task_is_refused_with_a_sentence(given: Any, house: House, site: Served) -> None:
    with client(site, house, "member") as mine:
        answer = mine.post(BASE + "/tasks", json=given)
        assert answer.status_code in (400, 422), answer.text
        assert answer.json()["title"]
        assert mine.get(f"{BASE}/tasks").json() == {"tasks": []}


@pytest.mark.usefixtures("boxes")
def test_patterns_of_outputs_are_those_of_the_shell(house: House, site: Served) -> None:
    """In a folder that nothing else names; a star stands for no slash; a prefix that is stated is taken away."""
    command = "mkdir -p /o/x/y && echo 1 >/o/a.txt && echo 2 >/o/x/b.txt && echo 3 >/o/x/y/b.txt"
    outputs = [{"path": "/o/*.txt", "url": "madang://flat"}]
    outputs += [{"path": "/o/x/*/*.txt", "url": "madang://kept", "path_prefix": "/o/x/"}]
    with client(site, house, "member") as mine:
        number = mine.post(BASE + "/tasks", json=one("sh", "-c", command, outputs=outputs)).json()["id"]
        work_off(house.node)
        full = mine.get(f"{BASE}/tasks/{number}?view=FULL").json()
    assert full["state"] == "COMPLETE", full
    urls = [each["url"].removeprefix(f"madang://task/{number}/") for each in full["logs"][0]["outputs"]]
    assert urls == ["flat/a.txt", "kept/y/b.txt"]


@pytest.mark.usefixtures("boxes")
@pytest.mark.parametrize("name", ["a\\377b", "a\\nb", "a\\033[2Jb"])
def test_a_name_that_is_no_text_ends_its_task_and_no_other(name: str, house: House, site: Served) -> None:
    """It could not be written down, and would have ended what runs the tasks of everybody."""
    outputs = [{"path": "/o/d", "url": "madang://x", "type": "DIRECTORY"}]
    with client(site, house, "member") as mine:
        bad = mine.post(BASE + "/tasks", json=one("sh", "-c", f"echo 1 > \"/o/d/$(printf '{name}')\"", outputs=outputs))
        good = mine.post(BASE + "/tasks", json=one("sh", "-c", "echo 1 > /o/d/c", outputs=outputs))
        work_off(house.node)
        found = [mine.get(f"{BASE}/tasks/{each.json()['id']}?view=FULL").json() for each in (bad, good)]
    assert [each["state"] for each in found] == ["SYSTEM_ERROR", "COMPLETE"]
    assert "no plain text" in found[0]["logs"][0]["system_logs"][0]
