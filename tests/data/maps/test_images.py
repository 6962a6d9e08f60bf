"""Pictures, written by OpenCV and by hand."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from helpers.png import chunk, write_png

from sf3d_jax import data
from sf3d_jax.data.maps.images import read_mask, write_mask

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
RGB_PNG = cv2.imencode(".png", RGB[..., ::-1])[1].tobytes()


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
    with pytest.raises(data.FormatError, match=r"deep\.png: expected an 8-bit image, found 16"):
        data.read_image(tmp_path / "deep.png")


def test_a_broken_png_is_refused_without_a_word_of_its_decoder(tmp_path, capfd):
    path = tmp_path / "broken.png"
    noted = RGB_PNG[:33] + chunk(b"tEXt", b"by\0hand") + RGB_PNG[33:]
    damaged = bytearray(RGB_PNG)
    damaged[50] ^= 1
    for content in (*(noted[:n] for n in (8, 20, 40, 60, 100, -12, -1)), bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(
            data.FormatError, match=r"broken\.png: expected a complete PNG, found \d+ b"
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
        with pytest.raises(data.FormatError, match=r"broken\.png: expected a complete"):
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
        ("a.gif", RGB, r"path: expected an ending of \.png, \.jpg or \.jpeg"),
        ("a.png", RGB / 255, "image: expected uint8, got float64"),
        ("a.png", RGB[..., :2], r"image: expected \[H, W, 3\] or \[H, W\], got \[6, 9, 2\]"),
        ("a.png", RGB[:0], r"got \[0, 9, 3\]"),
    ],
)
def test_a_wrong_argument_is_named(tmp_path, name, image, says):
    with pytest.raises(ValueError, match=says):
        data.write_image(tmp_path / name, image)


def test_a_jpeg_keeps_its_colours_at_full_resolution(tmp_path):
    # Columns of red and blue in turn: halved in resolution they would be one colour.
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, ::2, 0] = image[:, 1::2, 2] = 200
    for name in ("a.jpg", "a.JPEG"):
        data.write_image(tmp_path / name, image)
        assert (tmp_path / name).read_bytes().startswith(b"\xff\xd8")
        assert cv2.absdiff(data.read_image(tmp_path / name), image).max() < 40
    halved = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    (tmp_path / "b.jpg").write_bytes(halved.tobytes())
    assert cv2.absdiff(data.read_image(tmp_path / "b.jpg"), image).max() > 60


def test_a_grey_jpeg_is_written(tmp_path):
    smooth = jpeg()[0]
    data.write_image(tmp_path / "a.jpg", smooth[..., 0])
    found = cv2.imread(str(tmp_path / "a.jpg"), cv2.IMREAD_UNCHANGED)
    assert found.ndim == 2 and cv2.absdiff(found, smooth[..., 0]).mean() < 4


def test_a_picture_that_is_too_large_for_a_jpeg_is_refused(tmp_path, capfd):
    with pytest.raises(ValueError, match=r"OpenCV cannot write 70000 x 1 pixels as \.jpg"):
        data.write_image(tmp_path / "a.jpg", np.zeros((1, 70_000), np.uint8))
    assert not list(tmp_path.iterdir())


BLOBS = cv2.resize(RGB[..., 0], (90, 60), interpolation=cv2.INTER_CUBIC) > 128


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg"])
def test_a_mask_there_and_back_is_the_same(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    write_mask(path, BLOBS)
    mask = read_mask(path)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, BLOBS)
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found.shape == BLOBS.shape and cv2.absdiff(found, np.uint8(255 * BLOBS)).max() < 20


def test_a_png_of_zeros_and_ones_is_a_mask(tmp_path):
    path = tmp_path / "a.png"
    for picture, expected in (
        (np.uint8([[0, 1, 0]]), [False, True, False]),
        (np.uint8([[0, 0, 0]]), [False, False, False]),
        (np.uint8([[0, 1, 255]]), [False, False, True]),
        (np.uint8([[0, 127, 128]]), [False, False, True]),
        (np.uint8([[127, 128, 255]]), [False, True, True]),
        (np.uint8([[[0, 0, 0], [1, 1, 1], [1, 1, 1]]]), [False, True, True]),
        (np.uint8([[[0, 0, 0], [255, 255, 255], [255, 255, 255]]]), [False, True, True]),
    ):
        cv2.imwrite(str(path), picture)
        np.testing.assert_array_equal(read_mask(path), [expected])


def test_the_noise_of_a_black_jpeg_is_no_mask(tmp_path):
    content = cv2.imencode(".jpg", np.ones((8, 8), np.uint8))[1].tobytes()
    (tmp_path / "a.png").write_bytes(content)  # whatever its name
    assert cv2.imread(str(tmp_path / "a.png"), 0).max() == 1
    assert not read_mask(tmp_path / "a.png").any()


def test_the_threshold_is_the_least_brightness(tmp_path):
    data.write_image(tmp_path / "a.png", np.uint8([[9, 10, 200]]))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png", threshold=10), [[0, 1, 1]])
    for threshold in (0, 256):
        with pytest.raises(ValueError, match="threshold: expected a number from 1 to 255"):
            read_mask(tmp_path / "a.png", threshold=threshold)


def palette(*colours):
    """A PNG of a row of pixels, each with a colour of its own."""
    indices = bytes(range(len(colours)))
    return (
        RGB_PNG[:8]
        + chunk(b"IHDR", struct.pack(">IIBBBBB", len(colours), 1, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", bytes(np.ravel(colours).tolist()))
        + chunk(b"IDAT", zlib.compress(b"\0" + indices))
        + chunk(b"IEND", b"")
    )


def test_a_dark_colour_of_a_palette_counts(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(palette((0, 0, 0), (128, 0, 0), (0, 128, 0), (127, 127, 127)))
    np.testing.assert_array_equal(read_mask(path), [[False, True, True, False]])


def test_a_mask_too_dark_for_its_threshold_is_refused(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.uint8([[0, 1, 2, 38]]))
    says = r"a\.png: expected .*\(or pass threshold=\), found at most 38"
    with pytest.raises(data.FormatError, match=says):
        read_mask(path)
    np.testing.assert_array_equal(read_mask(path, threshold=2), [[False, False, True, True]])
    assert not read_mask(path, threshold=39).any()
    dim = cv2.imencode(".jpg", np.full((8, 8), 38, np.uint8))[1]
    (tmp_path / "a.jpg").write_bytes(dim.tobytes())
    assert not read_mask(tmp_path / "a.jpg").any()


def test_a_mask_in_alpha_is_refused(tmp_path):
    path, white = tmp_path / "a.png", np.full((2, 3, 3), 255, np.uint8)
    cv2.imwrite(str(path), np.dstack([white, np.uint8(255 * np.eye(2, 3))]))
    says = r"a\.png: expected a black and white mask without alpha, found varying"
    with pytest.raises(data.FormatError, match=says):
        read_mask(path)
    # The same alpha everywhere holds nothing.
    white[0] = 0
    cv2.imwrite(str(path), np.dstack([white, np.full((2, 3), 255, np.uint8)]))
    np.testing.assert_array_equal(read_mask(path), [[False] * 3, [True] * 3])


def test_a_deep_or_broken_mask_is_named(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 3), 65535, np.uint16))
    with pytest.raises(data.FormatError, match=r"a\.png: expected an 8-bit image"):
        read_mask(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(RGB_PNG[:-20])
    with pytest.raises(data.FormatError, match=r"b\.png: expected a complete PNG"):
        read_mask(tmp_path / "b.png")


@pytest.mark.parametrize(
    "name, mask, says",
    [
        ("a.gif", BLOBS, r"path: expected an ending of \.png, \.jpg or \.jpeg"),
        ("a.png", np.uint8(BLOBS), r"mask: expected bool \[H, W\], got uint8"),
        ("a.png", BLOBS[None], r"got bool \[1, 60, 90\]"),
        ("a.png", BLOBS[:0], r"got bool \[0, 90\]"),
    ],
)
def test_a_wrong_mask_is_named(tmp_path, name, mask, says):
    with pytest.raises(ValueError, match=says):
        write_mask(tmp_path / name, mask)
    assert not list(tmp_path.iterdir())


def test_a_mask_in_three_channels_is_read(tmp_path):
    path = write_png(
        tmp_path / "a.png", np.repeat(np.uint8(255 * BLOBS)[..., None], 3, -1), filters=(1,)
    )
    np.testing.assert_array_equal(read_mask(path), BLOBS)


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_filter_of_rows_is_undone(tmp_path, number, channels):
    picture = np.dstack([RGB, RGB[..., ::-1]])[..., :channels]
    path = write_png(tmp_path / "a.png", picture.squeeze(), filters=(number,), piece=50)
    expected = RGB if channels > 1 else np.repeat(RGB[..., :1], 3, -1)
    np.testing.assert_array_equal(data.read_image(path), expected)


def test_real_masks_of_others_are_read(real):
    occluded = read_mask(real("crops/0000000-occ_01.png"))
    picture = cv2.imread(str(real("crops/0000000-occ_01.png")), cv2.IMREAD_UNCHANGED)
    assert occluded.shape == picture.shape[:2]
    np.testing.assert_array_equal(occluded, picture.reshape(*occluded.shape, -1)[..., 0] > 0)


def test_a_blank_picture_is_not_taken_for_a_false_claim(tmp_path):
    blank = np.full((3000, 4000), 255, np.uint8)
    for name, options in (
        ("a.png", [cv2.IMWRITE_PNG_COMPRESSION, 9]),
        ("b.png", [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_BILEVEL, 1]),
        ("a.jpg", [cv2.IMWRITE_JPEG_QUALITY, 1, cv2.IMWRITE_JPEG_OPTIMIZE, 1]),
        ("b.jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_OPTIMIZE, 1]),
    ):
        assert cv2.imwrite(str(tmp_path / name), blank, options)
        assert read_mask(tmp_path / name).all()


def test_pictures_of_old_headers_are_read(tmp_path):
    # A bitmap of OS/2 has sides of two bytes each.
    header = struct.pack("<2sIIIIHHHH", b"BM", 26 + 24, 0, 26, 12, 2, 3, 1, 24)
    (tmp_path / "a.bmp").write_bytes(header + bytes(range(24)))
    assert data.read_image(tmp_path / "a.bmp").shape == (3, 2, 3)
    cv2.imwrite(str(tmp_path / "a.tif"), RGB[..., ::-1])
    np.testing.assert_array_equal(data.read_image(tmp_path / "a.tif"), RGB)


def test_brightness_is_the_share_of_the_largest_code(tmp_path):
    codes = np.random.default_rng(0).integers(0, 2**16, (5, 6, 3)).astype(np.uint16)
    for name, picture, most in (
        ("rgb16", codes, 65535),
        ("rgb8", np.uint8(codes >> 8), 255),
        ("grey16", codes[..., 0], 65535),
        ("rgba8", np.uint8(np.dstack([codes, codes[..., 0]]) >> 8), 255),
    ):
        path = tmp_path / f"{name}.png"
        swapped = picture[..., [2, 1, 0, 3][: picture.shape[-1]]] if picture.ndim == 3 else picture
        cv2.imwrite(str(path), swapped)
        rgb = picture[..., :3] if picture.ndim == 3 else np.dstack([picture] * 3)
        got = data.read_unit_image(path)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, rgb / most, atol=1e-7)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(data.FormatError, match="broken"):
        data.read_unit_image(tmp_path / "broken.png")


@pytest.mark.parametrize("format", ["kitti", "tartanair"])
def test_flow_is_not_read_as_an_image(tmp_path, format):
    path = tmp_path / "flow.png"
    flow = np.random.default_rng(0).normal(scale=5, size=(4, 6, 2)).astype(np.float32)
    valid = np.ones((4, 6), bool)
    valid[0, 0] = False
    if format == "tartanair":
        flow[~valid] = np.nan
        data.write_flow(path, flow, format=format)
    else:
        data.write_flow(path, flow, valid, format=format)
    with pytest.raises(data.FormatError, match="a 16-bit flow PNG; read it with read_flow"):
        data.read_unit_image(path)


def test_images_of_16_bits_of_one_colour_are_read(tmp_path):
    for channel in range(3):
        image = np.zeros((4, 6, 3), np.uint16)
        image[..., channel] = 60000
        cv2.imwrite(str(tmp_path / "image.png"), image[..., ::-1])
        np.testing.assert_allclose(
            data.read_unit_image(tmp_path / "image.png"), image / 65535, rtol=1e-6
        )
