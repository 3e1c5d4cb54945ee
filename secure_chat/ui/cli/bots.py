"""rpc."""

import sys

import click

from secure_chat.client.rpc import Session as RpcSession
from secure_chat.ui.cli.session import Session, common_options, pass_session

__all__ = ["rpc"]


@click.command()
@common_options
@pass_session
def rpc(session: Session) -> None:
    """Speak JSON-RPC 2.0 on standard input and output, a message a line (docs/json.md).

    \b
    {"jsonrpc": "2.0", "id": 1, "method": "send", "params": {"room": "#lobby", "text": "hello"}}
    """
    out = sys.stdout.buffer

    def send_line(line: bytes) -> None:
        out.write(line + b"\n")
        out.flush()

    conversation = RpcSession(session.client(wait=False), send_line)
    try:
        for line in sys.stdin.buffer:
            if line.strip() and not conversation.handle_line(line):
                break
    finally:
        conversation.close()
