"""What the files of a benchmark lack and the caller could say."""


class MissingArgument(ValueError):
    """The files do not say what the caller could say.

    Attributes:
      argument: the name of the argument that is missing.
    """

    def __init__(self, text: str, argument: str) -> None:
        """Keeps the name of the argument apart from what is wrong."""
        super().__init__(text, argument)
        self.text, self.argument = text, argument

    def __str__(self) -> str:
        """What is wrong, and the argument that would help."""
        return f"{self.text}, or {self.argument}="
