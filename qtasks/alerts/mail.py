"""An alert as an e-mail, handed to the operator's mail server."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from qtasks.alerts.deadline import cut_off, lookup
from qtasks.alerts.message import subject, text
from qtasks.config import Security, Smtp
from qtasks.errors import InvalidInput, Unavailable
from qtasks.store.alerts import Alert

# Of what RFC 5321 allows, what servers agree on: no quotes, no comments, no address in brackets, nothing beyond ASCII.
_LOCAL = r"(?=.{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_DOMAIN = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*"
_ADDRESS = re.compile(rf"{_LOCAL}@{_DOMAIN}")

_SAID = 200


def mail(alert: Alert, *, sender: str, to: str) -> EmailMessage:
    """The message. Its Message-ID and Date are the alert's own: sent again, it is recognised as the same one.

    Raises InvalidInput (`AlertRefused`) for what is not an address.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = _address(sender)
    message["To"] = _address(to)
    message["Subject"] = subject(alert)
    message["Date"] = format_datetime(alert.at)
    message["Message-ID"] = f"<{alert.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text(alert))
    return message


def _address(written: str) -> str:
    if len(written) > 254 or not _ADDRESS.fullmatch(written):
        raise InvalidInput(
            f"{written[:80]!r} is not an e-mail address that alerts can be sent to.",
            reason="AlertRefused",
            hint="Use name@host in plain ASCII, without quotes.",
        )
    return written


def send_mail(message: EmailMessage, smtp: Smtp, credentials: Mapping[str, str], *, seconds: float) -> None:
    """Hand a message to the mail server, which answers for it then.

    `credentials`: username and password; nobody logs in when empty. Raises Unavailable (`AlertNotSent`) for what may
    heal, InvalidInput (`AlertRefused`) when the server takes it from or for nobody. No error holds a credential.
    """
    ends = time.monotonic() + seconds
    try:
        connection = _connect(smtp, ends)
        try:
            assert connection.sock is not None
            with cut_off(connection.sock, ends - time.monotonic()):
                _greet(connection, smtp, credentials)
                connection.send_message(message)
                with suppress(smtplib.SMTPException, OSError):  # it has the message
                    connection.quit()
        finally:
            connection.close()
    except smtplib.SMTPAuthenticationError as error:
        # What the server says may repeat what was sent.
        raise _not_sent(smtp, f"it does not take the user and password (SMTP {error.smtp_code})") from None
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _refused(smtp, code, said) from None
    except smtplib.SMTPDataError as error:
        raise _refused(smtp, error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPResponseException as error:
        # Before it was told for whom the message is: nothing that the operator could not put right.
        raise _not_sent(smtp, f"{type(error).__name__}, SMTP {error.smtp_code}") from None
    except smtplib.SMTPNotSupportedError:
        raise _not_sent(smtp, "it does not offer what it is asked for, STARTTLS or a login") from None
    except smtplib.SMTPException as error:
        raise _not_sent(smtp, f"the exchange broke ({type(error).__name__})") from None
    except ssl.SSLCertVerificationError as error:
        raise _not_sent(smtp, f"its certificate is not trusted: {error.verify_message.rstrip('.')}") from None
    except (OSError, UnicodeError) as error:
        raise _not_sent(smtp, f"it does not answer ({type(error).__name__})") from None


def _connect(smtp: Smtp, ends: float) -> smtplib.SMTP:
    port, name = smtp.effective_port, _own_name()
    lookup(smtp.host, port)  # once more than needed, but with an end: smtplib's own has none
    seconds = max(ends - time.monotonic(), 0.1)
    if smtp.security is Security.TLS:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(smtp.host, port, local_hostname=name, timeout=seconds, context=context)
    return smtplib.SMTP(smtp.host, port, local_hostname=name, timeout=seconds)


def _own_name() -> str:
    """What this machine is called, without asking a name server, as smtplib would."""
    name = socket.gethostname()
    return name if "." in name and re.fullmatch(_DOMAIN, name) else "[127.0.0.1]"


def _greet(connection: smtplib.SMTP, smtp: Smtp, credentials: Mapping[str, str]) -> None:
    if smtp.security is Security.STARTTLS:
        connection.starttls(context=ssl.create_default_context())
    if credentials:
        connection.login(credentials["username"], credentials["password"])


def _refused(smtp: Smtp, code: int, said: bytes | str) -> InvalidInput | Unavailable:
    words = said.decode("ascii", "replace") if isinstance(said, bytes) else said
    shown = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())[:_SAID]
    if 500 <= code < 600:
        return InvalidInput(f"The mail server refuses the alert: {code} {shown}", reason="AlertRefused")
    return _not_sent(smtp, f"{code} {shown}")


def _not_sent(smtp: Smtp, why: str) -> Unavailable:
    return Unavailable(
        f"The mail server {smtp.host}:{smtp.effective_port} cannot be used at present: {why}.", reason="AlertNotSent"
    )
