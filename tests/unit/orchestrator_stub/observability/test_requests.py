# SPDX-License-Identifier: Apache-2.0
"""Requests through the middleware: ids, times of polls, and what is logged of each."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from orchestrator_stub import southbound
from orchestrator_stub.observability import request_id
from orchestrator_stub.observability.metrics import Metrics
from orchestrator_stub.observability.requests import Observed

LOGGER = "orchestrator_stub.observability.requests"


def pass_through(
    path: str, status: int = 200, *, offered: str = "", error: Exception | None = None, **scope: Any
) -> tuple[str, Metrics]:
    """One request: the id in its response, and the metrics afterwards."""
    metrics = Metrics()
    headers: dict[bytes, bytes] = {}

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        logging.getLogger("somewhere").info("within %s", request_id.current.get())
        if error is not None:
            raise error
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        raise AssertionError("nobody reads")

    async def send(message: Any) -> None:
        headers.update(message.get("headers", ()))

    async def run() -> None:
        await Observed(application, metrics)(
            {
                "type": "http",
                "method": "GET",
                "path": path,
                "headers": [(b"x-request-id", offered.encode())] if offered else [],
                **scope,
            },
            receive,
            send,
        )

    asyncio.run(run())
    return headers.get(b"x-request-id", b"").decode(), metrics


def sample(metrics: Metrics, line: str) -> float:
    content, _ = metrics.text("")
    return next(float(each.split()[-1]) for each in content.decode().splitlines() if line in each)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def of_requests(lines: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in lines.records if record.name == LOGGER]


def test_id_of_the_caller_is_kept_and_is_there_within(lines: pytest.LogCaptureFixture) -> None:
    identity, _ = pass_through("/v1/x", offered="trace-7.a_b")
    assert identity == "trace-7.a_b"
    assert "within trace-7.a_b" in lines.text


@pytest.mark.parametrize("offered", ["", "a b", "x" * 65, "ü", "a;b", "<script>"])
def test_id_without_form_is_replaced(offered: str) -> None:
    identity, _ = pass_through("/v1/x", offered=offered)
    assert identity != offered
    assert len(identity) == 16
    assert identity != pass_through("/v1/x", offered=offered)[0]


@pytest.mark.parametrize("status", [200, 401, 503])
def test_poll_is_counted_and_timed(status: int) -> None:
    _, metrics = pass_through(southbound.PATH, status)
    assert sample(metrics, f'puad_polls_total{{code="{status}"}}') == 1
    assert sample(metrics, "puad_poll_duration_seconds_count") == 1


def test_poll_that_breaks_is_counted_as_500(lines: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError):
        pass_through(southbound.PATH, error=RuntimeError("broken"))
    (record,) = of_requests(lines)
    assert record.levelno == logging.WARNING


def test_other_requests_are_no_polls() -> None:
    _, metrics = pass_through("/v1/projects/default/compute/hosts")
    assert sample(metrics, "puad_poll_duration_seconds_count") == 0


@pytest.mark.parametrize(
    "path",
    [southbound.PATH, "/healthz", "/readyz", "/metrics", "/static/style.css", "/release/targets/x"],
)
def test_what_comes_all_the_time_is_logged_only_when_it_fails(
    lines: pytest.LogCaptureFixture, path: str
) -> None:
    pass_through(path)
    pass_through(path, 404)
    assert of_requests(lines) == []
    pass_through(path, 503)
    (record,) = of_requests(lines)
    assert record.levelno == logging.WARNING


def test_line_of_a_request_has_its_path_and_not_its_query(lines: pytest.LogCaptureFixture) -> None:
    pass_through("/v1/é\n", 404, raw_path=b"/v1/%C3%A9%0A", query_string=b"note=secret")
    (record,) = of_requests(lines)
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith("GET /v1/%C3%A9%0A: 404 in ")
    fields: dict[str, Any] = record.__dict__["fields"]
    assert fields.pop("duration_ms") >= 0
    assert fields == {"method": "GET", "path": "/v1/%C3%A9%0A", "status": 404}
    assert "secret" not in lines.text


def test_long_path_is_cut(lines: pytest.LogCaptureFixture) -> None:
    pass_through("/" + "x" * 10_000, raw_path=b"/" + b"x" * 10_000)
    assert len(of_requests(lines)[0].getMessage()) < 300


def test_other_kinds_of_connection_pass_untouched() -> None:
    seen: list[str] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        raise AssertionError("nobody talks")

    asyncio.run(Observed(application, Metrics())({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]
