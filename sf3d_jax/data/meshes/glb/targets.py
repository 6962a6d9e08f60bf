"""The names of the morph targets of a .glb, which belong to its meshes or to their primitives."""

from collections import Counter
from collections.abc import Sequence

from sf3d_jax.data.meshes.glb.items import Item

_KEY = "targetNames"


def name_targets(meshes: Sequence[Item]) -> dict[str, list[list[str]]]:
    """Names the targets in each primitive of each mesh.

    Targets of one name are joined. Those without names are numbered; if several meshes have such,
    the name of the mesh stands before the number, or its place if others have the same name.

    Args:
      meshes: meshes of the file.

    Returns:
      The names in each primitive, by the place of the mesh. A primitive may have no targets.

    Raises:
      FormatError: there are more or fewer names than targets, two targets have one name, or
        primitives of one mesh have different numbers of targets without names.
    """
    given = {mesh.where: _find_names(mesh) for mesh in meshes}
    places = {mesh.where: mesh for mesh in meshes}
    unnamed = [places[where] for where, names in given.items() if None in names]
    counts = Counter(mesh.text("name") for mesh in unnamed)
    for mesh in unnamed:
        title = mesh.text("name")
        title = title if title and counts[title] == 1 else mesh.where
        given[mesh.where] = _number(mesh, f"{title}/" if len(unnamed) > 1 else "")
    return {where: [x or [] for x in names] for where, names in given.items()}


def _find_names(mesh: Item) -> list[list[str] | None]:
    """Finds the names in each primitive, None for targets without names.

    They belong to the mesh; some programs write them in each primitive, or in the first.
    """
    primitives = mesh.items("primitives")
    counts = [_count(primitive) for primitive in primitives]
    if not any(counts):
        return [[] for _ in counts]
    common = _read_names(mesh)
    own = [common or (_read_names(x) if n else []) for x, n in zip(primitives, counts, strict=True)]
    common = next(filter(None, own), [])
    found: list[list[str] | None] = []
    for names, count in zip(own, counts, strict=True):
        names = names or common
        if count and names and (len(names) != count or len({*names}) < count):
            listed = f"{', '.join(names)[:150]}"
            raise mesh.refuse(f"extras.{_KEY}", f"{count} different names", listed)
        found.append((names or None) if count else [])
    return found


def _number(mesh: Item, prefix: str) -> list[list[str] | None]:
    """Numbers the targets in each primitive of a mesh that has no names."""
    counts = [_count(primitive) for primitive in mesh.items("primitives")]
    if len({*counts} - {0}) > 1:
        expected = "equally many targets in all primitives, or their names,"
        raise mesh.refuse("", expected, f"{sorted({*counts})}")
    return [[f"{prefix}target {i}" for i in range(count)] for count in counts]


def _read_names(item: Item) -> list[str]:
    return item.item("extras").texts(_KEY) if item.has_object("extras") else []


def _count(primitive: Item) -> int:
    return len(primitive.items("targets"))
