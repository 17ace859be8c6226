"""From what is to be sent to the channel that it goes by, with the secrets that this needs."""

from __future__ import annotations

from collections.abc import Mapping

from qtasks.alerts.mail import mail, send_mail
from qtasks.alerts.message import payload
from qtasks.alerts.webhook import Message, key_of, post
from qtasks.config import Config, Smtp
from qtasks.errors import InvalidInput, QTasksError, Unavailable
from qtasks.secrets import read_secret
from qtasks.settings import Settings
from qtasks.store.alerts import Channel
from qtasks.store.deliveries import Delivery


def send(delivery: Delivery, settings: Settings, config: Config, *, seconds: float) -> None:
    """Send an alert to its target, in about `seconds` at most. What fails halfway may have been sent: the same again
    has the same id.

    Raises Unavailable (`AlertNotSent`) for what may heal, by itself or by an operator; InvalidInput or Forbidden
    (`AlertRefused`) for what does not. No error holds a secret.
    """
    if delivery.target is None:
        raise InvalidInput("The budget has no address for it any more.", reason="AlertRefused")
    if delivery.channel is Channel.EMAIL:
        _send_mail(delivery, delivery.target, settings, config.alerts.smtp, seconds)
    else:
        key = signing_key(delivery.alert.namespace, settings, config)
        hosts, http = settings.source_hosts, settings.source_http
        message = Message(delivery.alert.id, payload(delivery.alert))
        post(message, delivery.target, key=key, hosts=hosts, http=http, seconds=seconds)


def _send_mail(delivery: Delivery, to: str, settings: Settings, smtp: Smtp | None, seconds: float) -> None:
    if smtp is None:
        raise Unavailable(
            "No mail server is configured.", reason="AlertNotSent", hint="Name one in QTASKS_CONFIG, alerts.smtp."
        )
    message = mail(delivery.alert, sender=smtp.sender, to=to)
    credentials: Mapping[str, str] = {}
    if smtp.credentials is not None:
        secret = smtp.credentials.secret_ref
        what = "The credentials of the mail server"
        credentials = _values(settings, secret.namespace, secret.name, ("username", "password"), what)
    send_mail(message, smtp, credentials, seconds=seconds)


def signing_key(namespace: str, settings: Settings, config: Config) -> bytes | None:
    """What signs the webhooks of a namespace; None where they go unsigned. Raises Unavailable (`AlertNotSent`)."""
    if config.alerts.webhooks is None:
        return None
    what = "The key that signs webhooks"
    values = _values(settings, namespace, config.alerts.webhooks.signing_secret, ("key",), what)
    try:
        return key_of(values["key"])
    except ValueError:
        hint = "It is a text of your own, or whsec_ and Base64."
        raise Unavailable(f"{what} cannot be used.", reason="AlertNotSent", hint=hint) from None


def _values(settings: Settings, namespace: str, name: str, keys: tuple[str, ...], what: str) -> Mapping[str, str]:
    try:
        values = read_secret(settings, namespace=namespace, name=name).values
    except QTasksError as error:
        raise Unavailable(f"{what} cannot be read.", reason="AlertNotSent", hint=str(error)) from None
    missing = [key for key in keys if not values.get(key)]
    if missing:
        hint = f"Secret {namespace}/{name} has no {' and no '.join(missing)}."
        raise Unavailable(f"{what} cannot be read.", reason="AlertNotSent", hint=hint)
    return values
