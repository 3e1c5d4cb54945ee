"""Handles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.identity.errors import HandleError
from secure_chat.identity.handle import require_handle


@pytest.mark.parametrize("handle", ["a", "alice", "a.b_c-d", "0", "x" * 32])
def test_valid_handle_is_returned(handle: str) -> None:
    """What fits the pattern is accepted as it is."""
    assert require_handle(handle) == handle


@pytest.mark.parametrize("handle", ["", "x" * 33, "Alice", "a b", "alice\n", "älice", "а", "#lobby", "a/b", "\u0661"])
def test_invalid_handle_is_refused(handle: str) -> None:
    """Anything else, look-alikes and line ends included, is a HandleError."""
    with pytest.raises(HandleError, match="1 to 32 characters"):
        require_handle(handle)


@given(st.text())
def test_any_text_is_accepted_or_refused_with_the_typed_error(text: str) -> None:
    """No input gives another exception, and what passes is plain ASCII."""
    try:
        handle = require_handle(text)
    except HandleError:
        return
    assert handle.isascii()
    assert 1 <= len(handle) <= 32
