"""How fast files are read, beside the libraries that others read them with.

    python benchmarks/data.py [--repeats N] [--json FILE] [--folder FOLDER]

All ways of a format run in turn in one loop, so that what disturbs the machine disturbs them alike;
the files lie in the page cache, the figures are medians, and the ratios are what holds on another
machine. Ours check the whole file, convert to float32 and say which pixels are valid. "Decoded"
peers stop at the numbers as the file has them; the others do what their data loaders do.

The loader reads SRFlow3D's tree, two images, a mask and five maps a sample, into batches of four.

The frames of one subject are written, listed and read with tiny maps: what remains is the cost of
their number, which should grow with it and no faster. These times are processor times.
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from report import Report
from timing import race

from sf3d_jax import Camera, data

SIZES = ((540, 960), (375, 1242))
TREE_SIZE, TREE, BATCH, BATCHES = (802, 550), 24, 4, 60
TINY, FRAMES, READ = (8, 8), (1_000, 10_000), 200


def smooth(size, channels, low, high, seed=0):
    """A smooth field with some noise: it compresses about as well as those of data sets."""
    height, width = size
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(low, high, (9, 16, channels)).astype(np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    field = field.reshape(height, width, channels)
    field = field + rng.normal(0, (high - low) / 500, field.shape)
    return np.clip(field, low, high).astype(np.float32)


def write_files(folder, size):
    """A file of each format, by name."""
    flow, depth = smooth(size, 2, -40, 40), smooth(size, 1, 1, 90)[..., 0]
    image = smooth(size, 3, 0, 255).astype(np.uint8)
    names = "a.flo kitti.png vkitti2.png flow.pfm a.flo5 flow.npy disparity.png disparity.pfm a.dpt"
    paths = {name: folder / name for name in [*names.split(), "image.png", "image.jpg"]}
    for name in ("a.flo", "kitti.png", "flow.pfm", "a.flo5", "flow.npy"):
        data.write_flow(paths[name], flow)
    data.write_flow(paths["vkitti2.png"], flow, format="vkitti2")
    data.write_disparity(paths["disparity.png"], depth)
    data.write_disparity(paths["disparity.pfm"], depth)
    data.write_map(paths["a.dpt"], depth)
    for name in ("image.png", "image.jpg"):
        cv2.imwrite(str(paths[name]), image)
    return paths


def bytes_after(header, shape):
    """A reader of the float32 after a header, checking nothing."""
    count = int(np.prod(shape))
    return lambda path: np.fromfile(path, "<f4", count, offset=header).reshape(shape)


def decoded(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def raft_kitti_flow(path):
    """As RAFT's loader."""
    codes = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)[:, :, ::-1]
    codes = codes.astype(np.float32)
    return (codes[:, :, :2] - 2**15) / 64.0, codes[:, :, 2]


def raft_kitti_disparity(path):
    """As RAFT's loader."""
    disparity = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH) / 256.0
    return disparity, disparity > 0


