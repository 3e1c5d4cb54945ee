"""Everything a user can do by one command, said once: the subcommands of the command line and the /commands of the
line mode are both made from this table.

Commands that take several steps (sending and waiting, verifying, joining, paging) are written out by their skins.
"""

from secure_chat.client import commands, queries
from secure_chat.ui.arguments import Action, Kind, Parameter

__all__ = ["ACTIONS"]


def _room(name: str) -> str:
    return name if name.startswith("#") else f"#{name}"


ROOM = Parameter(Kind.ROOM)
NAME = Parameter(Kind.NAME)
PERSON = Parameter(Kind.PERSON)
PEOPLE = Parameter(Kind.PEOPLE)
MESSAGE = Parameter(Kind.MESSAGE)
TEXT = Parameter(Kind.TEXT)
SWITCH = Parameter(Kind.SWITCH)

_TABLE = (
    # rooms
    Action(
        "join-room",
        "Enter an open room, making it if there is none of this name.",
        lambda a: commands.JoinRoom(a.room.removeprefix("#")),
        (NAME,),
        example="'#garden'",
        done="you are in {room}",
    ),
    Action(
        "create",
        "Make a closed room; post-quantum unless --classical.",
        lambda a: commands.CreateRoom(
            a.room.removeprefix("#"),
            suite=3 if "--classical" in a.flags else None,
            members_may_invite="--members-invite" in a.flags,
        ),
        (NAME,),
        flags={
            "--classical": "X25519 and ChaCha20-Poly1305 only, for very large rooms",
            "--members-invite": "members who are no admins may invite, too",
        },
        example="plans",
        done="room {room} is made; next: invite somebody",
    ),
    Action(
        "invite",
        "Invite people into a closed room.",
        lambda a: commands.InvitePeople(a.room, a.people),
        (ROOM, PEOPLE),
        example="'#plans' bob carol",
        done="{people}: invited",
    ),
    Action(
        "accept",
        "Accept an invitation to a closed room.",
        lambda a: commands.AcceptInvitation(_room(a.room)),
        (NAME,),
        example="plans",
        done="you are in {room}",
    ),
    Action(
        "decline",
        "Decline an invitation; the room is told.",
        lambda a: commands.DeclineInvitation(_room(a.room)),
        (NAME,),
        example="plans",
        done="declined {room}",
    ),
    Action(
        "leave",
        "Leave a room; its history stays here.",
        lambda a: commands.LeaveRoom(a.room),
        (ROOM,),
        example="'#plans'",
    ),
    Action(
        "kick",
        "Remove a person from a room (admins).",
        lambda a: commands.Kick(a.room, a.person),
        (ROOM, PERSON),
        example="'#plans' mallory",
        done="{person} is removed",
    ),
    Action(
        "ban",
        "Remove a person from an open room and keep them out (admins).",
        lambda a: commands.Ban(a.room, a.person),
        (ROOM, PERSON),
        example="'#garden' mallory",
        done="{person} is banned",
    ),
    Action(
        "unban",
        "Let a banned person in again (admins).",
        lambda a: commands.Unban(a.room, a.person),
        (ROOM, PERSON),
        example="'#garden' mallory",
        done="{person} may come again",
    ),
    Action(
        "promote",
        "Make a member an admin (admins).",
        lambda a: commands.Promote(a.room, a.person),
        (ROOM, PERSON),
        example="'#plans' bob",
        done="{person} is an admin",
    ),
    Action(
        "demote",
        "Take a member's admin right, never the last one's (admins).",
        lambda a: commands.Demote(a.room, a.person),
        (ROOM, PERSON),
        example="'#plans' bob",
        done="{person} is no admin any more",
    ),
    Action(
        "rename",
        "Give a closed room another name (admins).",
        lambda a: commands.RenameRoom(a.room, a.word.removeprefix("#")),
        (ROOM, Parameter(Kind.WORD, name="NEW-NAME")),
        example="'#plans' holidays",
        done="renamed to #{word}",
    ),
    Action(
        "invite-policy",
        "Whether members who are no admins may invite (admins).",
        lambda a: commands.SetInvitePolicy(a.room, a.switch),
        (ROOM, SWITCH),
        example="'#plans' on",
        done="members who are no admins may invite: {switch}",
    ),
    Action(
        "mute",
        "No notifications and no mention marks from a room.",
        lambda a: commands.Mute(a.room),
        (ROOM,),
        example="'#lobby'",
        done="muted",
    ),
    Action(
        "unmute",
        "Notifications from a room again.",
        lambda a: commands.Unmute(a.room),
        (ROOM,),
        example="'#lobby'",
        done="no longer muted",
    ),
    Action(
        "refresh-keys",
        "Fresh keys for this device in a room, now.",
        lambda a: commands.RefreshKeys(a.room),
        (ROOM,),
        example="'#plans'",
        done="keys refreshed",
    ),
    Action(
        "restart",
        "Re-found a damaged room in the same conversation, without the people named (admins).",
        lambda a: commands.RestartRoom(a.room, a.people),
        (ROOM, Parameter(Kind.PEOPLE, optional=True)),
        example="'#plans' mallory",
        done="the room starts anew",
    ),
    Action(
        "read",
        "Mark everything in a room as read.",
        lambda a: commands.MarkRead(a.room),
        (ROOM,),
        example="'#lobby'",
    ),
    Action("typing", "Tell a room that you are typing.", lambda a: commands.Typing(a.room), (ROOM,), example="bob"),
    # messages
    Action(
        "edit",
        "Replace the text of one of your messages.",
        lambda a: commands.Edit(a.message, a.text),
        (MESSAGE, TEXT),
        example="^1 what I meant",
        own_message=True,
    ),
    Action(
        "delete",
        "Delete one of your messages for everybody (admins: anybody's).",
        lambda a: commands.Delete(a.message),
        (MESSAGE,),
        example="^1",
        own_message=True,
    ),
    Action(
        "react",
        "Put an emoji under a message, or take it back.",
        lambda a: commands.React(a.message, a.word, remove="--remove" in a.flags),
        (MESSAGE, Parameter(Kind.WORD, name="EMOJI")),
        flags={"--remove": "take it back"},
        example="^1 👍",
    ),
    Action(
        "retry",
        "Queue a message again that could not be sent.",
        lambda a: commands.RetryMessage(a.message),
        (MESSAGE,),
        example="^1",
        own_message=True,
        done="queued again",
    ),
    Action(
        "cancel",
        "Drop a message that has not been sent.",
        lambda a: commands.CancelMessage(a.message),
        (MESSAGE,),
        example="^1",
        own_message=True,
        done="dropped",
    ),
    Action("message", "Show one message.", lambda a: queries.GetMessage(a.message), (MESSAGE,), example="^1"),
    # people and trust
    Action(
        "unverify",
        "Take a verification back.",
        lambda a: commands.Unverify(a.person),
        (PERSON,),
        example="bob",
        done="{person} is no longer verified",
    ),
    Action(
        "accept-key",
        "Go on with a person whose account key has changed; it is not verified.",
        lambda a: commands.AcceptKey(a.person, a.word),
        (PERSON, Parameter(Kind.WORD, name="KEY")),
        example="bob 3f2a11c04d5e6f70",
        done="{person}'s new key is used from now on; /verify {person} makes sure of it",
    ),
    Action(
        "block",
        "Show nothing further from a person, and refuse their invitations.",
        lambda a: commands.Block(a.person),
        (PERSON,),
        example="mallory",
        done="{person} is blocked",
    ),
    Action(
        "unblock",
        "Show a person's messages again.",
        lambda a: commands.Unblock(a.person),
        (PERSON,),
        example="mallory",
        done="{person} is no longer blocked",
    ),
    Action("people", "Everybody you have met, and whether verified.", lambda _: queries.GetPeople()),
    Action(
        "code",
        "A room's code: everybody who sees the same one is in the same room.",
        lambda a: queries.GetRoomCode(a.room, a.number),
        (ROOM, Parameter(Kind.NUMBER, optional=True, name="EPOCH")),
        example="'#plans'",
    ),
    # lists
    Action("rooms", "Your conversations, with unread counts.", lambda _: queries.GetRooms()),
    Action(
        "members",
        "Who is in a room, who is online, who is verified.",
        lambda a: queries.GetMembers(a.room),
        (ROOM,),
        example="'#lobby'",
    ),
    Action("invitations", "Invitations that wait for your decision.", lambda _: queries.GetInvitations()),
    Action("open-rooms", "Open rooms at the relay.", lambda _: queries.GetOpenRooms()),
    Action("devices", "The devices of your account.", lambda _: queries.GetDevices()),
    # oneself
    Action("status", "Who you are, the connection, and what waits.", lambda _: queries.GetStatus()),
    Action(
        "recovery-code",
        "The code that makes a new installation a device of your account.",
        lambda _: queries.GetRecoveryCode(),
    ),
    Action(
        "receipts",
        "Whether others learn what you have read.",
        lambda a: commands.SetReadReceipts(a.switch),
        (SWITCH,),
        example="on",
        done="others learn what you have read: {switch}",
    ),
    Action(
        "visible",
        "Whether others learn that you are online; from the next connection on.",
        lambda a: commands.SetVisible(a.switch),
        (SWITCH,),
        example="off",
        done="others learn that you are online: {switch}, from the next connection on",
    ),
    Action(
        "set-address",
        "The relay has moved to another host:port; its authority stays pinned.",
        lambda a: commands.SetAddress(a.word),
        (Parameter(Kind.WORD, name="HOST:PORT"),),
        example="chat.lan:7443",
        done="the relay is at {word} from now on",
    ),
    Action("reconnect", "Try to connect now instead of waiting.", lambda _: commands.Reconnect()),
    Action(
        "revoke-device",
        "Shut another device of your account out of everything.",
        lambda a: commands.RevokeDevice(a.word),
        (Parameter(Kind.WORD, name="DEVICE"),),
        example="5f0c…",
        done="device {word} is shut out",
    ),
)

ACTIONS: dict[str, Action] = {action.name: action for action in _TABLE}
"""By name."""
