"""Registered numbers."""

import pytest

from secure_chat.mls.registry import CredentialType, ExtensionType, ProposalType, WireFormat, grease_value, is_grease

GREASE = [0x0A0A + 0x1010 * i for i in range(15)]


def test_all_fifteen_grease_values_are_known() -> None:
    """§13.5 lists them; 0xFAFA is private use."""
    assert [value for value in range(0x10000) if is_grease(value)] == GREASE


@pytest.mark.parametrize("choice", [0, 14, 15, 2**64])
def test_any_choice_gives_a_grease_value(choice: int) -> None:
    """A random number of any size picks one."""
    assert grease_value(choice) in GREASE


def test_the_numbers_are_the_rfcs() -> None:
    """§17.2 to §17.5."""
    assert [(kind.name, int(kind)) for kind in WireFormat][-1] == ("mls_key_package", 5)
    assert int(ExtensionType.external_senders) == 5
    assert int(ProposalType.group_context_extensions) == 7
    assert (CredentialType.basic, CredentialType.x509) == (1, 2)
