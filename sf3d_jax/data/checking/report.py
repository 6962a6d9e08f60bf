"""What a check says: findings, the best explanation first."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
      name: what it is, a fixed word such as `flow_sign`.
      message: what was seen, in a sentence.
      measured: the numbers behind it, by name.
      explanation: what would explain it, and so what to change; empty where nothing does.
      confidence: in 0..1; of an explanation the share of the disagreement that it takes away.
      alternatives: names of what would explain it about as well.
    """

    name: str
    message: str
    measured: dict[str, float] = dataclasses.field(default_factory=dict)
    explanation: str = ""
    confidence: float = 1.0
    alternatives: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding for `json.dumps`.

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
        """The finding as a few lines of text."""
        numbers = ", ".join(f"{name} {x:.4g}" for name, x in self.measured.items())
        lines = [f"{self.name} ({self.confidence:.0%} sure): {self.message}"]
        if self.explanation:
            lines.append(f"    what would explain it: {self.explanation}")
        if self.alternatives:
            lines.append(f"    about as well: {', '.join(self.alternatives)}")
        if numbers:
            lines.append(f"    measured: {numbers}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found in one sample.

    Attributes:
      findings: what is wrong, the best explanation first; empty if nothing is.
      measured: how far the parts of the sample disagree as they are, by the kind of evidence;
        what could not be measured is not there.
      name: of the sample, if it has one.
    """

    findings: tuple[Finding, ...] = ()
    measured: dict[str, float] = dataclasses.field(default_factory=dict)
    name: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """The report for `json.dumps`.

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
        """The report as text, finding by finding."""
        head = self.name or "the sample"
        if self.ok:
            seen = ", ".join(f"{name} {x:.3g}" for name, x in self.measured.items())
            return f"{head}: nothing wrong was found ({seen or 'nothing could be compared'})"
        lines = [line for finding in self.findings for line in str(finding).splitlines()]
        return "\n".join([f"{head}:", *(f"  {line}" for line in lines)])
