"""How fast the power of a patch of an image falls with the frequency."""

import numpy as np

LONGEST, BANDS, DEGREE = 32, 4, 3


def find_slope(patch):
    """Slope of the power spectrum along rows and columns, in octaves of power per octave.

    A cubic trend of each row and column and Hann's window take out the shading. The power per
    frequency is averaged over all rows and columns, then over octaves of wavelengths from 32 to 2
    pixels; a line is fitted to its logarithms of base 2. It is -2 for power that falls with the
    square of the frequency, as that of edges and of most photographs does.

    Args:
      patch: [n, n], grey, n of 32 or more.

    Returns:
      The slope.
    """
    count = len(patch)
    trend = np.vander(np.linspace(-1, 1, count), DEGREE + 1)
    power = 0
    for lines in (patch, patch.T):
        rest = lines.T - trend @ np.linalg.lstsq(trend, lines.T, rcond=None)[0]
        power = power + np.square(np.abs(np.fft.rfft(rest.T * np.hanning(count)))).mean(0)
    octave = np.floor(np.log2(np.fft.rfftfreq(count)[1:] * LONGEST) + 1e-9).clip(-1, BANDS - 1)
    means = [power[1:][octave == band].mean() for band in range(BANDS)]
    return np.polyfit(np.arange(BANDS), np.log2(means), 1)[0]
