"""Secrets don't print themselves."""

import copy
import pickle

import pytest

from secure_chat.mls.crypto.secret import Secret


@pytest.mark.parametrize("show", [repr, str, format, lambda s: f"{s}", lambda s: f"{s!r:>40}", "{}".format])
def test_a_secret_shows_only_its_length(show) -> None:  # type: ignore[no-untyped-def]
    """No way of printing reveals the bytes."""
    assert "<Secret of 6 bytes>" in show(Secret(b"hidden"))
    assert "hidden" not in show(Secret(b"hidden"))


def test_a_secret_compares_by_content() -> None:
    """Equality is that of bytes, and stays usable in sets."""
    assert Secret(b"a") == b"a"
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != Secret(b"ab")
    assert Secret(b"a") != "a"
    assert len({Secret(b"a"), Secret(b"a")}) == 1


def test_a_secret_cannot_be_pickled() -> None:
    """Storage goes through code that encrypts."""
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(Secret(b"hidden"))


def test_copies_are_the_secret_itself() -> None:
    """Copying multiplies no secret bytes."""
    secret = Secret(b"hidden")
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret
