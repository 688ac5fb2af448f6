# SPDX-License-Identifier: Apache-2.0
"""Who and what the orchestrator refuses, and with which words."""

from __future__ import annotations

import socket
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from sqlalchemy import select

from orchestrator_stub import commands
from orchestrator_stub.access import node_token, tokens
from orchestrator_stub.access.node_token import NodeIdentity
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.records import Host, Instance, Project
from orchestrator_stub.vocabulary import InstanceState, Scope
from tests.integration.orchestrator_stub.running import CALL, YEAR_S, Node, Orchestrator


def request(guid: str, **status: Any) -> dict[str, Any]:
    return {"hostGuid": guid, "updateStatus": {"statusType": "STATUS_TYPE_UP_TO_DATE", **status}}


def refusal(response: requests.Response) -> tuple[int, str]:
    document = response.json()
    assert set(document) == {"code", "message"}
    assert response.headers["content-type"] == "application/json"
    return response.status_code, document["code"]


def signed(orchestrator: Orchestrator, node: Node, **changes: object) -> str:
    claims = jwt.decode(node.token, options={"verify_signature": False})
    return jwt.encode({**claims, **changes}, orchestrator.directory.secret_key(), "HS256")


def test_no_or_garbage_token_is_unauthenticated(orchestrator: Orchestrator, node: Node) -> None:
    for token in (None, "", "x", "a.b.c", "é" * 9000, node.token[:-4] + "AAAA"):
        header = token.encode("utf-8").decode("latin-1") if token else token
        response = orchestrator.call(request(node.guid), header)
        assert refusal(response) == (401, "unauthenticated")
        assert response.headers["www-authenticate"] == "Bearer"


def test_token_of_another_key_or_algorithm_is_unauthenticated(node: Node) -> None:
    claims = jwt.decode(node.token, options={"verify_signature": False})
    for token in (jwt.encode(claims, "k" * 64, "HS256"), jwt.encode(claims, "", "none")):
        assert refusal(node.orchestrator.call(request(node.guid), token)) == (
            401,
            "unauthenticated",
        )


def test_expired_token_is_unauthenticated(orchestrator: Orchestrator, node: Node) -> None:
    token = signed(orchestrator, node, exp=int(time.time()) - 3600)
    response = orchestrator.call(request(node.guid), token)
    assert refusal(response) == (401, "unauthenticated")
    assert "expired" in response.json()["message"]


def test_token_without_expiry_is_unauthenticated(orchestrator: Orchestrator, node: Node) -> None:
    claims = jwt.decode(node.token, options={"verify_signature": False})
    del claims["exp"]
    token = jwt.encode(claims, orchestrator.directory.secret_key(), "HS256")
    assert refusal(orchestrator.call(request(node.guid), token)) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "access",
    [
        {},
        {"roles": "en-agent-rw"},
        {"roles": []},
        {"roles": ["en-agent-rw", 7, None]},
        {"roles": ["12345678-1234-1234-1234-123456789012_en-agent-ro"]},
        [],
    ],
)
def test_token_without_the_role_is_denied_before_the_body_counts(
    orchestrator: Orchestrator, node: Node, access: object
) -> None:
    token = signed(orchestrator, node, realm_access=access)
    assert refusal(orchestrator.call("nonsense", token)) == (403, "permission_denied")


def test_token_of_two_projects_is_unauthenticated(orchestrator: Orchestrator, node: Node) -> None:
    roles = [f"{uuid.uuid4()}_en-agent-rw", f"{uuid.uuid4()}_en-agent-rw"]
    token = signed(orchestrator, node, realm_access={"roles": roles})
    assert refusal(orchestrator.call(request(node.guid), token)) == (401, "unauthenticated")


def test_token_of_unknown_project_is_unauthenticated(
    orchestrator: Orchestrator, node: Node
) -> None:
    roles = [f"{uuid.uuid4()}_en-agent-rw"]
    token = signed(orchestrator, node, realm_access={"roles": roles})
    assert refusal(orchestrator.call(request(node.guid), token)) == (401, "unauthenticated")


