"""Counts what a program of XLA:GPU launches and moves, from its optimised HLO.

Launches are kernels, copies and memsets; those in a loop count as often as its trips, or once if
XLA does not know how many. A sort or a matrix product counts as one. Bytes are what kernels read
and write if no cache helps: an operand once, of a slice only the slice, of a gather at most the
whole operand, of a scatter its updates, twice.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

BYTES = {
    **dict.fromkeys(("pred", "s8", "u8"), 1),
    **dict.fromkeys(("s16", "u16", "f16", "bf16"), 2),
    **dict.fromkeys(("s32", "u32", "f32"), 4),
    **dict.fromkeys(("s64", "u64", "f64", "c64"), 8),
}
# What takes no launch: names of buffers and of their parts.
FREE = {
    "parameter",
    "constant",
    "tuple",
    "get-tuple-element",
    "bitcast",
    "after-all",
    "opt-barrier",
}
CONTAINERS = {"while", "conditional", "call", "async-start"}
# The same memory under another name.
RENAMING = {"bitcast", "reshape"}
# Kernels; the host does not wait for those that only start.
FUSIONS = {"fusion", "fusion-start"}

COMMENT = re.compile(r"/\*.*?\*/")
HEAD = re.compile(r"(ENTRY )?%?([\w.\-]+) \(.*\{$")
OPERATION = re.compile(r"\s+(ROOT )?%?([\w.\-]+) = (\([^=]*?\)|\S+) ([\w\-]+)\(([^)]*)\)(.*)$")
SHAPE = re.compile(r"\b([a-z]+\d*)\[([\d,]*)\]")
NAME = re.compile(r"%([\w.\-]+)")
TRIPS = re.compile(r'known_trip_count":\{"n":"(\d+)"')
CALLED = re.compile(
    r"(body|condition|true_computation|false_computation|to_apply|calls)=%?([\w.\-]+)"
)
BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
TARGET = re.compile(r'custom_call_target="([^"]*)"')


class Operation(NamedTuple):
    """One line of HLO.

    Attributes:
      name: of the operation.
      size: bytes of its result.
      kind: such as "fusion".
      operands: names.
      attributes: the rest of the line.
      is_root: whether it is the result of its computation.
    """

    name: str
    size: int
    kind: str
    operands: list[str]
    attributes: str
    is_root: bool


Computation = list[Operation]


class Kernel(NamedTuple):
    """What is launched.

    Attributes:
      name: of the operation, or target of a custom call.
      moved: bytes read and written by one launch.
      times: how often it is launched.
      place: names of the loops around it.
    """

    name: str
    moved: int
    times: int
    place: str


class Loop(NamedTuple):
    """A loop on the host or in a graph.

    Attributes:
      place: names of the loops around it, and its own.
      trips: None if unknown.
      kernels: launched by one trip, other loops' once.
      times: how often it starts.
    """

    place: str
    trips: int | None
    kernels: int
    times: int


class Counts(NamedTuple):
    """What a program launches.

    Attributes:
      kernels: in the order of the program.
      loops: inner ones first.
    """

    kernels: list[Kernel]
    loops: list[Loop]

    @property
    def launches(self) -> int:
        return sum(kernel.times for kernel in self.kernels)

    @property
    def moved(self) -> int:
        """Bytes."""
        return sum(kernel.times * kernel.moved for kernel in self.kernels)


def count(text: str) -> Counts:
    """Counts the launches and bytes of a module.

    Args:
      text: optimised HLO, as `jax.stages.Compiled.as_text` returns it.

    Returns:
      Counts.
    """
    module, entry = parse(text)
    counts = Counts([], [])
    _walk(module, entry, 1, "", counts)
    return counts


def describe_loops(counts: Counts) -> str:
    """Loops as "trips x kernels", with how often they run if more than once."""
    parts = [
        f"{'?' if loop.trips is None else loop.trips}x{loop.kernels}"
        + (f" in {loop.times}" if loop.times > 1 else "")
        for loop in counts.loops
    ]
    return "; ".join(parts) or "-"


def parse(text: str) -> tuple[dict[str, Computation], str]:
    """The computations of a module by name, and the name of the entry."""
    module: dict[str, Computation] = {}
    entry, computation = "", []
    for line in COMMENT.sub("", text).splitlines():
        if head := HEAD.match(line):
            computation = module.setdefault(head[2], [])
            entry = head[2] if head[1] else entry
        elif found := OPERATION.match(line):
            root, name, shape, kind, operands, attributes = found.groups()
            size = sum(
                BYTES.get(dtype, 0) * math.prod(int(n) for n in sizes.split(",") if n)
                for dtype, sizes in SHAPE.findall(shape)
            )
            computation.append(
                Operation(name, size, kind, NAME.findall(operands), attributes, bool(root))
            )
    if not entry:
        raise ValueError("text: expected HLO with an ENTRY computation")
    return module, entry


def _walk(
    module: dict[str, Computation], name: str, times: int, place: str, counts: Counts
) -> None:
    """Adds the kernels and loops of a computation that runs `times` times."""
    for operation in module[name]:
        if operation.kind in CONTAINERS:
            here, first = f"{place}/{operation.name}", len(counts.kernels)
            trips = _find_trips(operation)
            for part in _parts(operation, trips is not None):
                _walk(module, part, times * (trips or 1), here, counts)
            if operation.kind == "while":
                counts.loops.append(Loop(here, trips, len(counts.kernels) - first, times))
        elif operation.kind not in FREE and not operation.kind.endswith("-done"):
            target = TARGET.search(operation.attributes)
            label = target[1] if target else re.sub(r"[.\d]+$", "", operation.name)
            moved = _bytes_moved(operation, module[name], module)
            counts.kernels.append(Kernel(label, moved, times, place))


def _find_trips(operation: Operation) -> int | None:
    found = TRIPS.search(operation.attributes)
    return int(found[1]) if found else None


def _parts(operation: Operation, has_trips: bool) -> list[str]:
    """The computations that it runs; the condition of a loop of known length is not launched."""
    parts = [
        name
        for role, name in CALLED.findall(operation.attributes)
        if not (role == "condition" and has_trips)
    ]
    for branches in BRANCHES.findall(operation.attributes):
        parts += NAME.findall(branches)
    return parts


def _bytes_moved(
    operation: Operation, computation: Computation, module: dict[str, Computation]
) -> int:
    """What one launch reads and writes."""
    inner = next(
        (
            module.get(name)
            for role, name in CALLED.findall(operation.attributes)
            if role == "calls"
        ),
        None,
    )
    if operation.kind not in FUSIONS or not inner:
        return operation.size + sum(x.size for x in computation if x.name in operation.operands)
    reads = sum(min(x.size, sum(_reads(x.name, inner))) for x in inner if x.kind == "parameter")
    return int(reads) + _bytes_written(inner)


def _reads(name: str, fused: Computation) -> Iterator[float]:
    """What each use of a fused value reads of it, bytes; infinite for all of it."""
    for user in fused:
        if name not in user.operands:
            continue
        if user.kind in RENAMING:
            yield from _reads(user.name, fused)
        elif user.operands[0] != name:
            yield math.inf
        elif user.kind in ("slice", "dynamic-slice", "gather"):
            yield user.size
        elif user.kind in ("dynamic-update-slice", "scatter"):
            yield 0
        else:
            yield math.inf


def _bytes_written(fused: Computation) -> int:
    """What a fusion writes; what it updates in place, it reads and writes."""
    by_name = {x.name: x for x in fused}
    root = next(x for x in fused if x.is_root)
    results = [by_name[name] for name in root.operands] if root.kind == "tuple" else [root]
    total = 0
    for result in results:
        while result.kind in RENAMING and result.operands:
            result = by_name[result.operands[0]]
        updates = {"dynamic-update-slice": 1, "scatter": 2}.get(result.kind)
        if updates is None:
            total += result.size
        else:
            total += min(2 * result.size, 2 * by_name[result.operands[updates]].size)
    return total
