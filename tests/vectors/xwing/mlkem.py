"""ML-KEM-768 encapsulation from given randomness (FIPS 203, algorithms 14, 17 and 20).

`cryptography` encapsulates only with randomness of its own, so reproducible vectors need this. It is slow, not
constant-time, and serves nothing but the generator; that `cryptography` decapsulates what it makes proves it right.
"""

import hashlib
from collections.abc import Sequence

__all__ = ["encapsulate"]

Q = 3329
N = 256
K = 3
ETA = 2
D_U = 10
D_V = 4
POLYNOMIAL_BYTES = 384

Polynomial = list[int]


def _reversed_bits(value: int) -> int:
    return int(f"{value:07b}"[::-1], 2)


ZETAS = [pow(17, _reversed_bits(index), Q) for index in range(128)]
GAMMAS = [pow(17, 2 * _reversed_bits(index) + 1, Q) for index in range(128)]


def encapsulate(encapsulation_key: bytes, message: bytes) -> tuple[bytes, bytes]:
    """The shared secret and its ciphertext, for 32 bytes of randomness."""
    digest = hashlib.sha3_512(message + hashlib.sha3_256(encapsulation_key).digest()).digest()
    return digest[:32], _encrypt(encapsulation_key, message, digest[32:])


def _encrypt(encapsulation_key: bytes, message: bytes, randomness: bytes) -> bytes:
    t_hat = [_decode(encapsulation_key[POLYNOMIAL_BYTES * i : POLYNOMIAL_BYTES * (i + 1)], 12) for i in range(K)]
    rho = encapsulation_key[POLYNOMIAL_BYTES * K :]
    noise = [_centered_binomial(randomness, counter) for counter in range(2 * K + 1)]
    y_hat = [_ntt(polynomial) for polynomial in noise[:K]]
    u = []
    for i in range(K):
        row = [_sample_ntt(rho + bytes([i, j])) for j in range(K)]  # the transpose: row i is column i of A
        u.append(_add(_inverse_ntt(_dot(row, y_hat)), noise[K + i]))
    mu = [bit * ((Q + 1) // 2) for bit in _decode(message, 1)]
    v = _add(_add(_inverse_ntt(_dot(t_hat, y_hat)), noise[2 * K]), mu)
    return b"".join(_encode(_compress(part, D_U), D_U) for part in u) + _encode(_compress(v, D_V), D_V)


def _sample_ntt(seed: bytes) -> Polynomial:
    """Uniform coefficients by rejection (algorithm 7)."""
    stream = hashlib.shake_128(seed).digest(3 * N * 2)
    found: Polynomial = []
    for first, second, third in zip(stream[::3], stream[1::3], stream[2::3], strict=True):
        for candidate in (first | (second & 15) << 8, second >> 4 | third << 4):
            if candidate < Q and len(found) < N:
                found.append(candidate)
    assert len(found) == N
    return found


def _centered_binomial(randomness: bytes, counter: int) -> Polynomial:
    """Small coefficients from SHAKE256 (algorithm 8, η = 2)."""
    stream = int.from_bytes(hashlib.shake_256(randomness + bytes([counter])).digest(64 * ETA), "little")
    bits = [stream >> position & 1 for position in range(512 * ETA)]
    return [(bits[4 * i] + bits[4 * i + 1] - bits[4 * i + 2] - bits[4 * i + 3]) % Q for i in range(N)]


def _ntt(polynomial: Polynomial) -> Polynomial:
    result = list(polynomial)
    zetas = iter(ZETAS[1:])
    length = 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            zeta = next(zetas)
            for j in range(start, start + length):
                product = zeta * result[j + length]
                result[j + length] = (result[j] - product) % Q
                result[j] = (result[j] + product) % Q
        length //= 2
    return result


def _inverse_ntt(polynomial: Polynomial) -> Polynomial:
    result = list(polynomial)
    zetas = iter(reversed(ZETAS[1:]))
    length = 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            zeta = next(zetas)
            for j in range(start, start + length):
                low, high = result[j], result[j + length]
                result[j] = (low + high) % Q
                result[j + length] = zeta * (high - low) % Q
        length *= 2
    return [coefficient * 3303 % Q for coefficient in result]


def _dot(left: Sequence[Polynomial], right: Sequence[Polynomial]) -> Polynomial:
    total = [0] * N
    for one, other in zip(left, right, strict=True):
        total = _add(total, _multiply(one, other))
    return total


def _multiply(left: Polynomial, right: Polynomial) -> Polynomial:
    """Product in the NTT domain: 128 products of linear polynomials (algorithm 11)."""
    result = []
    for i, gamma in enumerate(GAMMAS):
        a0, a1, b0, b1 = left[2 * i], left[2 * i + 1], right[2 * i], right[2 * i + 1]
        result += [(a0 * b0 + a1 * b1 * gamma) % Q, (a0 * b1 + a1 * b0) % Q]
    return result


def _add(left: Polynomial, right: Polynomial) -> Polynomial:
    return [(one + other) % Q for one, other in zip(left, right, strict=True)]


def _compress(polynomial: Polynomial, bits: int) -> Polynomial:
    return [((coefficient << bits) + Q // 2) // Q % (1 << bits) for coefficient in polynomial]


def _encode(polynomial: Polynomial, bits: int) -> bytes:
    number = sum(coefficient << bits * position for position, coefficient in enumerate(polynomial))
    return number.to_bytes(N * bits // 8, "little")


def _decode(data: bytes, bits: int) -> Polynomial:
    number = int.from_bytes(data, "little")
    return [number >> bits * position & ((1 << bits) - 1) for position in range(N)]
