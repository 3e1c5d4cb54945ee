"""Extensions, capabilities, lifetimes and required capabilities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.mls.credential.credential import BasicCredential
from secure_chat.mls.credential.extensions import (
    MAX_LIFETIME,
    Capabilities,
    Extension,
    ExternalPub,
    ExternalSender,
    ExternalSenders,
    Lifetime,
    RequiredCapabilities,
    check_extension_list,
    external_senders_of,
    find_extension,
    required_capabilities_of,
)
from secure_chat.mls.errors import ValidationError
from secure_chat.mls.registry import CredentialType, ExtensionType, is_grease

types = st.lists(st.integers(0, 0xFFFF), max_size=8).map(tuple)


@given(st.builds(Capabilities, types, types, types, types, types))
def test_capabilities_survive_a_round_trip(capabilities: Capabilities) -> None:
    """With any values, known or not (§13)."""
    assert Capabilities.decode(capabilities.encode()) == capabilities


def test_default_types_are_not_listed() -> None:
    """§7.2: default extension and proposal types must not stand in the lists."""
    capabilities = Capabilities.of([3], extensions=[1, 2, 3, 4, 5, 0xF001], proposals=[1, 7, 0xF002])
    assert capabilities.extensions == (0xF001,)
    assert capabilities.proposals == (0xF002,)
    assert capabilities.versions == (1,)


def test_default_types_are_supported_by_all() -> None:
    """§7.2; credential types have no defaults."""
    capabilities = Capabilities.of([3], credentials=[])
    assert capabilities.supports_extension(ExtensionType.external_senders)
    assert capabilities.supports_proposal(7)
    assert not capabilities.supports_extension(0xF001)
    assert not capabilities.supports_proposal(8)
    assert CredentialType.basic not in capabilities.credentials


@pytest.mark.parametrize("choice", [0, 0xFFFF, 0x1234])
def test_grease_adds_one_unknown_value_to_each_list(choice: int) -> None:
    """§13.5; what was there stays."""
    plain = Capabilities.of([3], extensions=[0xF001])
    greased = plain.with_grease(choice)
    for before, after in (
        (plain.cipher_suites, greased.cipher_suites),
        (plain.extensions, greased.extensions),
        (plain.proposals, greased.proposals),
        (plain.credentials, greased.credentials),
    ):
        assert after[:-1] == before
        assert is_grease(after[-1])
    assert greased.versions == plain.versions


def test_extensions_are_found_by_type() -> None:
    """The data, or None."""
    extensions = (Extension(1, b"a"), Extension(0xF001, b""))
    assert find_extension(extensions, 1) == b"a"
    assert find_extension(extensions, 0xF001) == b""
    assert find_extension(extensions, 2) is None


def test_no_extension_type_stands_twice_in_a_list() -> None:
    """§13.4."""
    check_extension_list(())
    check_extension_list((Extension(1, b""), Extension(2, b"")))
    with pytest.raises(ValidationError, match=r"§13\.4"):
        check_extension_list((Extension(1, b"a"), Extension(2, b""), Extension(1, b"b")))


@pytest.mark.parametrize("now", [99, 201])
def test_a_lifetime_excludes_other_times(now: int) -> None:
    """§7.3: before and after."""
    with pytest.raises(ValidationError, match=r"§7\.3"):
        Lifetime(100, 200).check(now)


@pytest.mark.parametrize("now", [100, 150, 200])
def test_a_lifetime_includes_its_ends(now: int) -> None:
    """§7.2: the times between which the leaf is valid."""
    Lifetime(100, 200).check(now)


def test_a_lifetime_has_a_maximum() -> None:
    """§7.2: too long a total is refused."""
    Lifetime(0, MAX_LIFETIME).check(5)
    with pytest.raises(ValidationError, match=r"§7\.2"):
        Lifetime(0, MAX_LIFETIME + 1).check(5)
    with pytest.raises(ValidationError, match="60 seconds"):
        Lifetime(0, 61).check(5, maximum=60)


@pytest.mark.parametrize(
    ("required", "message"),
    [
        (RequiredCapabilities(extension_types=(0xF009,)), "extension type 0xf009"),
        (RequiredCapabilities(proposal_types=(0xF009,)), "proposal type 0xf009"),
        (RequiredCapabilities(credential_types=(2,)), "credential type 0x0002"),
    ],
)
def test_missing_required_capabilities_are_refused(required: RequiredCapabilities, message: str) -> None:
    """§11.1, each kind."""
    with pytest.raises(ValidationError, match=message):
        required.check(Capabilities.of([3], extensions=[0xF001], proposals=[0xF002]))


def test_present_required_capabilities_are_accepted() -> None:
    """Listed ones, and the defaults without being listed (§11.1)."""
    required = RequiredCapabilities((0xF001, 1), (0xF002, 3), (1,))
    required.check(Capabilities.of([3], extensions=[0xF001], proposals=[0xF002]))


def test_required_capabilities_are_read_from_the_group_context() -> None:
    """Present, absent, malformed."""
    required = RequiredCapabilities((1,), (), (1,))
    assert required_capabilities_of((required.extension(),)) == required
    assert required_capabilities_of(()) is None
    with pytest.raises(ValidationError, match=r"§11\.1"):
        required_capabilities_of((Extension(ExtensionType.required_capabilities, b"\x01"),))


def test_external_senders_are_read_from_the_group_context() -> None:
    """Present, absent, malformed."""
    senders = (ExternalSender(b"key", BasicCredential(b"server")),)
    assert external_senders_of((ExternalSenders(senders).extension(),)) == senders
    assert external_senders_of(()) == ()
    with pytest.raises(ValidationError, match="external_senders"):
        external_senders_of((Extension(ExtensionType.external_senders, b"\x05"),))


def test_an_external_key_is_an_extension() -> None:
    """§12.4.3.2."""
    extension = ExternalPub(b"key").extension()
    assert extension.extension_type == ExtensionType.external_pub
    assert ExternalPub.decode(extension.extension_data).external_pub == b"key"