def published_vkitti2_flow(path):
    """As the snippet that Virtual KITTI 2 publishes."""
    bgr = cv2.imread(str(path), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    height, width, _ = bgr.shape
    invalid = bgr[..., 0] == 0
    flow = 2.0 / (2**16 - 1.0) * bgr[..., 2:0:-1].astype("f4") - 1
    flow[..., 0] *= width - 1
    flow[..., 1] *= height - 1
    flow[invalid] = 0
    return flow, ~invalid


def raft_pfm(path):
    """As RAFT's loader, which most others have copied."""
    with open(path, "rb") as file:
        channels = 3 if file.readline().rstrip() == b"PF" else 1
        width, height = map(int, file.readline().split())
        order = "<" if float(file.readline()) < 0 else ">"
        values = np.fromfile(file, f"{order}f")
    shape = (height, width, channels) if channels == 3 else (height, width)
    return np.flipud(values.reshape(shape))


def hdf5(path):
    import h5py

    with h5py.File(path, "r") as file:
        return file["flow"][()]


def others(size):
    """(format, name, reader) of the peers that are installed."""
    rows = [
        ("a.flo", "np.fromfile", bytes_after(12, (*size, 2))),
        ("kitti.png", "OpenCV, decoded", decoded),
        ("kitti.png", "RAFT's (OpenCV)", raft_kitti_flow),
        ("vkitti2.png", "OpenCV, decoded", decoded),
        ("vkitti2.png", "published (OpenCV)", published_vkitti2_flow),
        ("flow.pfm", "RAFT's (NumPy)", raft_pfm),
        ("flow.pfm", "OpenCV, decoded", decoded),
        ("a.flo5", "h5py, decoded", hdf5),
        ("flow.npy", "np.load, decoded", np.load),
        ("disparity.png", "OpenCV, decoded", decoded),
        ("disparity.png", "RAFT's (OpenCV)", raft_kitti_disparity),
        ("disparity.pfm", "RAFT's (NumPy)", raft_pfm),
        ("disparity.pfm", "OpenCV, decoded", decoded),
        ("a.dpt", "np.fromfile", bytes_after(12, size)),
        ("image.png", "OpenCV, BGR", lambda path: cv2.imread(str(path))),
        ("image.jpg", "OpenCV, BGR", lambda path: cv2.imread(str(path))),
    ]
    if hasattr(cv2, "readOpticalFlow"):
        rows.append(("a.flo", "OpenCV", lambda path: cv2.readOpticalFlow(str(path))))
    try:
        import png
    except ImportError:
        pass
    else:
        lines = lambda path: np.vstack([np.uint16(x) for x in png.Reader(str(path)).asDirect()[2]])
        rows += [(name, "pypng, decoded", lines) for name in ("kitti.png", "disparity.png")]
    try:
        import imageio.v3
    except ImportError:
        pass
    else:
        # Not for flow, of which Pillow behind it keeps 8 bits.
        names = ("disparity.png", "image.png", "image.jpg")
        rows += [(name, "imageio, decoded", imageio.v3.imread) for name in names]
    return rows


OURS = {
    "a.flo": data.read_flow,
    "kitti.png": data.read_flow,
    "vkitti2.png": lambda path: data.read_flow(path, format="vkitti2"),
    "flow.pfm": data.read_flow,
    "a.flo5": data.read_flow,
    "flow.npy": data.read_flow,
    "disparity.png": data.read_disparity,
    "disparity.pfm": data.read_disparity,
    "a.dpt": data.read_map,
    "image.png": data.read_image,
    "image.jpg": data.read_image,
}


def readers(folder, size, repeats):
    """Milliseconds, megapixels a second and ratios of all ways, as rows; printed as a table."""
    paths = write_files(folder, size)
    height, width = size
    megapixels = height * width / 1e6
    rows = []
    for name, ours in OURS.items():
        ways = {"sf3d_jax": ours} | {who: read for n, who, read in others(size) if n == name}
        table = {who: lambda read=read, path=paths[name]: read(path) for who, read in ways.items()}
        for run in table.values():
            run()
        medians = race(table, repeats)
        for who, milliseconds in medians.items():
            ratio = milliseconds / medians["sf3d_jax"]
            speed = 1e3 * megapixels / milliseconds
            rows.append({"file": name, "way": who, "ms": milliseconds})
            rows[-1] |= {"megapixels/s": speed, "time / ours": ratio}
    return rows


def write_tree(folder, size):
    """SRFlow3D's tree of a moving surface, with as many samples as are read."""
    height, width = size
    writer = data.SRFlow3DWriter(folder, "train", scale=2.0)
    camera = Camera.pinhole(2000.0, 2000.0, width / 2, height / 2, size)
    image = smooth(size, 3, 0, 255).astype(np.uint8)
    flow, inv_depth = smooth(size, 2, -9, 9), smooth(size, 1, 0.8, 1.2)[..., 0]
    motion = data.Motion(flow, inv_depth / 100)
    everywhere = np.ones(size, bool)
    for frame in range(TREE + 1):
        writer.write(
            "001",
            frame,
            camera=camera,
            image=image,
            mask=everywhere,
            inv_depth=inv_depth,
            forward=motion,
        )


def loading(folder):
    """Samples a second by threads, as rows, printed as a table."""
    write_tree(folder, TREE_SIZE)
    dataset = data.SRFlow3D(folder, "train")
    dataset[0]
    start = time.perf_counter()
    for i in range(0, TREE, BATCH):
        data.stack([dataset[j] for j in range(i, i + BATCH)])
    alone = TREE / (time.perf_counter() - start)
    rows = [{"threads": "a plain loop", "samples/s": alone, "to a plain loop": 1.0}]
    for threads in (1, 2, 4, 8):
        batches = iter(data.loader(dataset, BATCH, 0, threads=threads))
        for _ in range(4):  # what was read ahead would count as fast
            next(batches)
        start = time.perf_counter()
        for _ in range(BATCHES):
            next(batches)
        speed = BATCH * BATCHES / (time.perf_counter() - start)
        rows.append({"threads": threads, "samples/s": speed, "to a plain loop": speed / alone})
    return rows


def took(action):
    """Seconds of processor time that an action takes."""
    start = time.process_time()
    action()
    return time.process_time() - start


def frames_of_a_subject(folder, count):
    """Milliseconds per frame, by what is done, with one subject of many frames."""
    everywhere = np.ones(TINY, bool)
    motion = data.Motion(np.zeros((*TINY, 2), np.float32), np.zeros(TINY, np.float32))
    one = {"image": np.zeros((*TINY, 3), np.uint8), "inv_depth": np.ones(TINY), "mask": everywhere}
    camera = Camera.pinhole(10.0, 10.0, 3.5, 3.5, TINY)
    writer = data.SRFlow3DWriter(folder, "train", scale=2.0)
    write = lambda i: writer.write(
        "001", i, camera=camera, forward=motion, backward=motion if i else None, **one
    )
    written = [took(lambda i=i: writer.has("001", i) or write(i)) for i in range(count)]
    dataset = data.SRFlow3D(folder, "train")
    dataset[0]
    seconds = {
        "write one of the last tenth": np.mean(written[-count // 10 :]),
        "go on writing": took(
            lambda: data.SRFlow3DWriter(folder, "train", scale=2.0).has("001", 0)
        ),
        "list": took(lambda: data.SRFlow3D(folder, "train")),
        "read": took(lambda: [dataset[i] for i in range(READ)]) / READ,
        "read the cameras": took(
            lambda: data.read_json_cameras(folder / "train/camera/001/spirals.json")
        ),
    }
    of_all = ("go on writing", "list", "read the cameras")
    return {k: 1e3 * x / (count if k in of_all else 1) for k, x in seconds.items()}


def scale(folder, counts):
    """Milliseconds per frame with few and many frames, as rows."""
    few, many = (frames_of_a_subject(folder / f"{count}", count) for count in counts)
    return [
        {
            "ms per frame": name,
            f"of {counts[0]:,}": few[name],
            f"of {counts[1]:,}": many[name],
            "ratio": many[name] / few[name],
        }
        for name in few
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", help="write the figures there")
    parser.add_argument("--folder", help="where the files are put; a temporary folder by default")
    parser.add_argument("--quick", action="store_true", help="three rounds, one size, few frames")
    options = parser.parse_args()
    report = Report("data", opencv=cv2.__version__)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for size in SIZES[: 1 if options.quick else None]:
            rows = readers(Path(folder), size, 3 if options.quick else options.repeats)
            ratios = {
                f"{row['file']} / {row['way']}": 1 / row["time / ours"]
                for row in rows
                if row["way"] != "sf3d_jax"
            }
            report.add(f"readers, {size[1]} x {size[0]}", rows, ratios)
        rows = loading(Path(folder))
        ratios = {f"{row['threads']} threads": 1 / row["to a plain loop"] for row in rows[1:]}
        report.add(f"loader, SRFlow3D of {TREE_SIZE[1]} x {TREE_SIZE[0]}", rows, ratios)
        rows = scale(Path(folder), [n // 10 if options.quick else n for n in FRAMES])
        ratios = {row["ms per frame"]: row["ratio"] for row in rows}
        report.add("frames of one subject, SRFlow3D", rows, ratios)
    report.write(options.json)


if __name__ == "__main__":
    main()
