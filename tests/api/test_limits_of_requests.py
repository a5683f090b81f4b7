"""What is too large, too slow, too often, or unasked for is refused, and others are served."""

from __future__ import annotations

import socket
import sqlite3
import threading
from pathlib import Path

import httpx
import pytest
from tests.api.conftest import Running, Served, project_of
from tests.harness import eventually
from tests.transactions import WALLET_ROW, message

from fraudline.access import Role
from fraudline.api import api_server, connections, door
from fraudline.api.api_server import ApiServer
from fraudline.api.routes import ROUTES, RouteRule
from fraudline.errors import BundleError, ServiceError
from fraudline.settings import ApiSettings, Settings
from fraudline.use_cases.manage_keys import revoke_key
from fraudline.use_cases.project import Project

JSON = {"Content-Type": "application/json"}
ROW = message(WALLET_ROW)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory):
    """An API with small limits."""
    home = tmp_path_factory.mktemp("small")
    with Served(project_of(home, max_rows=5, max_body_mb=0.01, rate=4)) as running:
        yield running


def test_a_body_that_is_too_large_is_refused_before_it_is_read(small: Running) -> None:
    with small.client() as client:
        declared = client.post("/v1/score", content=b" " * 20_000, headers=JSON)
        chunked = client.post("/v1/score", content=iter([b" " * 8_000] * 3), headers=JSON)
    for answer in (declared, chunked):
        assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
        assert "api.max_body_mb" in answer.json()["detail"]


def test_more_transactions_than_a_request_may_have_are_refused_whole(small: Running) -> None:
    before = small.server.counts.batch_rows
    with small.client() as client:
        answer = client.post("/v1/score", content=b"[%b]" % b",".join([b"{}"] * 6), headers=JSON)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_many_rows")
    assert small.server.counts.batch_rows == before


def test_a_key_has_its_rate_and_is_told_when_to_come_again(small: Running) -> None:
    with small.client(Role.ADMIN) as client:
        answers = [
            client.post("/v1/score", content=b"[%b]" % b",".join([ROW] * 5), headers=JSON)
            for _ in range(2)
        ]
    assert [each.status_code for each in answers] == [200, 429]
    assert int(answers[1].headers["retry-after"]) >= 1
    assert "api.rate" in answers[1].json()["detail"]


def test_another_type_or_a_packed_body_is_refused_by_name(small: Running) -> None:
    with small.client() as client:
        form = client.post("/v1/score", data={"a": "1"})
        packed = client.post("/v1/score", content=ROW, headers={**JSON, "Content-Encoding": "gzip"})
    assert [each.status_code for each in (form, packed)] == [415, 415]
    assert "application/x-www-form-urlencoded" in form.json()["detail"]


def test_when_too_many_wait_the_answer_is_to_come_again(api: Running) -> None:
    counts = api.server.counts
    counts.waiting_rows += 20_000
    try:
        with api.client() as client:
            answer = client.post("/v1/score", content=ROW, headers=JSON)
    finally:
        counts.waiting_rows -= 20_000
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "Nothing of this request was decided" in answer.json()["detail"]


def test_who_never_ends_a_request_is_hung_up_on_and_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_WITHIN_S", 0.5)
    with Served(project_of(tmp_path)) as api:
        host, port = httpx.URL(api.server.url).host, httpx.URL(api.server.url).port
        begun = (b"", b"POST /v1/score HTTP/1.1\r\nHost: a\r\n", b"POST /v1/score HTTP/1.1\r\n"
                 b"Host: a\r\nContent-Length: 100\r\n\r\n{")  # fmt: skip
        slow = [socket.create_connection((host, port)) for _ in begun]
        for connection, text in zip(slow, begun, strict=True):
            connection.sendall(text)
        with api.client() as client:
            assert client.post("/v1/score", content=ROW, headers=JSON).status_code == 200
        for connection in slow:
            connection.settimeout(20)
            with connection:
                while connection.recv(4096):
                    pass
        assert api.server.counts.refused_connections == len(begun)


def test_a_head_without_an_end_is_given_up(api: Running) -> None:
    url = httpx.URL(api.server.url)
    with socket.create_connection((url.host, url.port)) as connection:
        connection.settimeout(20)
        try:
            connection.sendall(b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"a" * 2_000_000)
            while connection.recv(4096):
                pass
        except ConnectionError:
            pass
    with api.client(None) as client:
        assert client.get("/health").status_code == 200


def test_one_connection_too_many_is_closed_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    with Served(project_of(tmp_path)) as api, api.client() as client:
        assert client.post("/v1/score", content=ROW, headers=JSON).status_code == 200
        url = httpx.URL(api.server.url)
        many = [socket.create_connection((url.host, url.port)) for _ in range(4)]
        eventually(lambda: api.server.counts.refused_connections == 2)
        assert client.post("/v1/score", content=ROW, headers=JSON).status_code == 200
        for connection in many:
            connection.close()


@pytest.mark.parametrize("rule", ROUTES, ids=lambda rule: rule.path)
@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_each_route_opens_for_its_roles_and_for_no_other(
    api: Running, rule: RouteRule, role: Role | None
) -> None:
    content = ROW if rule.method == "POST" else None
    with api.client(role) as client:
        answer = client.request(rule.method, rule.path, content=content, headers=JSON)
    may = rule.roles is None or role in rule.roles
    assert answer.status_code == (200 if may else 401 if role is None else 403)


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer fl_", "Basic YTpi", "Bearer fl_0123456789ab_" + "a" * 43]
)
def test_what_is_no_key_opens_nothing(tmp_path: Path, api: Running, shown: str) -> None:
    with api.client(None) as client:
        answer = client.get("/v1/models", headers={"Authorization": shown})
    assert answer.status_code in {401, 429}
    assert "fl_0123456789ab" not in answer.text


