"""Beamforming: usfast against vectorised NumPy, in one process, in turn.

    python bench/beamform.py [--tiny] [--json FILE] [--threads 1 2] [--rounds 5]

A visit is one point, one element, one transmit. Figures are medians; `x NumPy` compares medians of the same rounds.
`GFLOP/s` counts the arithmetic of a visit alone (8 operations for RF, 20 for IQ, with linear interpolation; delays are
shared by the transmits), beside what a float32 matrix product reaches on the same threads.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from roofline import bandwidth, best_seconds, machine

from usfast.beamform import PlaneWave, Transducer, cartesian_grid, delay_and_sum

RATE, CARRIER, SPEED = 20.0, 5.0, 1540.0
F_NUMBER = 1.5


def numpy_das(data, array, waves, points, demodulation, f_number):
    """Delay and sum, vectorised over the points, float32 but for the delays; receive delays shared by the transmits."""
    flat = points.reshape(-1, 2)
    x, y = flat[:, 0], flat[:, 1]
    last = data.shape[2] - 2
    image = np.zeros(len(flat), data.dtype)
    starts = [wave.path(flat) for wave in waves]
    for e, (ex, ey, _) in enumerate(array.positions):
        back = np.hypot(x - ex, y - ey)
        weight = None if f_number is None else (2 * f_number * np.abs(x - ex) <= y).astype(np.float32)
        for t, there in enumerate(starts):
            way = there + back
            k = way * (RATE * 1e3 / SPEED)
            inside = (k >= 0) & (k <= last + 1)
            i = np.clip(k.astype(np.int64), 0, last)
            f = (k - i).astype(np.float32)
            row = data[t, e]
            heard = row[i] * (1 - f) + row[i + 1] * f
            if demodulation is not None:
                heard = heard * np.exp(2j * np.pi * demodulation * 1e3 / SPEED * way).astype(np.complex64)
            heard = heard * inside
            image += heard if weight is None else heard * weight
    return image.reshape(points.shape[:-1])


def usfast_das(threads, **options):
    def run(data, array, waves, points, demodulation, f_number):
        return delay_and_sum(
            data,
            array,
            waves,
            points,
            sampling_frequency=RATE,
            speed_of_sound=SPEED,
            demodulation_frequency=demodulation,
            f_number=f_number,
            num_threads=threads,
            **options,
        )

    return run


def cases(tiny):
    """Name -> arguments of a beamformer: 128 elements, 38 mm x 38 mm."""
    rng = np.random.default_rng(0)
    elements, samples, side = (16, 1200, 24) if tiny else (128, 1200, 256)
    array = Transducer.linear(elements, 38 / elements)
    points = cartesian_grid((-18, 18), (1, 38), (36 / (side - 1), 37 / (side - 1)))
    found = {}
    for transmits in (1, 3) if tiny else (1, 11):
        waves = [PlaneWave(angle) for angle in np.linspace(-15, 15, transmits)] if transmits > 1 else [PlaneWave()]
        rf = rng.normal(size=(transmits, elements, samples)).astype(np.float32)
        iq = (rf + 1j * rng.normal(size=rf.shape)).astype(np.complex64)
        found[f"RF, {transmits} plane waves, all elements"] = (rf, array, waves, points, None, None)
        found[f"RF, {transmits} plane waves, f-number {F_NUMBER}"] = (rf, array, waves, points, None, F_NUMBER)
        found[f"IQ, {transmits} plane waves, all elements"] = (iq, array, waves, points, CARRIER, None)
    return found


def contenders(threads):
    found = {"numpy": numpy_das}
    for count in threads:
        found[f"usfast nearest {count}T"] = usfast_das(count, interpolation="nearest")
        found[f"usfast linear {count}T"] = usfast_das(count)
        found[f"usfast cubic {count}T"] = usfast_das(count, interpolation="cubic")
    return found


def once(function, arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def check(arguments):
    """NumPy and usfast must agree; an element at the very edge of an aperture may count for one and not the other."""
    ours, theirs = usfast_das(1)(*arguments), numpy_das(*arguments)
    wrong = np.abs(ours - theirs) > 1e-3 * np.abs(theirs).max()
    if wrong.mean() > 0.001:
        raise SystemExit(f"usfast and NumPy differ in {wrong.mean():.1%} of the points")


def measure(name, arguments, threads, rounds, products):
    """Rows of results for one case."""
    check(arguments)
    data, array, _, points, _, _ = arguments
    visits = points[..., 0].size * len(array) * len(data)
    seconds = {method: [] for method in contenders(threads)}
    for _ in range(rounds):
        for method, function in contenders(threads).items():
            # Three rounds of NumPy are enough: its slowest case takes seconds.
            if method != "numpy" or len(seconds[method]) < 3:
                seconds[method].append(once(function, arguments))
    middle = {method: statistics.median(values) for method, values in seconds.items()}
    rows = []
    for method, value in middle.items():
        flops = visits * (20 if np.iscomplexobj(data) else 8) / value / 1e9
        count = int(method.rsplit(" ", 1)[1][:-1]) if method != "numpy" else 1
        linear = "linear" in method and arguments[5] is None
        rows.append(
            {
                "case": name,
                "method": method,
                "seconds": value,
                "images_per_s": 1 / value,
                "ns_per_visit": value / visits * 1e9,
                "ratio": middle["numpy"] / value,
                "gflops": flops if linear else None,
                "share_of_matrix_product": flops / products[count] if linear else None,
            }
        )
    return rows


def matrix_product(threads, size):
    """GFLOP/s of a float32 matrix product on so many threads."""
    from threadpoolctl import threadpool_limits

    a = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32)
    with threadpool_limits(threads):
        return 2 * size**3 / best_seconds(lambda: a @ a) / 1e9


def show(rows, about, roof, products):
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140)
    rates = ", ".join(f"{rate:.0f} GFLOP/s on {count}" for count, rate in products.items())
    console.print(
        f"{about['date']}  {about['cpu']}, {about['cores']} cores, load {about['load']}, {about['system']}\n"
        f"python {about['python']}, numpy {about['numpy']}, usfast {about['usfast']}\n"
        f"memory: read {roof['read']:.1f} GB/s; float32 matrix product: {rates} threads"
    )
    for case in dict.fromkeys(row["case"] for row in rows):
        table = Table("method", "ms", "images/s", "ns/visit", "x NumPy", "GFLOP/s", "of matrix product", title=case)
        for row in (row for row in rows if row["case"] == case):
            known = row["gflops"] is not None
            table.add_row(
                row["method"],
                f"{row['seconds'] * 1e3:.1f}",
                f"{row['images_per_s']:.1f}",
                f"{row['ns_per_visit']:.2f}",
                f"{row['ratio']:.1f}",
                f"{row['gflops']:.1f}" if known else "",
                f"{row['share_of_matrix_product']:.0%}" if known else "",
            )
        console.print(table)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes: does it run at all?")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def main():
    options = arguments()
    about, roof = machine(), bandwidth(max(options.threads), 16 if options.tiny else 256)
    products = {count: matrix_product(count, 256 if options.tiny else 2048) for count in options.threads}
    products.setdefault(1, matrix_product(1, 256 if options.tiny else 2048))
    rows = []
    for name, prepared in cases(options.tiny).items():
        rows += measure(name, prepared, options.threads, 1 if options.tiny else options.rounds, products)
    show(rows, about, roof, products)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "memory": roof, "results": rows}, indent=1))


if __name__ == "__main__":
    main()
