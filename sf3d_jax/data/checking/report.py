"""The result of a check: findings, the best explanation first."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Finding:
    """One fault found in a sample.

    Attributes:
      name: kind of fault, a fixed word such as `flow_sign`.
      message: what was observed, in one sentence.
      measured: measured numbers, by name.
      explanation: likely cause, and thus what to change; empty if there is none.
      confidence: 0..1; for an explanation, the share of the disagreement that it removes.
      alternatives: names of other faults that explain it about as well.
    """

    name: str
    message: str
    measured: dict[str, float] = dataclasses.field(default_factory=dict)
    explanation: str = ""
    confidence: float = 1.0
    alternatives: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Converts the finding for `json.dumps`.

        Returns:
          Plain Python objects.
        """
        return {
            "name": self.name,
            "message": self.message,
            "measured": {name: float(x) for name, x in self.measured.items()},
            "explanation": self.explanation,
            "confidence": round(float(self.confidence), 4),
            "alternatives": list(self.alternatives),
        }

    def __str__(self) -> str:
        """Formats the finding as a few lines of text."""
        numbers = ", ".join(f"{name} {x:.4g}" for name, x in self.measured.items())
        lines = [f"{self.name} ({self.confidence:.0%} sure): {self.message}"]
        if self.explanation:
            lines.append(f"    likely cause: {self.explanation}")
        if self.alternatives:
            lines.append(f"    other possible causes: {', '.join(self.alternatives)}")
        if numbers:
            lines.append(f"    measured: {numbers}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Report:
    """Result of checking one sample.

    Attributes:
      findings: faults, the best explanation first; empty if none was found.
      measured: how far the parts of the sample disagree, by kind of evidence; kinds that could
        not be measured are left out.
      name: name of the sample, if it has one.
    """

    findings: tuple[Finding, ...] = ()
    measured: dict[str, float] = dataclasses.field(default_factory=dict)
    name: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Converts the report for `json.dumps`.

        Returns:
          Plain Python objects.
        """
        return {
            "name": self.name,
            "ok": self.ok,
            "findings": [finding.to_json() for finding in self.findings],
            "measured": {name: float(x) for name, x in self.measured.items()},
        }

    def __str__(self) -> str:
        """Formats the report as text, finding by finding."""
        head = self.name or "the sample"
        if self.ok:
            seen = ", ".join(f"{name} {x:.3g}" for name, x in self.measured.items())
            return f"{head}: nothing wrong was found ({seen or 'nothing could be compared'})"
        lines = [line for finding in self.findings for line in str(finding).splitlines()]
        return "\n".join([f"{head}:", *(f"  {line}" for line in lines)])
