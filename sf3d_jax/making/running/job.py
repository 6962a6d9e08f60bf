"""Makes the share of one process, in it, in worker processes, or on a Dask cluster."""

import os
from pathlib import Path

from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import plan
from sf3d_jax.making.running.cluster import check_cluster, run_on_cluster
from sf3d_jax.making.running.locks import hold_share
from sf3d_jax.making.running.manifest import check_finished, is_finished
from sf3d_jax.making.running.needs import check_space, measure_needs
from sf3d_jax.making.running.record import settle
from sf3d_jax.making.running.reporting import Counter, Progress
from sf3d_jax.making.running.start import check_arguments, check_start
from sf3d_jax.making.running.subject import find_frames, make_subject
from sf3d_jax.making.running.workers import run_workers, share_gpu


def make(
    out: str | os.PathLike[str],
    options: Options,
    *,
    process: tuple[int, int] = (0, 1),
    workers: int = 1,
    dask: str | None = None,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> None:
    """Makes a data set, or one process's share of it, in the layout of SRFlow3D.

    Writes making.json (options and versions), the frames and cameras below train/ and test/, and
    manifest/SPLIT/ID.json as the last file of each subject. Finished frames are kept, so that an
    interrupted run goes on where it ended, and loses at most a frame for each worker. The files
    have the same bytes whatever `process`, `workers` and `dask` are.

    Process i of n makes the subjects i, i + n, i + 2 n, ...; all of them may run at the same time.

    Args:
      out: folder of the data set; made if it is missing.
      options: what to make. More subjects than before are added to a data set.
      process: (i, n), process i of n, from 0.
      workers: number of processes that this one starts, each with its part of the processor's
        cores. They end when this one ends. 1 works in this process.
      dask: address of a Dask scheduler, such as "tcp://host:8786", whose workers make one
        subject at a time; `out` must be the same folder for all of them. None for no cluster.
      progress: called with the number of finished frames of the share, of all its frames, and the
        name of the last one.
      dry_run: raise what a run would raise before its first frame, and write nothing.

    Raises:
      TypeError: an argument has another type.
      ValueError: `out` was made with other options or versions, or an argument is out of range.
      OSError: the frames do not fit on the disk, another process makes a subject of this share, a
        worker died, a finished file is gone, or a file cannot be read or written.
      ImportError: `dask` is given, and dask[distributed] is not installed.
    """
    check_arguments(out, workers, dask, progress)
    out = Path(out)
    if workers > 1:
        share_gpu()
    check_space(out, measure_needs(out, options, process=process))
    check_start(out, options)
    subjects = plan(options).subjects[process[0] :: process[1]]
    check_finished(out, subjects)
    if dask is not None:
        check_cluster(dask)
    if dry_run:
        return
    out.mkdir(parents=True, exist_ok=True)
    with hold_share(out, *process):
        settle(out, options)
        counter = Counter(progress, len(subjects) * options.frames)
        counter.begin(name for x in subjects for name in find_frames(out, options, x))
        left = [subject for subject in subjects if not is_finished(out, subject)]
        if dask is not None:
            run_on_cluster(dask, out.absolute(), options, left, counter.add)
        elif workers > 1 and len(left) > 1:
            run_workers(workers, out, options, left, counter.add)
        else:
            for subject in left:
                make_subject(out, options, subject, counter.add)
