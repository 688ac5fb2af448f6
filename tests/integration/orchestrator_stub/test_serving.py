# SPDX-License-Identifier: Apache-2.0
"""The commands and the server process: files, TLS, restart, health, clear errors."""

from __future__ import annotations

import errno
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from orchestrator_stub import commands, server
from orchestrator_stub.data_directory import STANDARD, DataDirectory, hint_for
from orchestrator_stub.database import Database
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.main import main
from orchestrator_stub.maintenance import MaintenanceSettings
from orchestrator_stub.records import Instance, UpdateRun
from orchestrator_stub.server import Endpoint
from orchestrator_stub.vocabulary import Indication
from tests.integration.conftest import wait_until
from tests.integration.orchestrator_stub.running import (
    Orchestrator,
    configure,
    new_directory,
    serving,
)

GUID = "11111111-2222-3333-4444-555555555555"
CANDIDATE = Candidate("edge-1", GUID, "edge", "1.0")
NOBODY = 65534


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "orchestrator_stub", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def facts(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def test_init_makes_secrets_that_only_the_owner_reads(tmp_path: Path) -> None:
    told = facts("init", "--data-dir", str(tmp_path / "data"))
    assert told["project"] == "default"
    for name in ("secret.key", "api.token", "orchestrator.db", "orchestrator.toml"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600
    token = (tmp_path / "data" / "api.token").read_text().strip()
    assert len(token) >= 32
    assert token not in json.dumps(told)


def test_init_tells_the_next_commands_for_its_own_directory(tmp_path: Path) -> None:
    folder = tmp_path / "data of ours"
    said = run("init", "--data-dir", str(folder)).stdout.splitlines()
    assert f"  puad-orchestrator serve --data-dir '{folder}'" in said
    assert sum(f"--data-dir '{folder}'" in line for line in said) == 3


def test_init_twice_changes_nothing(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    def content() -> dict[str, bytes]:
        files = (path for path in directory.path.rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files}

    before = content()
    assert main(["init", "--data-dir", str(directory.path)]) == os.EX_CANTCREAT
    assert "belongs to an orchestrator already" in capsys.readouterr().err
    assert content() == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sign"],
        ["enrol", "edge-1"],
        ["serve", "--port", "x"],
        ["serve", "--refresh-period", "1w"],
    ],
)
def test_wrong_usage_is_exit_code_64(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == os.EX_USAGE
    assert "usage: puad-orchestrator" in capsys.readouterr().err


def test_help_is_success(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--help"])
    assert caught.value.code == 0
    assert "--release-root" in capsys.readouterr().out


def test_enrol_prints_readable_lines_and_a_token(directory: DataDirectory) -> None:
    arguments = ["enrol", "edge-1", "--guid", GUID.upper(), "--profile", "edge"]
    result = run(*arguments, "--data-dir", str(directory.path))
    assert result.returncode == 0, result.stderr
    *lines, token = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert GUID in result.stdout
    assert token.count(".") == 2
    again = run(*arguments, "--data-dir", str(directory.path))
    assert again.returncode == os.EX_CANTCREAT
    assert "is enrolled already" in again.stderr
    assert "--renew" in again.stderr
    renewed = facts(*arguments, "--renew", "--expires", "1h", "--data-dir", str(directory.path))
    assert renewed["guid"] == GUID
    assert renewed["renewed"] is True
    spoken = run(*arguments, "--renew", "--data-dir", str(directory.path))
    assert "edge-1 has a renewed token" in spoken.stdout


def test_enrol_writes_the_token_where_only_its_owner_reads_it(
    directory: DataDirectory, tmp_path: Path
) -> None:
    file = tmp_path / "edge-1.token"
    file.write_text("what was there before")
    file.chmod(0o644)
    arguments = ["enrol", "edge-1", "--guid", GUID, "--profile", "edge"]
    arguments += ["--data-dir", str(directory.path), "--token-file", str(file)]
    result = run(*arguments)
    assert result.returncode == 0, result.stderr
    token = file.read_text()
    assert token.count(".") == 2
    assert token.endswith("\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token.strip() not in result.stdout
    assert f"in {file};" in result.stdout
    told = facts(*arguments, "--renew")
    assert told["token_file"] == str(file)
    assert "token" not in told
    assert file.read_text() != token
    assert [path.name for path in tmp_path.iterdir() if "token" in path.name] == [file.name]


def test_enrol_with_a_token_file_that_cannot_be_written_enrols_nobody(
    directory: DataDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["enrol", "edge-1", "--guid", GUID, "--profile", "edge"]
    arguments += ["--data-dir", str(directory.path)]
    file = tmp_path / "absent" / "token"
    assert main([*arguments, "--token-file", str(file)]) == os.EX_NOPERM
    assert f"cannot be written to {file}: No such file" in capsys.readouterr().err
    assert main(arguments) == 0


def test_enrol_that_is_refused_leaves_the_token_file_be(
    directory: DataDirectory, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("kept")
    arguments = ["enrol", "edge-1", "--guid", GUID, "--profile", "edge"]
    arguments += ["--data-dir", str(directory.path), "--token-file", str(file)]
    assert main([*arguments, "--renew"]) != 0
    assert file.read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir() if "token" in path.name] == ["token"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["edge-2", "--profile", "edge", "--image-id", "1"], "with name edge-1\n"),
        (["edge-1", "--profile", "other"], "with profile edge\n"),
        (["edge-1", "--profile", "edge", "--image-id", "2"], "with image id 1\n"),
        (["edge-2", "--profile", "other"], "with name edge-1, profile edge\n"),
    ],
)
def test_renew_with_other_facts_is_refused_with_what_is_recorded(
    directory: DataDirectory,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    base = ["--guid", GUID, "--data-dir", str(directory.path)]
    assert main(["enrol", "edge-1", *base, "--profile", "edge", "--image-id", "1"]) == 0
    capsys.readouterr()
    assert main(["enrol", *arguments, *base, "--renew"]) == os.EX_USAGE
    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["edge 1", "--guid", GUID, "--profile", "edge"], "'edge 1'"),
        (["edge-1", "--guid", "nonsense", "--profile", "edge"], "hex digits ('nonsense')\nhint: "),
        (["edge-1", "--guid", GUID, "--profile", "../x"], "'../x'"),
        (["edge-1", "--guid", GUID, "--profile", "edge", "--image-id", "a b"], "'a b'"),
        (["edge-1", "--guid", GUID, "--profile", "edge", "--expires", "99999d"], "ten years"),
        (["edge-1", "--guid", GUID, "--profile", "edge", "--renew"], "no host"),
    ],
)
def test_enrol_with_wrong_facts_says_which(
    directory: DataDirectory,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert main(["enrol", *arguments, "--data-dir", str(directory.path)]) != 0
    assert words in capsys.readouterr().err


def test_error_in_json_is_a_document_and_a_diagnostic(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "--data-dir", str(directory.path), "--json"]) == os.EX_CANTCREAT
    told = capsys.readouterr()
    text = f"{directory.path} belongs to an orchestrator already"
    hint = "Choose another --data-dir; nothing was changed."
    assert told.err == f"puad-orchestrator: {text}\nhint: {hint}\n"
    assert told.out.count("\n") == 1
    assert json.loads(told.out) == {
        "schema": 1,
        "error": {
            "code": "already_exists",
            "text": text,
            "hint": hint,
            "exit_code": os.EX_CANTCREAT,
        },
    }


def test_bug_is_exit_code_70_with_its_trace(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(commands.release, "refresh", stumble)
    assert main(["refresh", "--data-dir", str(directory.path), "--json"]) == os.EX_SOFTWARE
    told = capsys.readouterr()
    assert "Traceback" in told.err
    assert json.loads(told.out)["error"]["code"] == "internal"


@pytest.mark.parametrize("dialect", ["sqlite"], scope="session")
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("databse_url = ''", "Did you mean database_url?"),
        ("[release]\nrefresh_period_s = '1'", "release.refresh_period_s is not a whole number"),
        ("[release]\nrefresh_period_s = 0", "release.refresh_period_s is not positive"),
        ("release = 1", "release is not a table"),
        ("database_url = 5", "database_url is not a text"),
        ("database_url = 'nonsense'", "database_url cannot be used"),
        ("[release]\nurl = 'http://r.example.org'\nroot = 'r'", "release.url http://r.example.org"),
        ("[release]\nurl = 'file:///r/'\nroot = 'r'\nrevision = '1.2'", "'1.2' is no revision"),
        ("[release]\nenabled_profiles = 'edge'", "enabled_profiles is not a list of texts"),
        ("[maintenance]\nsilence_s = 119", "maintenance.silence_s is less than 120"),
        ("[maintenance]\nretention_s = 0", "maintenance.retention_s is not positive"),
        ("[maintenance]\nretention = 1", "Did you mean maintenance.retention_s?"),
        ("= broken", "cannot be read"),
        ("#" * 70_000, "too large"),
    ],
)
def test_wrong_configuration_is_refused_by_name(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str], config: str, words: str
) -> None:
    (directory.path / "orchestrator.toml").write_text(config)
    assert main(["serve", "--data-dir", str(directory.path), "--port", "0"]) == os.EX_CONFIG
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("form", ["u:s3cret@h/d", "u@h/d?password=s3cret"])
def test_init_takes_no_password_that_everybody_can_see(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    url = f"postgresql+psycopg://{form}"
    assert main(["init", "--data-dir", str(tmp_path / "x"), "--database-url", url]) == os.EX_USAGE
    told = capsys.readouterr().err
    assert "~/.pgpass" in told
    assert "s3cret" not in told
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["secret.key", "api.token"])
def test_serve_refuses_a_secret_that_others_may_read(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (directory.path / name).chmod(0o640)
    assert main(["serve", "--data-dir", str(directory.path), "--port", "0"]) == os.EX_CONFIG
    assert "chmod 0600" in capsys.readouterr().err
    (directory.path / name).chmod(0o600)
    (directory.path / name).write_text("")
    assert main(["serve", "--data-dir", str(directory.path), "--port", "0"]) == os.EX_CONFIG
    (directory.path / name).unlink()
    assert main(["serve", "--data-dir", str(directory.path), "--port", "0"]) == os.EX_CONFIG


@pytest.mark.parametrize(
    "command",
    [["init"], ["enrol", "edge-1", "--guid", GUID, "--profile", "edge"], ["serve"], ["refresh"]],
)
def test_command_of_a_stranger_says_whose_it_is(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    directory.path.chmod(0o700)
    os.seteuid(NOBODY)
    try:
        assert main([*command, "--data-dir", str(directory.path)]) == os.EX_CONFIG
    finally:
        os.seteuid(0)
    assert "Run it as the user root." in capsys.readouterr().err


def test_hint_names_the_user_of_the_package_where_the_package_keeps_its_data() -> None:
    refused = PermissionError(errno.EACCES, "Permission denied", f"{STANDARD}/secret.key")
    assert hint_for(refused) == "Run it as the user puad-orchestrator."


def test_hint_names_nobody_when_the_file_is_ours(tmp_path: Path) -> None:
    assert hint_for(PermissionError(errno.EACCES, "Permission denied", str(tmp_path))) == ""


def test_serve_without_init_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--data-dir", str(tmp_path)]) == os.EX_CONFIG
    assert "`init`" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "refresh"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--release-dir", "."], "--release-dir needs --release-root"),
        (["--release-url", "https://r.example.org/"], "--release-url needs --release-root"),
        (
            ["--release-dir", ".", "--release-url", "https://r.example.org/"],
            "--release-dir and --release-url exclude each other",
        ),
        (["--release-url", "http://r.example.org/", "--release-root", "r"], "is not https://"),
        (["--release-url", "r.example.org", "--release-root", "r"], "is not https://"),
        (["--release-url", "https://", "--release-root", "r"], "is not https://"),
        (["--release-url", "ftp://127.0.0.1/", "--release-root", "r"], "is not https://"),
        (["--release-url", "http://[::1/", "--release-root", "r"], "is not https://"),
    ],
)
def test_release_options_that_do_not_fit_are_wrong_usage(
    directory: DataDirectory,
    capsys: pytest.CaptureFixture[str],
    command: str,
    arguments: list[str],
    words: str,
) -> None:
    assert main([command, "--data-dir", str(directory.path), *arguments]) == os.EX_USAGE
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--plain-http", "--host", "0.0.0.0"], "only on the loopback address"),
        (["--plain-http", "--host", "localhost.example.org"], "only on the loopback address"),
        (["--plain-http", "--tls-cert", "x.pem", "--tls-key", "x.pem"], "exclude each other"),
        (["--tls-cert", "x.pem"], "belong together"),
        (["--tls-cert", "x.pem", "--tls-key", "x.pem"], "No such file or directory (x.pem)"),
        (["--tls-cert", "/etc/passwd", "--tls-key", "y.pem"], "No such file or directory (y.pem)"),
        (["--tls-cert", "/etc/passwd", "--tls-key", "/etc/passwd"], "(/etc/passwd, /etc/passwd)"),
        (["--release-dir", "/nowhere"], "/nowhere is no folder"),
    ],
)
def test_serve_refuses_what_it_cannot_serve_safely(
    directory: DataDirectory,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    base = ["serve", "--data-dir", str(directory.path), "--port", "0"]
    assert main([*base, *arguments]) != 0
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("host", "is_dual"), [("::", True), ("::1", False), ("127.0.0.1", False)])
def test_serve_on_every_address_takes_ipv4_as_well(
    monkeypatch: pytest.MonkeyPatch, host: str, is_dual: bool
) -> None:
    asked: list[bool] = []

    def create_server(_address: object, *, dualstack_ipv6: bool, **_others: object) -> None:
        asked.append(dualstack_ipv6)  # nothing here may listen beyond the loopback address

    monkeypatch.setattr(socket, "create_server", create_server)
    server._bind(Endpoint(host, 0))
    assert asked == [is_dual]


