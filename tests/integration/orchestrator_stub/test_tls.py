# SPDX-License-Identifier: Apache-2.0
"""The server's own TLS: made by `init`, renewed by itself, exchanged while it runs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.main import main
from orchestrator_stub.tls.authority import SERVER_LIFETIME
from orchestrator_stub.tls.certificates import Certificates
from orchestrator_stub.tls.names import parse
from puad.client.maintenance import MaintenanceClient
from puad.config import Limits, ServerSettings
from puad.core.errors import Code, ServerError
from puad.core.wire import StatusReport, StatusType
from tests.integration.orchestrator_stub.running import (
    CALL,
    Node,
    Orchestrator,
    new_directory,
    serving,
)

ALMOST_OVER = datetime.now(UTC) - SERVER_LIFETIME + timedelta(days=25)


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    """A fresh data directory; no certificate depends on where the records are."""
    return new_directory(tmp_path / "data")


def ca_file(directory: DataDirectory) -> str:
    return str(directory.path / "tls" / "ca.crt")


def connected(orchestrator: Orchestrator, highest: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=ca_file(orchestrator.directory))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if highest is not None:
        context.maximum_version = highest
    host, port = urlsplit(orchestrator.url).hostname, urlsplit(orchestrator.url).port
    plain = socket.create_connection((host, port), timeout=60)
    return context.wrap_socket(plain, server_hostname=host)


def serial(orchestrator: Orchestrator) -> str:
    with closing(connected(orchestrator)) as connection:
        return str((connection.getpeercert() or {})["serialNumber"])


def test_serve_is_tls_1_3_with_what_init_has_made(directory: DataDirectory) -> None:
    with serving(directory, verify=ca_file(directory)) as orchestrator:
        assert orchestrator.url.startswith("https://127.0.0.1:")
        with closing(connected(orchestrator)) as connection:
            assert connection.version() == "TLSv1.3"
        with pytest.raises(ssl.SSLError):
            connected(orchestrator, ssl.TLSVersion.TLSv1_2)
        with pytest.raises(requests.ConnectionError):
            requests.get(orchestrator.url.replace("https:", "http:"), timeout=60)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(orchestrator.url, timeout=60)


def test_browser_comes_back_over_tls_with_cookies_that_nobody_else_can_plant(
    directory: DataDirectory,
) -> None:
    with serving(directory, verify=ca_file(directory)) as orchestrator:
        for path in ("login", "hosts", "nowhere", "static/style.css", "v1/x", "healthz", CALL):
            response = orchestrator.session.get(orchestrator.url + path, timeout=60)
            assert response.headers["strict-transport-security"] == "max-age=2592000", path
            assert response.headers["x-content-type-options"] == "nosniff", path
            assert "'none'" in response.headers["content-security-policy"], path
            if path != "static/style.css":
                assert response.headers["cache-control"] == "no-store", path
        cookies = orchestrator.session.get(f"{orchestrator.url}login", timeout=60).headers
        name, _, attributes = cookies["set-cookie"].partition("=")
        assert name == "__Host-puad_login"
        assert {"Secure", "HttpOnly", "Path=/"} <= set(attributes.split("; "))


def test_serve_takes_tls_1_2_when_it_is_told_to(directory: DataDirectory) -> None:
    with serving(directory, "--tls-min", "1.2", verify=ca_file(directory)) as orchestrator:
        for version, name in (("TLSv1_2", "TLSv1.2"), ("TLSv1_3", "TLSv1.3")):
            with closing(connected(orchestrator, ssl.TLSVersion[version])) as connection:
                assert connection.version() == name


def test_exchanged_certificate_is_served_without_a_restart(directory: DataDirectory) -> None:
    with serving(directory, verify=ca_file(directory)) as orchestrator:
        kept = connected(orchestrator)
        first = serial(orchestrator)
        Certificates(directory.path / "tls").keep(parse(["127.0.0.1"]), datetime.now(UTC))
        assert serial(orchestrator) != first
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert kept.recv(15) == b"HTTP/1.1 200 OK"
        kept.close()
        (directory.path / "tls" / "server.pem").write_bytes(b"half")
        assert serial(orchestrator) != first
        assert orchestrator.get("compute/hosts")["totalElements"] == 0
    log = (directory.path / "server.log").read_text()
    assert "a changed certificate is served" in log
    assert "cannot be used, the one before is still served" in log


def test_certificate_that_is_almost_over_is_renewed_by_the_same_ca(
    directory: DataDirectory,
) -> None:
    shutil.rmtree(directory.path / "tls")
    old = Certificates(directory.path / "tls")
    old.keep(parse(["127.0.0.1", "localhost"]), ALMOST_OVER)
    before = old.server_file.read_bytes()
    (directory.path / "orchestrator.toml").write_text("")
    with serving(directory, verify=ca_file(directory)) as orchestrator:
        assert old.server_file.read_bytes() != before
        with closing(connected(orchestrator)) as connection:
            ends = str((connection.getpeercert() or {})["notAfter"])
    assert ssl.cert_time_to_seconds(ends) > datetime.now(UTC).timestamp() + 300 * 86_400


def test_data_directory_of_an_older_version_gets_a_ca_at_the_start(
    directory: DataDirectory,
) -> None:
    shutil.rmtree(directory.path / "tls")
    (directory.path / "orchestrator.toml").write_text("")
    with serving(directory, verify=ca_file(directory)) as orchestrator:
        first = Path(ca_file(directory)).read_bytes()
        assert orchestrator.get("compute/hosts")["totalElements"] == 0
    with serving(directory, verify=ca_file(directory)) as orchestrator:
        assert serial(orchestrator)
    assert Path(ca_file(directory)).read_bytes() == first


def test_stop_does_not_wait_for_those_who_do_not_listen(directory: DataDirectory) -> None:
    with serving(directory, verify=ca_file(directory)) as orchestrator:
        idle = [connected(orchestrator) for _ in range(20)]
        for connection in idle:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
    log = (directory.path / "server.log").read_text()
    assert "timeout graceful shutdown exceeded" not in log
    for connection in idle:
        connection.close()


def test_init_vouches_for_the_names_that_it_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["init", "--data-dir", str(tmp_path / "data"), "--json"]
    arguments += ["--name", "Orchestrator.example.org", "--name", "127.0.0.1"]
    assert main(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["names"] == ["orchestrator.example.org", "127.0.0.1"]
    assert told["ca_file"] == str(tmp_path / "data" / "tls" / "ca.crt")
    directory = DataDirectory(tmp_path / "data")
    assert directory.settings().tls.names == ("orchestrator.example.org", "127.0.0.1")
    with serving(directory, verify=told["ca_file"]) as orchestrator:
        with closing(connected(orchestrator)) as connection:
            certificate: Any = connection.getpeercert()
        names = {value for _, value in certificate["subjectAltName"]}
        assert names == {"orchestrator.example.org", "127.0.0.1"}


def test_init_with_a_name_that_is_none_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["init", "--data-dir", str(tmp_path / "data"), "--name", "*.example.org"]
    assert main(arguments) == os.EX_USAGE
    assert "neither a host name nor an IP address ('*.example.org')" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_serve_refuses_a_name_that_its_ca_does_not_vouch_for(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory.path / "orchestrator.toml").write_text('[tls]\nnames = ["other.example"]\n')
    assert main(["serve", "--data-dir", str(directory.path), "--port", "0"]) == os.EX_CONFIG
    told = capsys.readouterr().err
    assert "does not vouch for other.example" in told
    assert "Move" in told


def test_serve_says_what_nodes_and_browsers_trust(directory: DataDirectory) -> None:
    with serving(directory, verify=ca_file(directory)) as orchestrator:
        assert orchestrator.told["ca_file"] == ca_file(directory)
    with serving(directory) as orchestrator:
        assert "ca_file" not in orchestrator.told


# --- a node under TLS


def poll(client: MaintenanceClient, node: Node) -> None:
    report = StatusReport(StatusType.UP_TO_DATE, profile_name=node.profile, os_image_id="1.0")
    client.report(node.guid, report, datetime.now(UTC))


def test_node_takes_a_renewed_token_by_a_file_swap_without_a_restart(
    directory: DataDirectory, tmp_path: Path
) -> None:
    with serving(directory, verify=ca_file(directory)) as orchestrator:
        node = orchestrator.enrol("edge")
        token_file = tmp_path / "token"
        token_file.write_text(node.token)
        settings = ServerSettings(orchestrator.url, token_file, ca_file(directory))
        client = MaintenanceClient(settings, Limits())
        poll(client, node)
        revoked = orchestrator.rest("PUT", f"compute/hosts/{node.host_id}/invalidate?note=lost")
        assert revoked.ok, revoked.text
        with pytest.raises(ServerError) as caught:
            poll(client, node)
        assert caught.value.code is Code.SERVER_UNAUTHENTICATED
        (host,) = orchestrator.get("compute/hosts")["hosts"]
        facts = ["--guid", node.guid, "--profile", "edge", "--data-dir", str(directory.path)]
        renew = ["enrol", host["name"], *facts, "--renew", "--token-file", str(token_file)]
        assert main(renew) == 0
        assert token_file.read_text().strip() != node.token
        poll(client, node)
