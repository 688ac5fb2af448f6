# SPDX-License-Identifier: Apache-2.0
"""Real HTTP and HTTPS servers that may misbehave on the wire, and throw-away CAs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Handler = Callable[[socket.socket, "Request"], None]


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A server that lets a handler write to the wire what it likes."""

    handler: Handler
    context: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    stopped: bool = False

    def __enter__(self) -> Self:
        self.socket = socket.create_server((self.host, 0))
        self.open: list[socket.socket] = []
        self.thread = threading.Thread(target=self._accept)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self.stopped:
            self.stop()

    def stop(self) -> None:
        self.stopped = True
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.thread.join()

    @property
    def url(self) -> str:
        scheme = "https" if self.context else "http"
        return f"{scheme}://{self.host}:{self.socket.getsockname()[1]}"

    def _accept(self) -> None:
        while not self.stopped:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.open.append(connection)
            with suppress(OSError), connection:
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True)
        with connection:
            request = read_request(connection)
            if request is not None:
                self.requests.append(request)
                self.handler(connection, request)
                connection.shutdown(socket.SHUT_RDWR)


class Serve(Protocol):
    """Starts a server that stops with the test."""

    def __call__(self, handler: Handler, context: ssl.SSLContext | None = None) -> Server: ...


def read_request(connection: socket.socket) -> Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(4096)
        if not piece:
            return None
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(4096)
    return Request(first.split(" ")[1], headers, body)


def answer(
    status: str = "200 OK", body: bytes | Mapping[str, object] = b"", **headers: str
) -> Handler:
    """A handler that sends one whole answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if "Content_Length" not in headers:
        lines.append(f"Content-Length: {len(content)}")
    head = "\r\n".join([f"HTTP/1.1 {status}", *lines, "Connection: close", "", ""])

    def send(connection: socket.socket, _: Request) -> None:
        connection.sendall(head.encode("latin-1") + content)

    return send


def silent(release: threading.Event, wait_s: float) -> Handler:
    """A handler that answers nothing until it is released."""

    def wait(_connection: socket.socket, _: Request) -> None:
        release.wait(wait_s)

    return wait


def dripping(first: bytes, piece: bytes, pause_s: float = 0.05) -> Handler:
    """A handler that never ends and never pauses for long."""

    def send(connection: socket.socket, _: Request) -> None:
        connection.sendall(first)
        pause = threading.Event()
        while True:
            connection.sendall(piece)
            pause.wait(pause_s)

    return send


@dataclass(frozen=True)
class Authority:
    """A throw-away CA: its certificate's file, and a way to make server contexts."""

    folder: Path
    name: str

    @property
    def ca_file(self) -> str:
        return str(self.folder / f"{self.name}-ca.pem")

    def context(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if version is not None:
            context.maximum_version = version
        context.load_cert_chain(self.folder / f"{self.name}.pem")
        return context


def make_authority(
    folder: Path, name: str, host: str = "127.0.0.1", *, ahead: dt.timedelta = dt.timedelta(0)
) -> Authority:
    """An authority whose certificates are valid for two days, around a time ahead of now."""
    now = dt.datetime.now(dt.UTC) + ahead
    ca_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} CA")])
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def certificate(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> bytes:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(ca_name)
        builder = builder.public_key(public).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1))
        builder = builder.not_valid_after(now + dt.timedelta(days=1))
        signed = builder.add_extension(extension, critical=False).sign(ca_key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    basic = x509.BasicConstraints(ca=True, path_length=None)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    authority = Authority(folder, name)
    Path(authority.ca_file).write_bytes(certificate(ca_name, ca_key.public_key(), basic))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = certificate(own_name, key.public_key(), alternative)
    (folder / f"{name}.pem").write_bytes(private + chain)
    return authority
