"""Jobs: asked for over HTTP, done by a worker, downloaded; what happens to those whose worker is gone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from typer.testing import CliRunner

from api.cli import app
from api.instance import Instance, open_instance
from api.jobs import kinds
from api.jobs.results import folder_of
from api.jobs.worker import Worker, named
from chain.errors import LimitExceeded, StoreUnavailable
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.jobs import MAX_FAILURES, JobStore
from chain.store.postgres import connected
from clustering.trace.run import Cancellation
from tests.integration.loaded import load_sample
from tests.integration.test_rest import Running

T = TypeVar("T")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("jobs")

    async def prepare() -> tuple[Instance, Any]:
        instance = await open_instance(Settings(home=home, database_url=None))
        return instance, await load_sample(instance, home, "btc")

    running = Running(*asyncio.run(prepare()))
    yield running
    running.close()
    EmbeddedPostgres(home).stop()


def work(service: Running) -> int:
    """Do all that waits."""
    return asyncio.run(Worker(service.instance).run(drain=True))


def on_store(service: Running, statement: Callable[[JobStore], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connected(service.instance.url) as connection:
            return await statement(JobStore(connection))

    return asyncio.run(run())


def sql(service: Running, text: str, *values: Any) -> Any:
    return on_store(service, lambda store: store.connection.fetchval(text, *values))


def seeds(service: Running) -> list[dict[str, Any]]:
    return [{"chain": "btc", "address": service.address("sale", number)} for number in range(12)]


def post(service: Running, path: str, body: Any, **headers: str) -> Any:
    answer = service.request("POST", f"/v1/{path}", content=json.dumps(body), headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['job']}"
    return answer.json()


def refused(service: Running, status: int, path: str, body: Any, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = service.request("POST", f"/v1/{path}", content=raw, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    return answer.json()


def test_a_trace_by_a_job_is_the_command_s_byte_for_byte(
    service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = post(service, "traces", {"seeds": seeds(service)[::-1]})
    assert (job["state"], job["results"]) == ("queued", [])
    assert work(service) == 1
    done = service.get(f"jobs/{job['job']}")
    assert (done["state"], done["attempt"], done["problem"]) == ("succeeded", 1, None)
    monkeypatch.setenv("HEADWATER_HOME", str(service.instance.home))
    path = tmp_path / "seeds.csv"
    path.write_text("chain,address\n" + "".join(f"btc,{row['address']}\n" for row in seeds(service)))
    ran = CliRunner().invoke(app, ["trace", "run", str(path), "--out", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    assert [each["name"] for each in done["results"]] == sorted(file.name for file in (tmp_path / "out").iterdir())
    for each in done["results"]:
        raw = service.request("GET", each["href"])
        assert raw.content == (tmp_path / "out" / each["name"]).read_bytes(), each["name"]
        assert (hashlib.sha256(raw.content).hexdigest(), len(raw.content)) == (each["sha256"], each["bytes"])
    listed = service.get(f"jobs/{job['job']}/results")
    assert listed["results"] == done["results"]


def test_seeds_as_a_text_and_as_rows_are_one_question(service: Running) -> None:
    rows = seeds(service)[:2]
    text = "chain,address\n" + "".join(f"btc,{row['address']}\n" for row in rows)
    one, two = post(service, "traces", {"seeds": rows}), post(service, "traces", {"file": text})
    work(service)
    files = [service.get(f"jobs/{each['job']}")["results"] for each in (one, two)]
    assert [each["sha256"] for each in files[0]] == [each["sha256"] for each in files[1]]


def test_a_part_of_a_result_can_be_had(service: Running) -> None:
    job = post(service, "paths", {"a": service.address("investor 1", 0), "b": service.address("sale", 0), "k": 2})
    work(service)
    (file,) = service.get(f"jobs/{job['job']}")["results"]
    assert file["name"] == "paths.json"
    whole = service.request("GET", file["href"])
    assert whole.headers["etag"] == f'"{file["sha256"]}"'
    body = json.loads(whole.content)
    assert body["answers"][0]["paths"], body
    part = service.request("GET", file["href"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    beyond = service.request("GET", file["href"], headers={"Range": f"bytes={len(whole.content)}-"})
    assert (beyond.status_code, beyond.headers["content-type"]) == (416, "application/problem+json")
    assert beyond.headers["content-range"].endswith(f"*/{len(whole.content)}")
    unread = service.request("GET", file["href"], headers={"Range": "lines=1-2"})
    assert (unread.status_code, unread.json()["title"]) == (400, "Bad Request")
    assert service.problem(404, f"jobs/{job['job']}/results/..%2F..%2Fcursor.key")
    assert service.problem(404, f"jobs/{job['job']}/results/other.csv")


def test_a_key_names_one_job_for_good(service: Running) -> None:
    body = {"seeds": seeds(service)[:1]}
    first = post(service, "traces", body, **{"Idempotency-Key": "k-1"})
    work(service)
    again = service.request("POST", "/v1/traces", content=json.dumps(body).encode(), headers={"Idempotency-Key": "k-1"})
    assert (again.json()["job"], again.headers["idempotency-replayed"]) == (first["job"], "true")
    other = refused(service, 422, "traces", {**body, "policy": "lifo"}, **{"Idempotency-Key": "k-1"})
    assert other["type"].endswith("idempotency-key-reused")
    refused(service, 422, "traces", body, **{"Idempotency-Key": ""})


ONE = "chain,address\nbtc,1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa\n"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "seeds"),
        ({"seeds": [], "file": "chain,address\n"}, "seeds"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [{"chain": "btc", "address": "nonsense"}]}, "seeds"),
        ({"file": ONE, "policy": "poison"}, "policy"),
        (
            {"file": ONE, "policy": "tiho", "direction": "backward"},
            "policy",
        ),
        ({"file": ONE, "stops": {"through": ["walls"]}}, "through"),
        ({"file": ONE, "min_value": "-1"}, "min_value"),
        ({"file": ONE, "until": "tomorrow"}, "until"),
        ({"file": ONE, "dataset": "a\0"}, "dataset"),
        ({"surprise": 1}, "body"),
        ([], "body"),
    ],
)  # fmt: skip
def test_a_question_that_is_none_is_refused_by_name(service: Running, body: Any, pointer: str) -> None:
    assert refused(service, 422, "traces", body)["errors"][0]["pointer"] == pointer


def test_too_much_is_refused_with_the_limits_name(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.tracing.seeds.MAX_SEEDS", 3)
    assert "seeds" in refused(service, 422, "traces", {"seeds": seeds(service)})["detail"]
    monkeypatch.setattr("api.routes.jobs.MAX_BODY", 50)
    refused(service, 413, "traces", {"seeds": seeds(service)})
    monkeypatch.undo()
    monkeypatch.setattr("chain.store.jobs.MAX_WAITING", 0)
    assert "waiting_jobs" in refused(service, 503, "paths", _two(service))["detail"]


def _two(service: Running) -> dict[str, Any]:
    return {"a": service.address("investor 1", 0), "b": service.address("sale", 0)}


def test_a_rejected_row_with_any_character_is_told_in_the_results(service: Running) -> None:
    rows = [*seeds(service)[:1], {"chain": "btc", "address": "x\0\u202e=cmd()"}]
    job = post(service, "traces", {"seeds": rows})
    work(service)
    done = service.get(f"jobs/{job['job']}")
    assert (done["state"], done["seeds_rejected"]) == ("succeeded", 1)
    (href,) = [each["href"] for each in done["results"] if each["name"] == "seeds_rejected.csv"]
    assert service.request("GET", href).text.splitlines()[1].startswith("2,")


def test_what_does_not_exist_fails_at_once_and_says_so(service: Running) -> None:
    job = post(service, "traces", {"seeds": seeds(service)[:1], "dataset": "nowhere"})
    work(service)
    done = service.get(f"jobs/{job['job']}")
    assert (done["state"], done["attempt"], done["problem"]["type"]) == ("failed", 1, "not-found")
    assert done["results"] == []


def test_a_job_that_waits_is_cancelled_and_one_that_is_done_stays(service: Running) -> None:
    job = post(service, "paths", _two(service))
    gone = service.request("DELETE", f"/v1/jobs/{job['job']}").json()
    assert gone["state"] == "cancelled"
    assert work(service) == 0
    kept = post(service, "paths", _two(service))
    work(service)
    late = service.request("DELETE", f"/v1/jobs/{kept['job']}").json()
    assert (late["state"], late["cancel_requested"]) == ("succeeded", False)
    for path in (f"jobs/{uuid.uuid4()}", "jobs/nonsense"):
        assert service.problem(404, path)


def test_a_job_that_runs_is_cancelled_at_its_next_look(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    job = post(service, "paths", _two(service))

    async def ask(asked: Any, bench: kinds.Bench) -> dict[str, Any]:
        on = service.instance.url
        async with connected(on) as connection:
            await JobStore(connection).cancel(uuid.UUID(job["job"]))
        while not bench.cancelled():
            await asyncio.sleep(0.05)
        raise Cancellation()

    monkeypatch.setitem(kinds.KINDS, "paths", ask)
    work(service)
    done = service.get(f"jobs/{job['job']}")
    assert (done["state"], done["cancel_requested"], done["results"]) == ("cancelled", True, [])


def test_want_of_a_database_or_a_disk_is_tried_again_and_then_given_up(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [OSError(28, "No space left on device"), StoreUnavailable("away"), MemoryError()]

    async def fail(asked: Any, bench: kinds.Bench) -> dict[str, Any]:
        raise errors[0]

    monkeypatch.setitem(kinds.KINDS, "paths", fail)
    monkeypatch.setattr("api.jobs.worker.MAX_DELAY", 0)
    for error in list(errors):
        errors[0] = error
        job = post(service, "paths", _two(service))
        work(service)
        done = service.get(f"jobs/{job['job']}")
        assert (done["state"], done["attempt"], done["problem"]["status"]) == ("failed", MAX_FAILURES, 500)
        assert "No space" not in done["problem"]["detail"]
    errors[0] = LimitExceeded("paths: too many")
    job = post(service, "paths", _two(service))
    work(service)
    done = service.get(f"jobs/{job['job']}")
    assert (done["attempt"], done["problem"]) == (
        1, {"type": "limit-exceeded", "status": 422, "detail": "paths: too many"}
    )  # fmt: skip


def test_a_worker_that_wakes_up_late_publishes_nothing(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    job = post(service, "paths", _two(service))
    name = uuid.UUID(job["job"])
    frozen = on_store(service, lambda store: store.claim("frozen"))
    assert frozen is not None
    assert frozen.job_id == name
    assert on_store(service, lambda store: store.claim("another")) is None
    sql(service, "update job set lease_until = clock_timestamp() - interval '1 second' where job_id = $1", name)
    late = folder_of(service.instance.home, name, frozen.attempt)
    late.mkdir(parents=True)
    assert work(service) == 1
    assert on_store(service, lambda store: store.beat(frozen, "x", 0, 0)) is None
    assert on_store(service, lambda store: store.publish(frozen, {"files": {}})) is False
    done = service.get(f"jobs/{job['job']}")
    assert (done["state"], done["attempt"], len(done["results"])) == ("succeeded", 2, 1)
    assert not late.exists()


def test_a_claim_ends_the_sessions_of_the_attempt_before(service: Running) -> None:
    job = uuid.UUID(post(service, "paths", _two(service))["job"])
    url = service.instance.url

    async def run() -> None:
        async with connected(url) as other:
            old = await JobStore(other).claim("frozen")
            assert old is not None
            mine = await asyncpg.connect(named(url, old))
            await other.execute(
                "update job set lease_until = clock_timestamp() - interval '1 s' where job_id = $1", job
            )
            new = await JobStore(other).claim("next")
            assert new is not None
            assert (new.job_id, new.attempt, new.failures) == (job, 2, 1)
            await asyncio.sleep(0.5)
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await mine.fetchval("select 1")
            await JobStore(other).put_back(new, 0, failed=False)

    asyncio.run(run())
    work(service)


def test_a_job_whose_workers_all_vanish_is_given_up(service: Running) -> None:
    job = uuid.UUID(post(service, "paths", _two(service))["job"])
    for _ in range(MAX_FAILURES):
        assert on_store(service, lambda store: store.claim("doomed")) is not None
        sql(service, "update job set lease_until = clock_timestamp() - interval '1 second' where job_id = $1", job)
    assert on_store(service, lambda store: store.claim("next")) is None
    done = service.get(f"jobs/{job}")
    assert (done["state"], done["problem"]["type"]) == ("failed", "worker-lost")


def test_events_tell_each_change_until_the_end(service: Running) -> None:
    job = post(service, "paths", _two(service))
    work(service)
    told = service.request("GET", f"/v1/jobs/{job['job']}/events")
    assert told.headers["content-type"].startswith("text/event-stream")
    bodies = [json.loads(line[6:]) for line in told.text.splitlines() if line.startswith("data: ")]
    assert bodies[-1] == service.get(f"jobs/{job['job']}")
    assert service.app.state.service.streams == 0


def test_the_list_is_paged_from_the_newest(service: Running) -> None:
    names = [post(service, "paths", _two(service))["job"] for _ in range(3)]
    page = service.get("jobs", limit=2, kind="paths", state="queued")
    rest = service.get("jobs", limit=2, kind="paths", state="queued", cursor=page["next"])
    assert [each["job"] for each in [*page["items"], *rest["items"]]] == names[::-1]
    assert rest["next"] is None
    work(service)
    assert service.problem(422, "jobs", state="asleep")["errors"][0]["pointer"] == "state"


def test_the_command_line_lists_shows_and_cancels(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(service.instance.home))
    job = post(service, "paths", _two(service))["job"]
    shown = CliRunner().invoke(app, ["job", "list", "--state", "queued", "--format", "json"])
    assert [each["job"] for each in json.loads(shown.output)] == [job]
    assert "queued" in CliRunner().invoke(app, ["job", "show", job]).output
    assert (
        json.loads(CliRunner().invoke(app, ["job", "cancel", job, "--format", "json"]).output)["state"] == "cancelled"
    )
    assert CliRunner().invoke(app, ["job", "list", "--state", "no"]).exit_code == 2
    post(service, "paths", _two(service))
    assert CliRunner().invoke(app, ["worker", "--drain"]).exit_code == 0
    assert "result " in CliRunner().invoke(app, ["job", "show", service.get("jobs")["items"][0]["job"]]).output