def test_token_of_another_host_is_denied(orchestrator: Orchestrator, node: Node) -> None:
    other = orchestrator.enrol()
    assert refusal(other.post(request(node.guid))) == (403, "permission_denied")


def test_operator_token_is_no_node_token_and_the_other_way_round(
    orchestrator: Orchestrator, node: Node
) -> None:
    response = orchestrator.call(request(node.guid), orchestrator.api_token)
    assert refusal(response) == (401, "unauthenticated")
    answer = orchestrator.session.get(
        f"{orchestrator.url}v1/projects/default/compute/hosts",
        headers={"Authorization": f"Bearer {node.token}"},
        timeout=60,
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"updateStatus": {"statusType": 1}},
        {"hostGuid": "no uuid", "updateStatus": {"statusType": 1}},
        {"hostGuid": 7, "updateStatus": {"statusType": 1}},
        {"hostGuid": "GUID"},
        {"hostGuid": "GUID", "updateStatus": None},
        {"hostGuid": "GUID", "updateStatus": []},
        {"hostGuid": "GUID", "updateStatus": {"statusType": "STATUS_TYPE_NONSENSE"}},
        {"hostGuid": "GUID", "updateStatus": {"statusType": True}},
        {"hostGuid": "GUID", "updateStatus": {"statusDetail": {"a": 1}}},
        {"hostGuid": "GUID", "updateStatus": {"statusDetail": "x" * 100_001}},
        {"hostGuid": "GUID", "updateStatus": {"progressPercent": 10**30}},
        {"hostGuid": "GUID", "updateStatus": {"progressPercent": -1}},
        [],
        "text",
        None,
    ],
)
def test_wrong_request_is_an_invalid_argument(node: Node, document: Any) -> None:
    if isinstance(document, dict) and document.get("hostGuid") == "GUID":
        document = {**document, "hostGuid": node.guid}
    assert refusal(node.post(document)) == (400, "invalid_argument")
    assert node.instance()["updateStatus"] == ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"hostGuid":' * 50_000,
        b'{"hostGuid": ' + b"9" * 100_000 + b"}",
        b'{"hostGuid": NaN}',
        b'{"hostGuid": 1e999}',
        b'{"hostGuid": "\\ud800"}',
    ],
)
def test_hostile_bytes_are_an_invalid_argument(node: Node, data: bytes) -> None:
    assert refusal(node.post(None, data=data)) == (400, "invalid_argument")


def test_too_long_body_is_refused_unread(node: Node) -> None:
    response = node.post(None, data=b" " * ((1 << 20) + 1))
    assert refusal(response) == (429, "resource_exhausted")


