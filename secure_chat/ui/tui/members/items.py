"""Members as lines of the list at the right."""

from collections.abc import Iterable

from secure_chat.client.views import MemberView, Trust
from secure_chat.ui.tui.lists import Item, Piece

__all__ = ["member_items"]


def member_items(members: Iterable[MemberView]) -> list[Item]:
    """Who is in the room: online first, then by name; signs are explained by words where there is room."""
    everybody = sorted(members, key=lambda member: (member.invited, not member.online, member.handle))
    inside = [member for member in everybody if not member.invited]
    others = [member for member in everybody if member.trust is not Trust.SELF]
    verified = sum(member.trust is Trust.VERIFIED for member in others)
    count = f"{len(everybody)} {'person' if len(everybody) == 1 else 'people'}"
    items = [Item("", ((count, "dim"),), ((f"{verified} of {len(others)} verified", "dim"),) if others else ())]
    items += [_member(member) for member in inside]
    invited = [member for member in everybody if member.invited]
    if invited:
        items.append(Item("", (("Invited", "dim"),)))
        items += [_member(member) for member in invited]
    return items


def _member(member: MemberView) -> Item:
    left: list[Piece] = [("● " if member.online else "○ ", "good" if member.online else "dim")]
    left.append((member.handle, f"@{member.account}" if member.online else "dim"))
    if member.trust is Trust.VERIFIED:
        left.append((" ✓", "good"))
    right: list[Piece] = []
    if member.trust is Trust.CHANGED:
        right.append((" KEY CHANGED ", "bad-label"))
    elif member.trust is Trust.SELF:
        right.append(("you", "dim"))
    if member.admin:
        right.append((" admin", "accent"))
    return Item(member.handle, tuple(left), tuple(right))
