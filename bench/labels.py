"""Labels from seeds, of several annotators and their surfaces: usfast against the packages of the field.

    python bench/labels.py [--tiny] [--json FILE] [--threads 1 2] [--rounds 3] [--size 128] [--thesis]

grow_from_seeds stands against SciPy (`csgraph.dijkstra` on the graph of the voxels, built beforehand and not timed: the
same costs, so the same labels but for ties) and against ITK's Fast GrowCut where itk-growcut is installed; STAPLE and
multi-label STAPLE against SimpleITK. All run in one process, in turn; figures are medians. --thesis grows
564 x 632 x 1443 voxels within a mask and reports the memory. A busy machine spoils wall times: look at `load` and at
the processor seconds beside them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import numpy as np
from roofline import bandwidth, machine

from usfast.labels.fusion.consensus import majority_vote
from usfast.labels.fusion.staple import multi_label_staple, staple
from usfast.labels.images.grow_from_seeds import grow_from_seeds
from usfast.labels.surfaces.surface_mesh import surface_mesh


def scene(shape):
    """(image, seeds, truth): a tapered ellipsoid in speckle, seeds inside it and at the volume's border."""
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(0)
    speckle = random.integers(-60, 60, shape, np.int8).astype(np.float32)
    z, y, x = (np.linspace(-1, 1, n, dtype=np.float32).reshape(np.roll((-1, 1, 1), k)) for k, n in enumerate(shape))
    truth = (z / 0.9) ** 2 + (y / 0.6) ** 2 + (x / 0.65) ** 2 < 1
    image = gaussian_filter(speckle, 1) + np.where(truth, np.float32(110), np.float32(70))
    seeds = np.zeros(shape, np.uint8)
    seeds[[0, -1]] = seeds[:, [0, -1]] = seeds[:, :, [0, -1]] = 2
    seeds[tuple(slice(3 * n // 8, 5 * n // 8) for n in shape)] = 1
    return np.clip(image, 0, 255).astype(np.uint8), seeds, truth


def annotators(truth, count=5, labels=1):
    """Label maps that differ at the border."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    random = np.random.default_rng(1)
    level = distance_transform_edt(truth) - distance_transform_edt(~truth)
    which = np.where(np.arange(truth.shape[0]) < truth.shape[0] // 2, 1, labels)[:, None, None]
    waves = [gaussian_filter(random.standard_normal(truth.shape), 2) * 40 for _ in range(count)]
    return [((level + wave > 0) * which).astype(np.uint8) for wave in waves]


def voxel_graph(image):
    """The sparse matrix of the 6-neighbour graph with the cost of grow_from_seeds at locality 1."""
    from scipy.sparse import coo_array

    index = np.arange(image.size, dtype=np.int32).reshape(image.shape)
    flat = image.astype(np.float64).ravel()
    ends = [
        (np.take(index, range(n - 1), a).ravel(), np.take(index, range(1, n), a).ravel())
        for a, n in enumerate(image.shape)
    ]
    one, other = (np.concatenate([pair[k] for pair in ends]) for k in (0, 1))
    return coo_array((np.abs(flat[one] - flat[other]) + 1, (one, other)), shape=(image.size,) * 2).tocsr()


def scipy_dijkstra(graph, seeds):
    """Labels of the nearest seeds on the graph."""
    from scipy.sparse.csgraph import dijkstra

    starts = np.flatnonzero(seeds)
    sources = dijkstra(graph, directed=False, indices=starts, min_only=True, return_predecessors=True)[2]
    return seeds.ravel()[sources].reshape(seeds.shape)


def fast_growcut(image, seeds):
    """ITK's Fast GrowCut."""
    import itk

    one, other = itk.image_from_array(image), itk.image_from_array(seeds)
    peer = itk.FastGrowCut[type(one), type(other)].New()
    peer.SetInput(one)
    peer.SetSeedImage(other)
    peer.Update()
    return itk.array_from_image(peer.GetOutput())


def growers(image, seeds, threads):
    """Name -> function without arguments."""
    graph = voxel_graph(image)
    found = {"scipy dijkstra, 6": lambda: scipy_dijkstra(graph, seeds)}
    try:
        import itk

        itk.FastGrowCut  # noqa: B018
        found["itk Fast GrowCut, 26"] = lambda: fast_growcut(image, seeds)
    except (ImportError, AttributeError):
        pass
    for count in threads:
        for neighbours in (6, 26):
            found[f"usfast {neighbours}, {count}T"] = lambda n=neighbours, t=count: grow_from_seeds(
                image, seeds, neighbours=n, num_threads=t
            )
    return found


def fusions(truth):
    """Name -> function without arguments, for STAPLE of masks and of two structures."""
    import SimpleITK as sitk

    masks, maps = annotators(truth), annotators(truth, labels=2)
    images = [[sitk.GetImageFromArray(one) for one in group] for group in (masks, maps)]
    one, many = sitk.STAPLEImageFilter(), sitk.MultiLabelSTAPLEImageFilter()
    one.SetForegroundValue(1)
    return {
        "staple": {
            "SimpleITK": lambda: sitk.GetArrayFromImage(one.Execute(images[0])),
            "usfast": lambda: staple(masks, crop=False, tolerance=1e-7).probability,
        },
        "multi-label staple": {
            "SimpleITK": lambda: sitk.GetArrayFromImage(many.Execute(images[1])),
            "usfast": lambda: multi_label_staple(maps, crop=False, tolerance=1e-5).labels,
        },
        "others": {
            "usfast majority vote": lambda: majority_vote(maps),
            "usfast surface mesh": lambda: surface_mesh(truth),
        },
    }


def timed(functions, rounds):
    """Median (wall, processor) seconds of each function, run in turn after a round to warm up, and what they return."""
    seconds, results = {name: [] for name in functions}, {}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            wall, own = time.perf_counter(), time.process_time()
            results[name] = function()
            if turn:
                seconds[name].append((time.perf_counter() - wall, time.process_time() - own))
    return {name: tuple(map(statistics.median, zip(*pairs, strict=True))) for name, pairs in seconds.items()}, results


def rows_of(case, seconds, voxels, compulsory, read):
    """Rows of one case; the first contender is what the others are compared with."""
    first = next(iter(seconds))
    return [
        {
            "case": case,
            "contender": name,
            "seconds": wall,
            "processor_seconds": own,
            "ns_per_voxel": own / voxels * 1e9,
            "times_faster": seconds[first][0] / wall,
            "times_less_processor": seconds[first][1] / max(own, 1e-9),
            "than": first,
            "share_of_read": compulsory / wall / 1e9 / read,
        }
        for name, (wall, own) in seconds.items()
    ]


def check(results, image, seeds):
    """SciPy finds the same labels; on a tie it takes either."""
    same = results["scipy dijkstra, 6"] == results["usfast 6, 1T"]
    if same.mean() < 0.999:
        raise SystemExit(
            f"usfast and SciPy agree in {same.mean():.2%} of {image.shape} voxels only, {seeds.max()} labels"
        )


def thesis(threads, tiny):
    """Seconds and memory of a volume of the thesis' size, the muscle's surroundings as mask."""
    shape = (64, 60, 56) if tiny else (1443, 632, 564)
    image, seeds, truth = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8), np.zeros(shape, bool)
    block, _, _ = scene(tuple(n // 4 for n in shape))
    for at in np.ndindex(4, 4, 4):  # tiles of one smaller scene: making it must not need more than growing
        image[tuple(slice(a * n, a * n + n) for a, n in zip(at, block.shape, strict=True))] = block
    z, y, x = (np.linspace(-1, 1, n, dtype=np.float32).reshape(np.roll((-1, 1, 1), k)) for k, n in enumerate(shape))
    for k in range(shape[0]):
        truth[k] = ((z[k] / 0.95) ** 2 + (y / 0.7) ** 2 + (x / 0.7) ** 2 < 1)[0]
    middle = tuple(slice(3 * n // 8, 5 * n // 8) for n in shape)
    seeds[middle] = 1
    seeds[:, : shape[1] // 5] = 2
    seeds[:, -shape[1] // 5 :] = 2
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak so far was the making of the scene
    before = resident()
    wall, own = time.perf_counter(), time.process_time()
    grow_from_seeds(image, seeds, mask=truth, num_threads=max(threads))
    wall, own = time.perf_counter() - wall, time.process_time() - own
    return {
        "case": "thesis",
        "contender": f"usfast 26, {max(threads)}T",
        "seconds": wall,
        "processor_seconds": own,
        "ns_per_voxel": own / int(truth.sum()) * 1e9,
        "voxels": image.size,
        "in_mask": int(truth.sum()),
        "peak_bytes_per_voxel": (resident("VmHWM") - before) / image.size,
    }


def resident(which="VmRSS"):
    """Bytes of memory this process holds, or held at most."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(which))


def show(rows):
    """A table for people."""
    for row in rows:
        more = (
            f"{row['peak_bytes_per_voxel']:.1f} B/voxel beside the arguments, {row['in_mask'] / 1e6:.0f} M in the mask"
            if row["case"] == "thesis"
            else f"{row['times_less_processor']:7.1f} x less processor time than {row['than']}, "
            f"{row['share_of_read']:6.1%} of one read"
        )
        print(
            f"{row['case']:<19} {row['contender']:<21} {row['seconds'] * 1e3:9.1f} ms "
            f"{row['processor_seconds'] * 1e3:9.1f} ms cpu {row['ns_per_voxel']:7.1f} ns/voxel {more}"
        )


def main():
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a few seconds in all: does it run?")
    parser.add_argument("--json", help="write the rows here")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=128, help="voxels along each side")
    parser.add_argument("--thesis", action="store_true", help="564 x 632 x 1443 voxels too")
    options = parser.parse_args()
    rounds, size = (1, 28) if options.tiny else (options.rounds, options.size)
    facts, roof = machine(), bandwidth(max(options.threads), 8 if options.tiny else 256)
    print(facts, {name: f"{rate:.1f} GB/s" for name, rate in roof.items()}, sep="\n")
    image, seeds, truth = scene((size,) * 3)
    seconds, results = timed(growers(image, seeds, sorted({1, *options.threads})), rounds)
    check(results, image, seeds)
    rows = rows_of("grow from seeds", seconds, image.size, image.nbytes + 2 * seeds.nbytes, roof["read"])
    for case, functions in fusions(truth).items():
        seconds, _ = timed(functions, rounds)
        rows += rows_of(case, seconds, truth.size, 5 * truth.nbytes, roof["read"])
    if options.thesis:
        rows.append(thesis(options.threads, options.tiny))
    show(rows)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": facts, "bandwidth": roof, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
