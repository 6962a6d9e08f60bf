"""What is known of sets of pixels, and how two sets are merged."""

from collections.abc import Callable
from typing import TypeAlias

import jax

# Scalar maps; every pixel starts as the set of itself.
State: TypeAlias = tuple[jax.Array, ...]
# The state of one pixel, from its own numbers.
Begin: TypeAlias = Callable[[State], State]
# Merges two sets; a mask says where the second counts.
Merge: TypeAlias = Callable[[State, State, jax.Array], State]
