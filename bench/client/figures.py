"""One measured figure, its target, and the table of all."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Figure", "percentile", "table"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit; `at_most` or `at_least` says when it is good enough."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of all values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(figures: Sequence[Figure]) -> str:
    """All figures with their targets as aligned text."""
    width = max(len(figure.name) for figure in figures)
    lines = []
    for figure in figures:
        target = ""
        if figure.target is not None:
            sign = ">=" if figure.at_least else "<="
            target = f"  target {sign} {figure.target:g}  {'ok' if figure.met else 'MISSED'}"
        lines.append(f"{figure.name:<{width}}  {figure.value:>10.1f} {figure.unit:<5}{target}")
    return "\n".join(lines)