def test_a_key_with_one_other_character_opens_nothing_and_a_revoked_one_soon(
    tmp_path: Path,
) -> None:
    with Served(project_of(tmp_path)) as api:
        key = api.keys[Role.VIEWER]
        other = key[:-1] + ("a" if key[-1] != "a" else "b")
        with api.client(None) as client:

            def ask(shown: str) -> int:
                headers = {"Authorization": f"Bearer {shown}"}
                return client.get("/v1/models", headers=headers).status_code

            assert [ask(key), ask(other)] == [200, 401]
            revoke_key(api.project, key.split("_")[1])
            eventually(lambda: ask(key) == 401)


def test_who_shows_many_wrong_keys_is_told_to_wait_and_a_right_one_still_opens(
    tmp_path: Path,
) -> None:
    with Served(project_of(tmp_path)) as api, api.client(None) as client:
        answers = [client.get("/v1/models") for _ in range(door.MOST_FAILURES_A_MINUTE + 1)]
        with api.client(Role.VIEWER) as right:
            assert right.get("/v1/models").status_code == 200
    assert {each.status_code for each in answers[:-1]} == {401}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_path_that_is_none_is_told_what_there_is(api: Running) -> None:
    with api.client() as client:
        nowhere, wrong = client.get("/v1/../etc/passwd"), client.delete("/v1/models")
        scored = client.get("/v1/score")
    assert nowhere.status_code == 404
    assert "POST /v1/score" in nowhere.json()["detail"]
    assert wrong.status_code == 405
    assert scored.status_code == 404


def test_a_port_that_is_taken_is_told_with_the_setting(api: Running) -> None:
    port = httpx.URL(api.server.url).port
    project = Project(
        Settings(
            home=api.project.settings.home,
            contract=api.project.settings.contract,
            api=ApiSettings(port=port),
        )
    )
    with pytest.raises(ServiceError, match=f"port {port}.*FRAUDLINE_API__PORT"):
        ApiServer(project).__enter__()


def test_without_a_champion_nothing_is_served(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="champion"):
        ApiServer(Project(Settings(home=tmp_path, contract="creditcard")))


def test_requests_that_have_come_are_answered_when_it_ends(tmp_path: Path) -> None:
    served = Served(project_of(tmp_path))
    codes = []
    with served as api:
        rows = b",".join(message(WALLET_ROW, payment_id=f"p-{each}") for each in range(9_000))

        def ask() -> None:
            with api.client() as client:
                answer = client.post("/v1/score", content=b"[%b]" % rows, headers=JSON)
                codes.append((answer.status_code, answer.json()["decided"]))

        thread = threading.Thread(target=ask)
        thread.start()
        eventually(lambda: api.server.counts.waiting_rows > 0 or bool(codes))
    thread.join(30)
    assert codes == [(200, 9_000)]
    assert "9,000 transactions decided, 0 not" in served.end


def test_what_cannot_be_decided_is_a_fault_of_the_server_until_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "_TRIED_EVERY_S", 0.1)
    with Served(project_of(tmp_path)) as api, api.client() as client:
        decider = api.server._champion.deciding
        decide, broken = decider.decide_batch, threading.Event()
        broken.set()

        def fail(*arguments):
            if broken.is_set():
                raise RuntimeError("no memory")
            return decide(*arguments)

        monkeypatch.setattr(decider, "decide_batch", fail)
        answer = client.post("/v1/score", content=ROW, headers=JSON)
        assert (answer.status_code, answer.json()["reason"]) == (500, "server_fault")
        ready = client.get("/ready")
        assert (ready.status_code, "no memory" in ready.json()["reason"]) == (503, True)
        broken.clear()
        eventually(lambda: client.get("/ready").status_code == 200)
        again = client.post("/v1/score", content=ROW, headers=JSON)
    assert (again.status_code, again.json()["is_repeat"]) == (200, False)


def test_ids_of_another_key_are_no_repeats(api: Running) -> None:
    row = message(WALLET_ROW, payment_id="of two")
    other = message(WALLET_ROW, payment_id="of two", velocity=7.5)
    with api.client() as one, api.client(Role.ADMIN) as two:
        answers = [
            client.post("/v1/score", content=content, headers=JSON)
            for client, content in ((one, row), (two, other), (one, row), (two, row))
        ]
    assert [each.status_code for each in answers] == [200, 200, 200, 422]
    assert [each.json().get("is_repeat") for each in answers[:3]] == [False, False, True]


def test_keys_that_cannot_be_read_stay_as_they_were_and_it_is_told(tmp_path: Path) -> None:
    with Served(project_of(tmp_path)) as api:
        with sqlite3.connect(tmp_path / "api-keys.sqlite") as file:
            file.execute("UPDATE keys SET role = 'oracle' WHERE role = 'analyst'")
        file.close()
        with api.client(Role.VIEWER) as client:
            eventually(lambda: "role 'oracle'" in client.get("/ready").json().get("keys", ""))
            assert client.get("/v1/models").status_code == 200
        assert api.server.counts.model is not None


def test_a_refusal_for_want_of_room_costs_nothing_of_the_rate(tmp_path: Path) -> None:
    project = project_of(tmp_path, rate=1, max_waiting_rows=10)
    with Served(project) as api, api.client() as client:
        api.server.counts.waiting_rows += 10
        busy = client.post("/v1/score", content=ROW, headers=JSON)
        api.server.counts.waiting_rows -= 10
        then = client.post("/v1/score", content=ROW, headers=JSON)
    assert [busy.status_code, then.status_code] == [503, 200]
