"""Paths that tests write to."""


def made(path):
    """The path, in a folder that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def written(path, content):
    """The path of a new file of these bytes."""
    path.write_bytes(content)
    return path
