"""Pictures, written by OpenCV and by hand."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from sf3d_jax import data

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
RGB_PNG = cv2.imencode(".png", RGB[..., ::-1])[1].tobytes()


def chunk(kind, content):
    """A chunk of a PNG."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


@pytest.mark.parametrize("ending", ["png", "ppm", "bmp"])
def test_red_comes_first(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    assert cv2.imwrite(str(path), RGB[..., ::-1])
    np.testing.assert_array_equal(data.read_image(path), RGB)


def test_a_ppm_written_by_hand_is_read(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6\n9 6\n255\n" + RGB.tobytes())
    np.testing.assert_array_equal(data.read_image(tmp_path / "a.ppm"), RGB)


def test_grey_becomes_three_channels(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), RGB[..., 0])
    image = data.read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image, np.repeat(RGB[..., :1], 3, -1))


def test_alpha_is_dropped_and_not_applied(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([RGB[..., ::-1], RGB[..., 0]]))
    np.testing.assert_array_equal(data.read_image(tmp_path / "a.png"), RGB)


def jpeg(turned=False):
    smooth = cv2.resize(RGB, (90, 60), interpolation=cv2.INTER_CUBIC)
    content = cv2.imencode(".jpg", smooth[..., ::-1])[1].tobytes()
    if not turned:
        return smooth, content
    # An EXIF block of one entry: orientation (0x0112) is 6, a quarter turn.
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    block = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    return smooth, content[:2] + block + content[2:]


def test_a_jpeg_is_read_and_its_orientation_ignored(tmp_path):
    smooth, content = jpeg(turned=True)
    (tmp_path / "a.jpg").write_bytes(content)
    assert cv2.imread(str(tmp_path / "a.jpg")).shape == (90, 60, 3)  # the tag does its work
    image = data.read_image(tmp_path / "a.jpg")
    assert image.shape == smooth.shape and cv2.absdiff(image, smooth).mean() < 12


def test_sixteen_bits_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "deep.png"), RGB.astype(np.uint16) * 257)
    with pytest.raises(data.FormatError, match=r"deep\.png: expected an 8-bit image, found one of"):
        data.read_image(tmp_path / "deep.png")


def test_a_broken_png_is_refused_without_a_word_of_its_decoder(tmp_path, capfd):
    path = tmp_path / "broken.png"
    noted = RGB_PNG[:33] + chunk(b"tEXt", b"by\0hand") + RGB_PNG[33:]
    damaged = bytearray(RGB_PNG)
    damaged[50] ^= 1
    for content in (*(noted[:n] for n in (8, 20, 40, 60, 100, -12, -1)), bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(
            data.FormatError, match=r"broken\.png: expected a whole PNG, found \d+ b"
        ):
            data.read_image(path)
    assert capfd.readouterr().err == ""
    # Behind the end may stand anything, and what is not the picture may be damaged.
    for content in (noted, noted + b"more", noted.replace(b"hand", b"HAND")):
        path.write_bytes(content)
        np.testing.assert_array_equal(data.read_image(path), RGB)


def test_a_broken_file_is_named(tmp_path):
    png, photo = cv2.imencode(".png", RGB)[1].tobytes(), jpeg()[1]
    thumbnail = photo[:2] + b"\xff\xe1" + struct.pack(">H", len(photo) + 2) + photo + photo[2:]
    path = tmp_path / "broken.png"
    for content in (b"", b"text", png[:-20], photo[: len(photo) // 2], photo[:-2], thumbnail[:-2]):
        path.write_bytes(content)
        with pytest.raises(data.FormatError, match=r"broken\.png: expected a whole"):
            data.read_image(path)
    path.write_bytes(thumbnail)
    assert data.read_image(path).shape == (60, 90, 3)


@pytest.mark.parametrize("image", [RGB, RGB[..., 0], RGB[:, ::2]])
def test_what_we_write_is_what_opencv_reads(tmp_path, image):
    path = tmp_path / "Ünïcode 图.png"
    data.write_image(path, image)
    read = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read[..., ::-1] if image.ndim == 3 else read, image)
    red = image[..., 0] if image.ndim == 3 else image
    np.testing.assert_array_equal(data.read_image(path)[..., 0], red)


@pytest.mark.parametrize(
    "name, image, says",
    [
        ("a.jpg", RGB, r"path: expected an ending of \.png"),
        ("a.png", RGB / 255, "image: expected uint8, got float64"),
        ("a.png", RGB[..., :2], r"image: expected \[H, W, 3\] or \[H, W\], got \[6, 9, 2\]"),
        ("a.png", RGB[:0], r"got \[0, 9, 3\]"),
    ],
)
def test_a_wrong_argument_is_named(tmp_path, name, image, says):
    with pytest.raises(ValueError, match=says):
        data.write_image(tmp_path / name, image)
