"""First contact: fetches the relay's CA and compares it with the pin of the invite link.

The handshake is not authenticated, so nothing is said on that connection but "which CA?". What comes back counts only
if the hash of its key is the pin (the link came from a person), and the certificate that the connection itself showed
must be of that CA, for this host, in force. Then the connection ends; every later one requires that CA.
"""

import hmac
from datetime import UTC, datetime
from ipaddress import ip_address

from secure_chat.transport.deadline import Deadline
from secure_chat.transport.errors import (
    CertificateRefused,
    ConnectionLost,
    NotInForce,
    PinMismatch,
    TimedOut,
    WrongAuthority,
    WrongHost,
)
from secure_chat.transport.stream import CONNECT_TIMEOUT, Stream
from secure_chat.transport.tls import unverified_context
from secure_chat.wire.framing import encode_frame
from secure_chat.wire.limits import MAX_HANDSHAKE_FRAME
from secure_chat.wire.messages import CaCertificate, GetCa

__all__ = ["fetch_ca"]


def fetch_ca(host: str, port: int, pin: bytes, now: int, timeout: float = CONNECT_TIMEOUT) -> str:
    """The relay's CA certificate in PEM, for `tls.client_context`; `now` in POSIX seconds.

    Raises PinMismatch, WrongAuthority, WrongHost, NotInForce, ConnectError, HandshakeFailed, ConnectionLost, or
    FrameError where something else than a relay answers.
    """
    deadline = Deadline(timeout)
    stream = Stream(host, port, unverified_context(), timeout=timeout, limit=MAX_HANDSHAKE_FRAME)
    try:
        stream.connect()
        leaf = stream.certificate
        stream.send(encode_frame(GetCa()))
        while not (messages := stream.poll(deadline.remaining())):
            if deadline.expired:
                raise TimedOut(f"{stream.peer} does not answer; is it a secure-chat relay, and the right port?")
    finally:
        stream.close()
    answer = messages[0]
    if not isinstance(answer, CaCertificate):
        raise ConnectionLost(f"{stream.peer} did not say which CA it has; is it a secure-chat relay of this version?")
    return _verified(answer.certificate, leaf, host, stream.peer, pin, now)


def _verified(ca_der: bytes, leaf_der: bytes, host: str, peer: str, pin: bytes, now: int) -> str:
    """The PEM of a CA that fits the pin and has issued the leaf for this host."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

    from secure_chat.certificates import pin as pin_of

    changed = f"the authority of {peer} is not the one of your invite link; somebody may sit in between: ask for help"
    try:
        ca = x509.load_der_x509_certificate(ca_der)
        found = pin_of(ca)
    except (ValueError, UnsupportedAlgorithm):
        raise PinMismatch(changed) from None
    if not hmac.compare_digest(found, pin):
        raise PinMismatch(changed)
    try:
        leaf = x509.load_der_x509_certificate(leaf_der)
        leaf.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise WrongAuthority(
            f"{peer} names the right authority, but its own certificate is of another; "
            "somebody may sit in between: ask the operator, don't go on"
        ) from None
    moment = datetime.fromtimestamp(now, UTC)
    for certificate, name in ((leaf, "certificate"), (ca, "authority")):
        if moment < certificate.not_valid_before_utc:
            raise NotInForce(f"the {name} of {peer} is not valid yet; is this computer's clock right?")
        if moment > certificate.not_valid_after_utc:
            raise NotInForce(f"the {name} of {peer} has expired; the operator renews it")
    subject: x509.GeneralName
    try:
        subject = x509.IPAddress(ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    try:
        # An operator's own CA need not follow the browsers' rules for extensions, only name this host.
        leaf_policy = ExtensionPolicy.permit_all().require_present(
            x509.SubjectAlternativeName, Criticality.AGNOSTIC, None
        )
        policy = PolicyBuilder().store(Store([ca])).time(moment)
        policy = policy.extension_policies(ee_policy=leaf_policy, ca_policy=ExtensionPolicy.webpki_defaults_ca())
        policy.build_server_verifier(subject).verify(leaf, [])
    except VerificationError as error:
        try:
            names = list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        except (x509.ExtensionNotFound, ValueError):
            names = []
        if subject not in names:
            raise WrongHost(
                f"the certificate of {peer} is for another name or address; "
                "use the address of the invite link, or let the operator add this one"
            ) from None
        raise CertificateRefused(f"the certificate of {peer} is not acceptable: {error}") from None
    return ca.public_bytes(Encoding.PEM).decode("ascii")
