"""The way back for a store that must not go on where it was: restored from a backup, copied, or rolled back.

Its MLS keys may have been used by the store's own future, so nothing is sent with the old leaves: the device takes a
new store id, a fresh device key with a higher certificate serial, and asks every room to be added again.
"""

from secure_chat.client.engine import spaces
from secure_chat.client.engine.device import Device
from secure_chat.client.engine.effects import PutRow, Write
from secure_chat.client.engine.own_chain import retire
from secure_chat.client.engine.spaces import Phase, Profile, Room, forget_encryption
from secure_chat.client.engine.state import State
from secure_chat.wire.limits import STORE_ID_LENGTH

__all__ = ["lose", "mark_restored", "start_over"]


def mark_restored(profile_row: bytes) -> list[Write]:
    """What a restored backup has written into it before the engine opens it (the row `profile` of space `profile`)."""
    profile = spaces.decode(Profile, profile_row)
    profile.restored = True
    return [PutRow(spaces.PROFILE, b"profile", spaces.encode(profile))]


def start_over(state: State, device: Device) -> None:
    """Before login: a new store id and device key; every room is to be joined again."""
    profile = state.profile
    profile.store = state.random.randbytes(STORE_ID_LENGTH)
    state.reset_appends()
    device.renew(fresh_key=True)
    state.delete(spaces.KEY_PACKAGES, None)
    for room in state.rooms.values():
        retire(room, [item for item in state.outbox.values() if item.room == room.channel])
        state.save_pending(room, None)
        if room.next:
            state.drop_group(room, room.next)
            room.next = room.next_at = 0
        if room.phase in (Phase.JOINED, Phase.INVITED):
            lose(state, room, invited=room.phase == Phase.INVITED)
        room.spent = True
        room.owed = []
        state.save(room)
    for item in state.outbox.values():
        forget_encryption(item)
        state.save_outgoing(item)
    profile.restored = False
    state.save_profile()


def lose(state: State, room: Room, *, invited: bool = False) -> None:
    """This device can no longer follow the room: it reads what it can and asks to be added again.

    Who is leaving needs no way back, and leaves all the same.
    """
    if room.phase == Phase.LEAVING:
        room.spent = True
        state.save(room)
        return
    room.phase = Phase.OUT
    room.attempts = room.foundings = 0
    room.undecided = invited or room.undecided
    room.spent = True
    state.save(room)
    state.show(room)
    state.poke(room)
