"""The input: several lines, completion, emoji by name, a guard for pastes."""
