"""What reading a secret is, wherever it lies."""

from __future__ import annotations

import pytest

from qtasks.errors import Forbidden, InvalidInput, NotFound
from qtasks.secrets import read_secret
from tests.secrets.conftest import HIDDEN, Place

pytestmark = pytest.mark.system


def test_a_secret_is_read_without_the_newlines_at_its_ends_and_shows_no_value(place: Place) -> None:
    place.put("lab", token=f"{HIDDEN}\n".encode(), tls_crt="é\r\n".encode())
    secret = read_secret(place.settings, namespace="default", name="lab")
    assert secret.values == {"token": HIDDEN, "tls.crt": "é"}
    assert HIDDEN not in repr(secret)


def test_a_secret_may_be_empty(place: Place) -> None:
    place.put("lab")
    assert read_secret(place.settings, namespace="default", name="lab").values == {}


def test_a_secret_of_another_namespace_is_not_there(place: Place) -> None:
    place.put("lab", token=HIDDEN.encode())
    for namespace, name in (("other", "lab"), ("nowhere", "lab"), ("default", "lab2")):
        with pytest.raises(NotFound) as caught:
            read_secret(place.settings, namespace=namespace, name=name)
        assert caught.value.reason == "SecretNotFound"
        assert f"There is no secret {namespace}/{name}." in str(caught.value)


@pytest.mark.parametrize("name", ["..", "../default/lab", "a/b", "", ".", "a..b", "Lab", "a\0b", "lab?watch=true"])
def test_a_name_that_leads_elsewhere_is_refused(place: Place, name: str) -> None:
    place.put("lab", token=HIDDEN.encode())
    for asked in ({"namespace": name, "name": "lab"}, {"namespace": "default", "name": name}):
        with pytest.raises(InvalidInput) as caught:
            read_secret(place.settings, **asked)
        assert caught.value.reason == "InvalidSecret"


def test_a_value_that_is_no_text_is_refused(place: Place) -> None:
    place.put("lab", token=HIDDEN.encode(), password=b"\xff\xfe")
    with pytest.raises(InvalidInput, match="not text") as caught:
        read_secret(place.settings, namespace="default", name="lab")
    assert caught.value.reason == "InvalidSecret"
    assert HIDDEN not in str(caught.value)


def test_a_secret_that_may_not_be_read_is_not_one_that_is_not_there(place: Place) -> None:
    place.put("lab", token=HIDDEN.encode())
    place.forbid()
    with pytest.raises(Forbidden) as caught:
        read_secret(place.settings, namespace="default", name="lab")
    assert caught.value.reason == "SecretNotReadable"
    assert "default/lab" in str(caught.value)
    assert caught.value.hint