def test_endless_body_is_cut_off(orchestrator: Orchestrator, node: Node) -> None:
    address = urlsplit(orchestrator.url)
    head = (
        f"POST /{CALL} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {node.token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(head.encode())
        sent = 0
        try:
            while sent < 1 << 30:
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
    assert sent < 1 << 30
    assert node.post(request(node.guid)).status_code == 200


def test_other_content_type_is_415(node: Node) -> None:
    response = node.post(request(node.guid), content_type="application/proto")
    assert response.status_code == 415
    assert response.headers["accept-post"] == "application/json"


def test_content_type_with_charset_is_taken(node: Node) -> None:
    response = node.post(request(node.guid), content_type="application/json; charset=utf-8")
    assert response.status_code == 200


def test_proto_names_and_numbers_are_taken(node: Node) -> None:
    document = {"host_guid": node.guid.upper(), "update_status": {"status_type": 5}, "more": [1]}
    assert node.post(document).status_code == 200
    assert node.instance()["updateStatus"] == "Downloading artifacts"


def test_unknown_host_is_not_found(orchestrator: Orchestrator, node: Node) -> None:
    identity = node_token.verify(orchestrator.directory.secret_key(), f"Bearer {node.token}")
    guid = str(uuid.uuid4())
    token = node_token.issue(
        orchestrator.directory.secret_key(),
        NodeIdentity(guid, identity.project_uuid, identity.issued_s),
        YEAR_S,
    )
    assert refusal(orchestrator.call(request(guid), token)) == (404, "not_found")


def test_host_without_instance_is_not_found(orchestrator: Orchestrator, node: Node) -> None:
    with orchestrator.database.writing() as session:
        session.delete(session.get_one(Instance, node.instance_id))
    assert refusal(node.post(request(node.guid))) == (404, "not_found")


def test_unprovisioned_instance_is_a_failed_precondition(
    orchestrator: Orchestrator, node: Node
) -> None:
    with orchestrator.database.writing() as session:
        session.get_one(Instance, node.instance_id).state = InstanceState.UNSPECIFIED
    assert refusal(node.post(request(node.guid))) == (400, "failed_precondition")
    assert node.instance()["updateStatus"] == ""


def test_invalidated_host_is_refused_until_renewed(orchestrator: Orchestrator, node: Node) -> None:
    path = f"compute/hosts/{node.host_id}"
    assert orchestrator.rest("PUT", f"{path}/invalidate?note=stolen").status_code == 200
    assert orchestrator.get(path)["currentState"] == "HOST_STATE_UNTRUSTED"
    assert orchestrator.get(path)["note"] == "stolen"
    assert refusal(node.post(request(node.guid))) == (401, "unauthenticated")
    with orchestrator.database.reading() as session:
        name = session.scalars(select(Host.name).where(Host.id == node.host_id)).one()
    candidate = Candidate(name, node.guid, node.profile)
    facts = commands.enrol(orchestrator.directory, candidate, YEAR_S, renew=True)
    assert orchestrator.call(request(node.guid), facts["token"]).status_code == 200
    assert refusal(node.post(request(node.guid))) == (401, "unauthenticated")


def test_token_of_a_deleted_host_is_refused_when_its_machine_is_enrolled_again(
    orchestrator: Orchestrator, node: Node
) -> None:
    issued_s = jwt.decode(node.token, options={"verify_signature": False})["iat"]
    assert orchestrator.rest("DELETE", f"compute/hosts/{node.host_id}").status_code == 200
    assert refusal(node.post(request(node.guid))) == (404, "not_found")
    while int(time.time()) <= issued_s:  # tokens tell time by the second
        time.sleep(0.05)
    again = orchestrator.enrol(node.profile, guid=node.guid)
    assert refusal(node.post(request(node.guid))) == (401, "unauthenticated")
    assert again.post(request(node.guid)).status_code == 200


@pytest.mark.parametrize("header", [None, "Bearer ", "Bearer wrong", "Basic eDp5", "bearer é"])
def test_rest_without_the_api_token_is_a_problem_401(
    orchestrator: Orchestrator, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header.encode().decode("latin-1")}
    for method, path in (("GET", "compute/hosts"), ("POST", "os_update_policy"), ("GET", "x")):
        response = orchestrator.session.request(
            method,
            f"{orchestrator.url}v1/projects/default/{path}",
            headers=headers,
            timeout=60,
        )
        assert response.headers["content-type"] == "application/problem+json"
        assert response.status_code == (404 if path == "x" else 401)


def post_policy(orchestrator: Orchestrator, data: bytes) -> requests.Response:
    """The answer to a body for a new policy, whatever is in it."""
    return orchestrator.session.post(
        f"{orchestrator.url}v1/projects/default/os_update_policy",
        data=data,
        headers={
            "Authorization": f"Bearer {orchestrator.api_token}",
            "Content-Type": "application/json",
        },
        timeout=60,
    )


@pytest.mark.parametrize("data", [b"{", b"[" * 200_000, b"\xff", b"9" * 100_000, b"null", b"[]"])
def test_hostile_bytes_at_rest_are_a_problem_400(orchestrator: Orchestrator, data: bytes) -> None:
    response = post_policy(orchestrator, data)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "invalid_argument"
    assert len(response.content) < 2000


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("application/jsonx", 415),
        (None, 415),
        ("application/json; charset=utf-8", 200),
        ("application/merge-patch+json", 200),
    ],
)
def test_rest_body_of_another_content_type_is_a_problem_415(
    orchestrator: Orchestrator, content_type: str | None, status: int
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = orchestrator.session.post(
        f"{orchestrator.url}v1/projects/default/os_update_policy",
        data=b'{"name": "p", "updatePolicy": "UPDATE_POLICY_LATEST"}',
        headers={"Authorization": f"Bearer {orchestrator.api_token}", **headers},
        timeout=60,
    )
    assert response.status_code == status, response.text
    if status == 415:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"] == "send Content-Type: application/json"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"name": "x"', "the body is not JSON: Expecting ',' delimiter after 12 characters"),
        (b"", "the body: it is needed"),
        (b"[1]", "the body: it is no JSON object"),
        (b'{"updatePolicy": "UPDATE_POLICY_LATEST"}', "name: it is needed"),
        (b'{"name": "x", "nam": 1}', "nam: there is no such field"),
    ],
)
def test_body_that_is_wrong_says_where_and_how(
    orchestrator: Orchestrator, data: bytes, told: str
) -> None:
    response = post_policy(orchestrator, data)
    assert response.status_code == 400
    assert told in response.json()["detail"].split("; ")


