"""rpc."""

import sys

import click

from secure_chat.client.rpc import Session as RpcSession
from secure_chat.ui.cli.messages import SEND_TIMEOUT
from secure_chat.ui.cli.session import Session, common_options, pass_session

__all__ = ["rpc"]


@click.command()
@common_options
@pass_session
def rpc(session: Session) -> None:
    """Speak JSON-RPC 2.0 on standard input and output, a message a line (docs/json.md).

    \b
    {"jsonrpc": "2.0", "id": 1, "method": "send", "params": {"room": "#lobby", "text": "hello"}}

    When its input ends, it waits up to 10 seconds until what was queued is at the relay.
    """
    out = sys.stdout.buffer

    def send_line(line: bytes) -> None:
        out.write(line + b"\n")
        out.flush()

    client = session.client(wait=False)
    conversation = RpcSession(client, send_line)
    try:
        for line in sys.stdin.buffer:
            if line.strip() and not conversation.handle_line(line):
                break
        else:
            conversation.settle()
            client.wait_until_sent(SEND_TIMEOUT)
    finally:
        conversation.close()
