"""Which family a test vector belongs to, told by its content and never by a file's name.

The formats are those of test-vectors.md in github.com/mlswg/mls-implementations.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["FAMILIES", "UNKNOWN", "Batch", "Vector", "batches", "family_of"]

Vector = dict[str, Any]

UNKNOWN = "unknown"

FAMILIES: Mapping[str, frozenset[str]] = {
    name: frozenset(keys.split())
    for name, keys in {
        "tree-math": "n_leaves n_nodes root left right parent sibling",
        "crypto-basics": "cipher_suite ref_hash expand_with_label derive_secret derive_tree_secret"
        " sign_with_label encrypt_with_label",
        "secret-tree": "cipher_suite sender_data encryption_secret leaves",
        "message-protection": "cipher_suite group_id epoch tree_hash confirmed_transcript_hash signature_priv"
        " signature_pub encryption_secret sender_data_secret membership_key proposal"
        " proposal_pub proposal_priv commit commit_pub commit_priv application"
        " application_priv",
        "key-schedule": "cipher_suite group_id initial_init_secret epochs",
        "psk-secret": "cipher_suite psks psk_secret",
        "transcript-hashes": "cipher_suite confirmation_key authenticated_content"
        " interim_transcript_hash_before confirmed_transcript_hash_after interim_transcript_hash_after",
        "welcome": "cipher_suite init_priv signer_pub key_package welcome",
        "tree-operations": "cipher_suite tree_before proposal proposal_sender tree_hash_before tree_after"
        " tree_hash_after",
        "tree-validation": "cipher_suite tree group_id resolutions tree_hashes",
        "treekem": "cipher_suite group_id epoch confirmed_transcript_hash ratchet_tree leaves_private update_paths",
        "messages": "mls_welcome mls_group_info mls_key_package ratchet_tree group_secrets add_proposal"
        " update_proposal remove_proposal pre_shared_key_proposal re_init_proposal"
        " external_init_proposal group_context_extensions_proposal commit"
        " public_message_application public_message_proposal public_message_commit"
        " private_message",
        "passive-client": "cipher_suite external_psks key_package signature_priv encryption_priv init_priv"
        " welcome initial_epoch_authenticator epochs",
        "deserialization": "vlbytes_header length",
    }.items()
}
"""Family to the fields that all of its vectors have."""


@dataclass
class Batch:
    """Vectors of one file, family and suite; `problem` says why a file could not be read as vectors."""

    path: Path
    family: str
    suite: int | None
    vectors: list[tuple[int, Vector]] = field(default_factory=list)
    problem: str | None = None

    @property
    def suite_name(self) -> str:
        """How the summary calls the suite."""
        return "any suite" if self.suite is None else f"suite {self.suite:#06x}"


def family_of(vector: object) -> str:
    """The family whose fields `vector` has; UNKNOWN unless exactly one fits."""
    if not isinstance(vector, dict):
        return UNKNOWN
    fitting = [name for name, fields in FAMILIES.items() if fields <= vector.keys()]
    return fitting[0] if len(fitting) == 1 else UNKNOWN


def batches(paths: Iterable[Path]) -> list[Batch]:
    """Every vector of every file, in batches; whatever is not a vector becomes a batch of family UNKNOWN."""
    return [batch for path in paths for batch in _of_file(path)]


def _of_file(path: Path) -> list[Batch]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        return [Batch(path, UNKNOWN, None, problem=f"not JSON: {error}")]
    vectors = content if isinstance(content, list) else [content]
    if not vectors:
        return [Batch(path, UNKNOWN, None, problem="an empty array")]
    found: dict[tuple[str, int | None], Batch] = {}
    for index, vector in enumerate(vectors):
        family = family_of(vector)
        suite = vector.get("cipher_suite") if isinstance(vector, dict) else None
        batch = found.setdefault((family, suite), Batch(path, family, suite))
        if family == UNKNOWN:
            fields = sorted(vector) if isinstance(vector, dict) else type(vector).__name__
            batch.problem = f"entry {index} is of no known family: {fields}"
        batch.vectors.append((index, vector))
    return list(found.values())
