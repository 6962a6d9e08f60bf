"""Random numbers of a person, the same bits on every machine and with every version of NumPy.

The words of a `SeedSequence` are stable between versions, which a generator's numbers need not be.
"""

import numpy as np

from sf3d_jax.head.person.landmarks import Floats


def draw_shares(seed: int, key: tuple[int, ...], count: int) -> Floats:
    """Draws numbers from 0 to 1 of a stream of a person.

    Args:
      seed: the person, from 0 on.
      key: numbers that tell the stream from all others of the seed.
      count: how many numbers; more of them do not change the first ones.

    Returns:
      (count,), each a multiple of 2^-53 from 0 on and below 1.
    """
    words = np.random.SeedSequence(seed, spawn_key=key).generate_state(count, np.uint64)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
