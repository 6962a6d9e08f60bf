"""The numbers of arrays, where they are known while Python runs."""

import jax
import numpy as np


def read_known(x: object) -> np.ndarray | None:
    """The numbers of an array on the host, to check them.

    Those of an array on a device are waited for and copied, once.

    Args:
      x: anything.

    Returns:
      The numbers; None for what is not an array, is traced, lies on other machines, too, or where
      a transfer guard speaks against a copy from the device.
    """
    if isinstance(x, np.ndarray):
        return x
    if not isinstance(x, jax.Array) or isinstance(x, jax.core.Tracer):
        return None
    guard = jax.config.jax_transfer_guard_device_to_host  # type: ignore[attr-defined]
    if guard not in (None, "allow") or not x.is_fully_addressable or x.is_deleted():
        return None
    return np.asarray(x)