def test_serve_on_a_taken_port_says_so(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status = main(["serve", "--data-dir", str(directory.path), "--port", port])
    assert status == os.EX_UNAVAILABLE
    assert f"port {port}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "why", "hint"),
    [
        (OSError(errno.EADDRINUSE, "in use (while attempting to bind)"), "in use", "--port 0"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied", "from 1024 on"),
        (OSError(errno.EADDRNOTAVAIL, "no"), "Cannot assign requested", "address of this machine"),
        (OSError(-2, "Name not known (while attempting to bind)"), "Name not known", "or a name"),
    ],
)
def test_address_that_cannot_be_listened_at_says_why_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, error: OSError, why: str, hint: str
) -> None:
    def create_server(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(socket, "create_server", create_server)
    with pytest.raises(OrchestratorError) as caught:
        server._bind(Endpoint("192.0.2.1", 443))
    assert str(caught.value).startswith("cannot listen on 192.0.2.1, port 443: ")
    assert why in str(caught.value)
    assert "while attempting" not in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("dialect", ["sqlite"], scope="session")
def test_serve_on_a_damaged_database_says_so(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in directory.path.glob("orchestrator.db*"):
        file.write_bytes(b"no database" * 1000)
    status = main(["serve", "--data-dir", str(directory.path), "--port", "0"])
    assert status == os.EX_UNAVAILABLE
    assert "the database does not answer" in capsys.readouterr().err


def test_restart_keeps_every_record(directory: DataDirectory) -> None:
    with serving(directory) as orchestrator:
        node = orchestrator.enrol("edge")
        orchestrator.publish("edge", "1.0", "2.0")
        node.link(orchestrator.policy("LATEST"))
        node.poll("DOWNLOADING")
        paths = ("compute/hosts", "os_update_run", "os_update_policy")
        before = [orchestrator.get(path) for path in paths]
    with serving(directory) as again:
        assert [again.get(path) for path in paths] == before
        response = again.call({"hostGuid": node.guid, "updateStatus": {}}, node.token)
        assert response.json()["osProfileUpdateSource"]["osImageId"] == "2.0"


def test_times_of_the_maintenance_manager_are_configured(directory: DataDirectory) -> None:
    """The retention shows by itself; the silence stands beside it and would take two minutes."""
    url = directory.settings().database_url
    assert directory.settings().maintenance == MaintenanceSettings(3600, 30 * 86_400, 10)
    times = ("silence_s = 120", "retention_s = 86400", "sweep_period_s = 1")
    configure(directory, "[maintenance]", *times)
    assert directory.settings().maintenance == MaintenanceSettings(120, 86_400, 1)
    with closing(Database(url)) as database:
        node_id = commands.enrol(directory, CANDIDATE, 3600, renew=False)["instance_id"]
        ended = [int(time.time()) - days * 86_400 - 60 for days in (2, 1, 0)]
        with database.writing() as session:
            project_uuid = session.get_one(Instance, node_id).project_uuid
            session.add_all(
                UpdateRun(
                    project_uuid=project_uuid, instance_id=node_id, number=number, name="n",
                    description="d", status="Update failed", status_indicator=Indication.ERROR,
                    status_s=end_s, start_s=end_s, end_s=end_s,
                )
                for number, end_s in enumerate(ended, start=1)
            )  # fmt: skip

        def numbers() -> list[int]:
            with database.reading() as session:
                return sorted(session.scalars(select(UpdateRun.number)))

        with serving(directory):
            wait_until(lambda: numbers() == [3], "runs that are older than a day are gone")


def test_lost_database_is_not_ready_and_no_reason_for_a_restart(directory: DataDirectory) -> None:
    def status(path: str) -> int:
        return orchestrator.session.get(orchestrator.url + path, timeout=60).status_code

    with serving(directory) as orchestrator:
        assert (status("healthz"), status("readyz")) == (200, 200)
        with orchestrator.database.writing() as session:
            session.connection().exec_driver_sql("ALTER TABLE alembic_version RENAME TO lost")
        assert (status("healthz"), status("readyz")) == (200, 503)
        with orchestrator.database.writing() as session:
            session.connection().exec_driver_sql("ALTER TABLE lost RENAME TO alembic_version")
        assert (status("healthz"), status("readyz")) == (200, 200)


def test_log_holds_no_secret(directory: DataDirectory) -> None:
    with serving(directory) as orchestrator:
        node = orchestrator.enrol("edge")
        node.poll("UP_TO_DATE", os_image_id="1.0")
        orchestrator.call({}, "not." + node.token)
        orchestrator.rest("GET", "nothing")
    log = (directory.path / "server.log").read_text()
    for secret in (directory.api_token(), directory.secret_key(), node.token):
        assert secret not in log


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file


def handshake(orchestrator: Orchestrator, cert: Path, version: ssl.TLSVersion) -> str | None:
    context = ssl.create_default_context(cafile=str(cert))
    context.maximum_version = version
    port = int(orchestrator.url.rsplit(":", 1)[1].rstrip("/"))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.version()


def test_tls_is_1_3_by_default_and_1_2_by_option(
    directory: DataDirectory, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    tls = ["--tls-cert", str(cert), "--tls-key", str(key), "--host", "localhost"]
    with serving(directory, *tls, verify=str(cert)) as orchestrator:
        assert orchestrator.url.startswith("https://")
        assert handshake(orchestrator, cert, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
        with pytest.raises(ssl.SSLError):
            handshake(orchestrator, cert, ssl.TLSVersion.TLSv1_2)
    with serving(directory, *tls, "--tls-min", "1.2", verify=str(cert)) as orchestrator:
        assert handshake(orchestrator, cert, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"


# --- the release service's files


@pytest.fixture(scope="module")
def content() -> bytes:
    return bytes(range(256)) * 1000


@pytest.fixture(scope="module")
def release_url(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> Any:
    base = tmp_path_factory.mktemp("release")
    (base / "files" / "targets").mkdir(parents=True)
    (base / "files" / "targets" / "image.raw.zst").write_bytes(content)
    for name in ("page.html", "icon.svg", "script.js", "text.xml"):
        (base / "files" / "targets" / name).write_text("<script>alert(document.domain)</script>")
    (base / "files" / "unpublished").mkdir()
    (base / "files" / "unpublished" / "state").write_text("secret")
    (base / "files-secret").write_text("secret")
    (base / "files" / "targets" / "link").symlink_to(base / "files-secret")
    directory = new_directory(base / "data")
    trust = ("--release-root", str(base / "absent.json"))
    with serving(directory, "--release-dir", str(base / "files"), *trust) as orchestrator:
        yield orchestrator.url + "release/"


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=1000-70000", 1000, 70_000),
        ("bytes=255999-", 255_999, 255_999),
        ("bytes=255000-999999999", 255_000, 255_999),
        ("bytes=-10", 255_990, 255_999),
        ("bytes=-999999999", 0, 255_999),
    ],
)
def test_release_file_gives_a_single_range_exactly(
    release_url: str, content: bytes, wanted: str, first: int, last: int
) -> None:
    response = requests.get(
        release_url + "targets/image.raw.zst",
        headers={"Range": wanted, "Accept-Encoding": "identity"},
        timeout=60,
    )
    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes {first}-{last}/{len(content)}"
    assert response.headers["content-length"] == str(last - first + 1)
    assert response.content == content[first : last + 1]


def test_release_file_without_range_is_whole(release_url: str, content: bytes) -> None:
    response = requests.get(release_url + "targets/image.raw.zst", timeout=60)
    assert (response.status_code, response.content) == (200, content)
    assert response.headers["accept-ranges"] == "bytes"
    head = requests.head(release_url + "targets/image.raw.zst", timeout=60)
    assert head.headers["content-length"] == str(len(content))


@pytest.mark.parametrize("name", ["page.html", "icon.svg", "script.js", "text.xml"])
@pytest.mark.parametrize("wanted", ["", "bytes=0-"])
def test_release_file_is_no_page_and_no_script_of_this_server(
    release_url: str, name: str, wanted: str
) -> None:
    headers = {"Range": wanted} if wanted else {}
    response = requests.get(f"{release_url}targets/{name}", headers=headers, timeout=60)
    assert response.ok
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].endswith("; sandbox")


@pytest.mark.parametrize("path", ["release/targets/image.raw.zst", "static/style.css"])
def test_file_of_which_several_ranges_are_wanted_is_given_whole(
    release_url: str, path: str
) -> None:
    """Starlette 0.46, which Debian 13 has, gets their lengths wrong and breaks off."""
    url = release_url.removesuffix("release/") + path
    whole = requests.get(url, timeout=60)
    response = requests.get(url, headers={"Range": "bytes=0-1,4-5"}, timeout=60)
    assert (response.status_code, response.content) == (200, whole.content)


@pytest.mark.parametrize("wanted", ["bytes=256000-", "bytes=256000-256001"])
def test_release_file_refuses_a_range_past_its_end(
    release_url: str, content: bytes, wanted: str
) -> None:
    response = requests.get(
        release_url + "targets/image.raw.zst", headers={"Range": wanted}, timeout=60
    )
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(content)}"


@pytest.mark.parametrize(
    "path",
    [
        "absent",
        "targets/",
        "",
        "../data/secret.key",
        "targets/%2e%2e/unpublished/state",
        "targets/link",
        "unpublished/state",
    ],
)
def test_release_service_gives_nothing_else(release_url: str, path: str) -> None:
    request = requests.Request("GET", release_url).prepare()
    request.url = release_url + path
    with requests.Session() as session:
        response = session.send(request, timeout=60)
    assert response.status_code in (401, 404, 405)
    assert b"secret" not in response.content
