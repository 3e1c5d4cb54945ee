"""The official MLS test vectors: all families, all suites, both directions."""

import traceback
from pathlib import Path

import pytest

from tests.conftest import VECTOR_RESULT
from tests.vectors import crypto, messages, passive, schedule, trees
from tests.vectors.families import FAMILIES, UNKNOWN, Batch, batches, family_of

XWING = Path(__file__).parent / "xwing"

VERIFY = crypto.VERIFY | schedule.VERIFY | trees.VERIFY | messages.VERIFY | passive.VERIFY

SHOWN_FAILURES = 3


def run(batch: Batch, request: pytest.FixtureRequest) -> None:
    """Verify every vector of the batch, report passed/total, and fail if any failed."""
    failures = []
    if batch.problem is not None:
        failures = [batch.problem] * max(1, len(batch.vectors))
    else:
        for index, vector in batch.vectors:
            try:
                VERIFY[batch.family](vector)
            except Exception:
                failures.append(f"entry {index}:\n{traceback.format_exc()}")
    total = max(1, len(batch.vectors))
    result = (batch.family, batch.suite_name, total - len(failures), total)
    request.node.user_properties.append((VECTOR_RESULT, result))
    assert not failures, f"{batch.path}: {len(failures)} of {total} fail\n" + "\n".join(failures[:SHOWN_FAILURES])


def test_official_vectors_pass(official_batch: Batch, request: pytest.FixtureRequest) -> None:
    """Every vector in the folder verifies and regenerates."""
    run(official_batch, request)


@pytest.mark.parametrize(
    "batch",
    batches(sorted(XWING.glob("*/*.json"))),
    ids=lambda batch: f"{batch.path.parent.name}-{batch.path.stem}",
)
def test_own_xwing_vectors_pass(batch: Batch, request: pytest.FixtureRequest) -> None:
    """The project's own vectors for the X-Wing suite verify and regenerate."""
    run(batch, request)


def test_every_family_has_a_verifier() -> None:
    """No family is recognised without being verified."""
    assert VERIFY.keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_family_is_told_by_content(family: str) -> None:
    """A vector with a family's fields belongs to it, also with further fields, and not with one missing."""
    vector = dict.fromkeys(FAMILIES[family])
    assert family_of(vector) == family
    assert family_of(vector | {"comment": ""}) == family
    for name in FAMILIES[family]:
        assert family_of({key: value for key, value in vector.items() if key != name}) != family


@pytest.mark.parametrize("content", [b"", b"[]", b"[1]", b'[{"cipher_suite": 1}]', b"not json", b"[" * 100_000])
def test_file_of_no_family_is_a_problem(content: bytes, tmp_path: Path) -> None:
    """What cannot be recognised is reported, never passed over."""
    path = tmp_path / "file"
    path.write_bytes(content)
    (batch,) = batches([path])
    assert batch.family == UNKNOWN
    assert batch.problem is not None