def test_wrong_path_and_wrong_method_say_which_there_are(orchestrator: Orchestrator) -> None:
    wrong = orchestrator.rest("GET", "compute/host").json()
    assert wrong["detail"] == "there is no such path"
    assert "/openapi.json" in wrong["hint"]
    wrong = orchestrator.rest("DELETE", "compute/hosts").json()
    assert wrong["detail"] == "the path has other methods: GET, POST"


def test_unknown_project_and_wrong_method_are_problems(orchestrator: Orchestrator) -> None:
    response = orchestrator.rest("GET", "compute/hosts", project="nobody")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    response = orchestrator.rest("DELETE", "compute/hosts")
    assert (response.status_code, response.json()["code"]) == (405, "unimplemented")
    assert response.headers["content-type"] == "application/problem+json"
    for path in ("compute", "compute/hosts/nonsense", "compute/hosts/host-0000000g", "nul\0"):
        response = orchestrator.rest("GET", path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert response.headers["content-type"] == "application/problem+json"
    for project in ("nul%00", "n" * 500):
        assert orchestrator.rest("GET", "compute/hosts", project=project).status_code == 404


@pytest.mark.parametrize("token", ["", "reader"])
def test_rest_settles_who_calls_before_a_byte_of_the_body(
    orchestrator: Orchestrator, token: str
) -> None:
    """The body is announced and never comes; whoever waits for it waits half a minute."""
    address = urlsplit(orchestrator.url)
    if token:
        with orchestrator.database.writing() as session:
            project = session.scalars(select(Project).where(Project.name == "default")).one()
            until_s = int(time.time()) + 3600
            name = f"reader-{uuid.uuid4().hex[:8]}"
            token = tokens.issue(session, project, name, Scope.READ, until_s).token
    head = (
        "POST /v1/projects/default/compute/sites HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=60) as stranger:
        stranger.sendall(head.encode())
        answer = stranger.recv(4096).decode()
    assert answer.startswith(f"HTTP/1.1 {403 if token else 401} ")


def test_too_long_body_at_rest_is_a_problem_413(orchestrator: Orchestrator) -> None:
    response = orchestrator.session.post(
        f"{orchestrator.url}v1/projects/default/os_update_policy",
        data=b" " * ((1 << 20) + 1),
        headers={
            "Authorization": f"Bearer {orchestrator.api_token}",
            "Content-Type": "application/json",
        },
        timeout=60,
    )
    assert (response.status_code, response.json()["code"]) == (413, "resource_exhausted")
    assert response.headers["content-type"] == "application/problem+json"
