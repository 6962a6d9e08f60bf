"""Errors for values and files that are missing."""


class IncompleteError(FileNotFoundError):
    """A data set is there, but of every pair of frames something is missing."""


class MissingArgument(ValueError):
    """The files lack a value that the caller could pass.

    Attributes:
      argument: name of the missing argument.
    """

    def __init__(self, text: str, argument: str) -> None:
        """Stores the text and the name of the argument separately."""
        super().__init__(text, argument)
        self.text, self.argument = text, argument

    def __str__(self) -> str:
        """The text, followed by the argument that would help."""
        return f"{self.text}, or {self.argument}="
