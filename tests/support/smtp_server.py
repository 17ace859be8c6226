"""A mail server on loopback (RFC 5321, STARTTLS, AUTH PLAIN and LOGIN), with faults to order."""

from __future__ import annotations

import base64
import contextlib
import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import trustme

DROP = "drop"
"""A fault: the connection is closed in place of an answer."""
HANG = "hang"
"""A fault: nothing is answered until the server ends."""
DRIP = "drip"
"""A fault: an answer of a letter now and then, that never ends."""


@dataclass
class Received:
    """A message that was taken, and how it came."""

    sender: str
    recipients: list[str]
    data: bytes
    user: str | None
    encrypted: bool

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.data, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass
class SmtpServer:
    """`faults`: what is answered in place of the right answer, by verb; `END` is the end of a message's data. A message
    whose END has the fault `drop` or `hang` is taken, and its sender is not told."""

    authority: trustme.CA | None = None
    implicit_tls: bool = False
    starttls: bool = True
    users: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tls: ssl.SSLContext | None = None
        if self.authority is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority.issue_cert("localhost").configure_cert(self.tls)
        self.ended = threading.Event()
        owner = self

        class Handler(_Session):
            server_state = owner

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> SmtpServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients here break connections off on purpose."""


class _Session(socketserver.BaseRequestHandler):
    server_state: SmtpServer

    def handle(self) -> None:
        state = self.server_state
        self.user: str | None = None
        self.encrypted = False
        self.lines: Any = None
        if state.implicit_tls:
            self._encrypt()
        else:
            self.lines = self.request.makefile("rb")
        with contextlib.suppress(OSError, ConnectionError):
            self._converse()
        self.lines.close()
        self.request.close()

    def _encrypt(self) -> None:
        assert self.server_state.tls is not None
        self.request = self.server_state.tls.wrap_socket(self.request, server_side=True)
        self.lines = self.request.makefile("rb")
        self.encrypted = True

    def _say(self, text: str) -> None:
        self.request.sendall(text.encode() + b"\r\n")

    def _answer(self, verb: str, right: str) -> bool:
        """Whether the right answer was given."""
        fault = self.server_state.faults.get(verb)
        if fault == DROP:
            raise ConnectionError
        if fault == HANG:
            self.server_state.ended.wait(30)
            raise ConnectionError
        while fault == DRIP and not self.server_state.ended.wait(0.05):
            self.request.sendall(b"2")
        self._say(fault or right)
        return fault is None

    def _converse(self) -> None:
        state = self.server_state
        sender, recipients = "", list[str]()
        self._answer("GREETING", "220 localhost ready")
        while line := self.lines.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            verb = verb.upper()
            state.verbs.append(verb)
            match verb:
                case "EHLO":
                    offers = ["localhost", "8BITMIME"]
                    offers += ["STARTTLS"] if state.tls and state.starttls and not self.encrypted else []
                    offers += ["AUTH PLAIN LOGIN"] if state.users else []
                    for offer in offers[:-1]:
                        self._say(f"250-{offer}")
                    self._answer(verb, f"250 {offers[-1]}")
                case "STARTTLS":
                    if self._answer(verb, "220 go on"):
                        self._encrypt()
                case "AUTH":
                    self._log_in(rest)
                case "MAIL":
                    sender = rest.partition(":")[2].partition(">")[0].strip(" <")
                    if state.users and self.user is None:
                        self._say("530 5.7.0 Authentication required")
                    else:
                        self._answer(verb, "250 ok")
                case "RCPT":
                    if self._answer(verb, "250 ok"):
                        recipients.append(rest.partition(":")[2].strip(" <>"))
                case "DATA":
                    if self._answer(verb, "354 end with a full stop"):
                        self._take(sender, recipients)
                case "QUIT":
                    self._answer(verb, "221 bye")
                    return
                case "RSET":
                    sender, recipients = "", []
                    self._say("250 ok")
                case _:
                    self._say("502 what?")

    def _log_in(self, rest: str) -> None:
        method, _, first = rest.partition(" ")
        if method == "PLAIN":
            _, user, password = base64.b64decode(first).decode().split("\0")
        else:
            user = base64.b64decode(first).decode()
            self._say("334 " + base64.b64encode(b"Password:").decode())
            password = base64.b64decode(self.lines.readline()).decode()
        if self.server_state.users.get(user) != password:
            # Some servers say what they were told, which nobody must repeat.
            self._say(f"535 5.7.8 not you: {user} {password}")
        elif self._answer("AUTH", "235 welcome"):
            self.user = user

    def _take(self, sender: str, recipients: list[str]) -> None:
        data = b""
        while (line := self.lines.readline()) != b".\r\n":
            if not line:
                return
            data += line.removeprefix(b".") if line.startswith(b"..") else line
        fault = self.server_state.faults.get("END")
        if fault in (None, DROP, HANG):
            self.server_state.received.append(Received(sender, recipients, data, self.user, self.encrypted))
        self._answer("END", "250 taken")
