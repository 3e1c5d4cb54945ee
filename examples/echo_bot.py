"""A bot that answers every message that names it, or that is sent to it alone, with the same words.

Join once (`secure-chat client LINK --profile bot --name echo --no-passphrase`), then: `python examples/echo_bot.py bot`
"""

import sys

from secure_chat import Client
from secure_chat.client.events import MessageAdded

with Client.open(sys.argv[1]) as client, client.events() as events:
    name = client.status().handle
    for event in events:  # what was written while the bot or the relay was away comes, too, with live=False
        match event:
            case MessageAdded(message, mention=True) if message.kind == "text" and message.sender != name:
                client.send(message.room, message.text, reply_to=message.id)
