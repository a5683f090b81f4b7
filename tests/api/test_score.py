"""`POST /v1/score`: the decision of the stream, or a problem in its words."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.api.conftest import Running, Served, project_of
from tests.harness import eventually
from tests.transactions import CREDITCARD, SHOP_FILE, SHOP_ROW, WALLET_ROW, message, raw
from tests.use_cases.versions import add_version

from fraudline.access import Role
from fraudline.scoring import Judge, Verdict
from fraudline.use_cases.open_version import open_version

JSON = {"Content-Type": "application/json"}


def wallet(number: int, **changes: object) -> bytes:
    return message(WALLET_ROW, payment_id=f"w-{number}", **changes)


def judged(api: Running, values: list[bytes]) -> list[object]:
    project = api.project
    return Judge(open_version(project, project.registry.champion())).judge(values)


def test_a_transaction_is_decided_to_the_last_bit_as_the_stream_decides_it(tmp_path: Path) -> None:
    drawn = np.random.default_rng(3).normal(size=(40, len(CREDITCARD.transaction_columns)))
    names = [column.name for column in CREDITCARD.transaction_columns]
    values = [
        msgspec.json.encode(dict(zip(names, map(float, abs(row)), strict=True))) for row in drawn
    ]
    with Served(project_of(tmp_path, "creditcard")) as api, api.client() as client:
        alone = [client.post("/v1/score", content=each, headers=JSON).json() for each in values]
        again = client.post("/v1/score", content=b"[%b]" % b",".join(values), headers=JSON).json()
        said = judged(api, values)
    assert {each["decision"] for each in alone} == {"approve", "block"}
    for each, verdict in zip(alone, said, strict=True):
        assert isinstance(verdict, Verdict)
        assert (each["score"], each["decision"], each["threshold"]) == (
            verdict.score, verdict.decision, verdict.threshold,
        )  # fmt: skip
        assert each["reasons"] == (verdict.reasons and msgspec.to_builtins(verdict.reasons))
        assert each["model_version"] == verdict.model_version
    assert (again["decided"], again["refused"]) == (40, 0)
    assert again["results"] == alone


def test_an_id_that_was_decided_has_its_decision_again_and_other_values_are_refused(
    tmp_path: Path,
) -> None:
    project = project_of(tmp_path)
    with Served(project) as api, api.client() as client:
        first = client.post("/v1/score", content=wallet(1), headers=JSON).json()
        newer = add_version(project.registry, project.contract, 2.0, 0.9)
        project.registry.promote(newer)
        numbers = itertools.count(2)

        def decides() -> str:
            body = wallet(next(numbers))
            return client.post("/v1/score", content=body, headers=JSON).json()["model_version"]

        eventually(lambda: decides() == newer)  # another champion decides what is new
        again = client.post("/v1/score", content=wallet(1), headers=JSON)
        changed = client.post("/v1/score", content=wallet(1, velocity=9.5), headers=JSON)
    assert again.json() == {**first, "is_repeat": True}
    assert changed.status_code == 422
    assert changed.json()["reason"] == "id_reused"
    assert "'w-1' belongs to a transaction with other values" in changed.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "reason", "column", "words"),
    [
        (b"", 400, "empty", None, "empty"),
        (b"{", 400, "invalid_json", None, "truncated"),
        (b'{"a": "\xff"}', 400, "invalid_utf8", None, "UTF-8"),
        (b"7", 422, "not_an_object", None, "one JSON object"),
        (b"[", 400, "invalid_json", None, "no JSON array"),
        (b"[]", 422, "no_rows", None, "expected 1 to 10,000"),
        (message(WALLET_ROW, extra=1), 422, "unknown_column", None, "'extra'"),
        (wallet(1, amount_minor="12"), 422, "wrong_type", "amount_minor", "got str"),
        (wallet(1, amount_minor=-5), 422, "out_of_range", "amount_minor", ">= 0"),
        (raw(WALLET_ROW, "velocity", b"1e999"), 422, "out_of_range", "velocity", "range"),
    ],
    ids=lambda value: value if isinstance(value, str) and "_" in value else None,
)
def test_what_is_no_transaction_is_a_problem_in_the_words_of_a_reject(
    api: Running, body: bytes, status: int, reason: str, column: str | None, words: str
) -> None:
    with api.client() as client:
        answer = client.post("/v1/score", content=body, headers=JSON)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["reason"]) == (status, status, reason)
    assert problem.get("column") == column
    assert words in problem["detail"]


def test_a_missing_column_says_which_and_what_was_expected(api: Running) -> None:
    row = {name: value for name, value in WALLET_ROW.items() if name != "velocity"}
    with api.client() as client:
        problem = client.post("/v1/score", content=json.dumps(row), headers=JSON).json()
    assert (problem["column"], problem["expected"], problem["found"]) == (
        "velocity", "a value", "nothing",
    )  # fmt: skip


def test_of_an_array_each_is_decided_by_itself_and_none_is_left_out(api: Running) -> None:
    values = [wallet(1000), b"{}", wallet(1001, velocity="x"), wallet(1002), b"null"]
    with api.client() as client:
        answer = client.post("/v1/score", content=b"[%b]" % b",".join(values), headers=JSON)
    told = answer.json()
    assert (answer.status_code, told["decided"], told["refused"]) == (200, 2, 3)
    assert [each.get("decision", each.get("reason")) for each in told["results"]] == [
        told["results"][0]["decision"], "missing_column", "wrong_type",
        told["results"][3]["decision"], "not_an_object",
    ]  # fmt: skip
    assert [each.get("index") for each in told["results"]] == [None, 1, 2, None, 4]


def test_long_and_short_requests_at_the_same_time_all_have_their_own_answers(api: Running) -> None:
    def ask(number: int) -> tuple[int, list[str]]:
        count = 1 if number % 4 else 1500
        first = 10_000 * (number + 1)
        ids = [f"w-{first + place}" for place in range(count)]
        body = b",".join(message(WALLET_ROW, payment_id=each) for each in ids)
        with api.client() as client:
            told = client.post("/v1/score", content=b"[%b]" % body, headers=JSON).json()
        return ids == [each["transaction_id"] for each in told["results"]], ids

    before = api.server.counts.batch_rows
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(ask, range(24)))
    assert all(is_own for is_own, _ in found)
    assert api.server.counts.batch_rows - before == sum(len(ids) for _, ids in found)
    assert api.server.counts.waiting_rows == 0


def test_without_an_id_what_is_sent_twice_is_decided_twice_and_the_description_says_so(
    tmp_path: Path,
) -> None:
    with Served(project_of(tmp_path, "creditcard")) as api, api.client() as client:
        row = message({column.name: 1.0 for column in CREDITCARD.transaction_columns})
        answers = [client.post("/v1/score", content=row, headers=JSON).json() for _ in range(2)]
        description = client.get("/openapi.json").json()
    assert [each["is_repeat"] for each in answers] == [False, False]
    assert "decided twice" in description["paths"]["/v1/score"]["post"]["description"]


def test_the_example_of_the_description_is_a_transaction(tmp_path: Path) -> None:
    with Served(project_of(tmp_path, str(SHOP_FILE))) as api, api.client() as client:
        told = client.get("/openapi.json").json()
        content = told["paths"]["/v1/score"]["post"]["requestBody"]["content"]["application/json"]
        example = content["examples"]["one"]["value"]
        answer = client.post("/v1/score", json=example)
    assert set(example) == set(SHOP_ROW)
    assert answer.status_code == 200, answer.text


def test_a_request_has_an_id_that_its_answer_tells(api: Running) -> None:
    with api.client() as client:
        own = client.post("/v1/score", content=wallet(1), headers={**JSON, "X-Request-Id": "a-1"})
        made = [client.post("/v1/score", content=b"{}", headers=JSON) for _ in range(2)]
        bad = client.post("/v1/score", content=b"{}", headers={**JSON, "X-Request-Id": "a b"})
    assert own.headers["x-request-id"] == "a-1"
    assert len({each.headers["x-request-id"] for each in made}) == 2
    assert bad.headers["x-request-id"] != "a b"


def test_a_role_that_may_not_score_does_not(api: Running) -> None:
    with api.client(Role.VIEWER) as client:
        answer = client.post("/v1/score", content=wallet(1), headers=JSON)
    assert (answer.status_code, answer.json()["reason"]) == (403, "wrong_role")
