# SPDX-License-Identifier: Apache-2.0
"""`serve`: nodes and operators, until a signal ends it."""

from __future__ import annotations

import argparse
import logging
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator_stub.access.access import Access
from orchestrator_stub.app import create_app
from orchestrator_stub.commands import release
from orchestrator_stub.commands.command import (
    Verbs,
    add_verb,
    lifetime,
    of_directory,
    open_database,
    project_named,
    tell,
)
from orchestrator_stub.commands.release import ReleaseOptions
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.errors import SettingsError
from orchestrator_stub.maintenance import MaintenanceManager
from orchestrator_stub.observability.logs import LogFormat
from orchestrator_stub.server import Endpoint, Server
from orchestrator_stub.services import Services
from orchestrator_stub.tls.certificates import Certificates
from orchestrator_stub.tls.live import LiveCertificate
from orchestrator_stub.tls.names import parse

_LAST_PORT: Final = 65535
_NO_RELEASES: Final = (
    "no release service is configured, so no OS resources will be found: "
    "give --release-dir or --release-url, and --release-root"
)

log = logging.getLogger(__name__)


def add_to(verbs: Verbs) -> None:
    """Add the verb."""
    verb = add_verb(verbs, "serve", "serve nodes and operators")
    add = verb.add_argument
    text = "address to listen at; :: is every one of the machine (default: %(default)s)"
    add("--host", metavar="HOST", default="127.0.0.1", help=text)
    text = "port (default: %(default)s); 0 takes a free one"
    add("--port", type=_port, metavar="PORT", default=8443, help=text)
    text = "certificate chain, PEM (default: the one that init has made)"
    add("--tls-cert", type=Path, metavar="FILE", help=text)
    add("--tls-key", type=Path, metavar="FILE", help="its key, PEM")
    text = "lowest version of TLS, 1.2 or 1.3 (default: %(default)s)"
    add("--tls-min", choices=("1.2", "1.3"), metavar="VERSION", default="1.3", help=text)
    add("--plain-http", action="store_true", help="no TLS, on the loopback address only")
    text = "log lines as text or as JSON, text or json (default: %(default)s)"
    choices = [str(each) for each in LogFormat]
    add("--log-format", choices=choices, metavar="FORMAT", default="text", help=text)
    release.add_options(verb)
    text = "how often OS profiles are looked for, such as 12h (default: as configured)"
    add("--refresh-period", type=lifetime, metavar="TIME", default=0, help=text)
    verb.set_defaults(command=_serve)


def prepare_server(directory: DataDirectory, endpoint: Endpoint, options: ReleaseOptions) -> Server:
    """A server that listens already and answers once it runs."""
    endpoint.check()
    if options.folder is not None and not options.folder.is_dir():
        raise SettingsError(f"{options.folder} is no folder", hint="Make it with puad-release.")
    key, token = directory.secret_key(), directory.api_token()
    metrics_token = directory.metrics_token()
    certificate = _certificate(directory, endpoint)
    with ExitStack() as undo:
        database = undo.enter_context(open_database(directory))
        database.upgrade()
        with database.reading() as session:
            project_named(session, "")
        manager = release.resource_manager(directory, database, options)
        if manager is None:
            log.warning(_NO_RELEASES)
        maintenance = MaintenanceManager(database, directory.settings().maintenance)
        access = Access(database, token)
        services = Services(database, key, token, maintenance, manager, access=access)
        app = create_app(services, options.folder, metrics_token)
        server = Server(app, endpoint, certificate)
        undo.pop_all()  # from here on the application closes it
        return server


def _certificate(directory: DataDirectory, endpoint: Endpoint) -> LiveCertificate | None:
    """What TLS is served with: the given certificate, or that of the data directory."""
    if endpoint.plain_http:
        return None
    if endpoint.tls_cert is not None:
        return LiveCertificate(endpoint.tls_cert, endpoint.tls_key, endpoint.tls_min)
    names = directory.settings().tls.names
    own = Certificates(directory.tls_folder)
    own.keep(parse(names) if names else None, datetime.now(UTC))
    return LiveCertificate(own.server_file, None, endpoint.tls_min, own.renew_if_due)


def _serve(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    endpoint = Endpoint(
        host=arguments.host,
        port=arguments.port,
        tls_cert=arguments.tls_cert,
        tls_key=arguments.tls_key,
        tls_min=arguments.tls_min,
        plain_http=arguments.plain_http,
    )
    server = prepare_server(directory, endpoint, release.options_of(arguments))
    lines = [f"Listening at {server.url} (Ctrl+C stops)."]
    facts = {"url": server.url}
    if not endpoint.plain_http and endpoint.tls_cert is None:
        facts["ca_file"] = str(Certificates(directory.tls_folder).ca_file)
        lines.append(f"Nodes and browsers trust it by {facts['ca_file']}.")
    makes = f"`puad-orchestrator operator add NAME{of_directory(directory)}` makes one"
    lines.append(f"Operators log in there; {makes}.")
    tell(arguments, facts, *lines)
    server.run()
    return 0


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)
