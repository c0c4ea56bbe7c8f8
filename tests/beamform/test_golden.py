"""Real and simulated data whose images, points or scan conversions others have published."""

import numpy as np
import pytest

from usfast.beamform import (
    PlaneWave,
    Transducer,
    analytic_signal,
    cartesian_grid,
    delay_and_sum,
    demodulate,
    directivity_f_number,
    log_compress,
    plus_brightness,
    read_scan_conversion,
    scan_convert,
)


@pytest.fixture
def folder(data_dir):
    def find(name):
        path = data_dir / "rf" / name
        if not path.is_dir():
            pytest.skip(f"no recordings at {path}")
        return path

    return find


def metaimage(path):
    """The pixels of a MetaImage file as they lie there, with no regard to orientation."""
    text = path.read_bytes()
    end = text.index(b"\n", text.index(b"ElementDataFile = LOCAL")) + 1
    header = dict(line.split(" = ", 1) for line in text[:end].decode().splitlines() if " = " in line)
    dtype = {"MET_UCHAR": np.uint8, "MET_SHORT": "<i2"}[header["ElementType"].strip()]
    shape = [int(size) for size in header["DimSize"].split()][::-1]
    return np.frombuffer(text, dtype, int(np.prod(shape)), end).reshape(shape)


# ------------------------------------------------------------------- MUST: a rotating disk, 32 plane waves


def disk_images(folder, interpolation, f_number):
    from scipy.io import loadmat

    found = loadmat(folder / "PWI_disk.mat")
    param = {name: float(np.ravel(found["param"][0, 0][name])[0]) for name in found["param"].dtype.names}
    published = loadmat(folder / "bmode_PWI_disk.mat")["I"].transpose(2, 0, 1)
    rate, carrier = param["fs"] / 1e6, param["fc"] / 1e6
    band = {"sampling_frequency": rate, "demodulation_frequency": carrier, "start_time": param["t0"]}
    iq = demodulate(found["RF"].transpose(2, 1, 0), bandwidth=param["bandwidth"] / 100, **band)
    images = delay_and_sum(
        iq,
        Transducer.linear(128, param["pitch"] * 1e3),
        PlaneWave(0),
        cartesian_grid((-12.5, 12.5), (10, 35), 0.1),
        speed_of_sound=param["c"],
        f_number=f_number,
        interpolation=interpolation,
        compound=False,
        **band,
    )
    return log_compress(np.abs(images), 30), published


# MUST's own search for the f-number stops at 1.1248487; the equation it solves has its root at 1.137.
MUST_F_NUMBER = 1.1248487


def test_rotating_disk_as_published(folder):
    images, published = disk_images(folder("pymust_disk"), "nearest", MUST_F_NUMBER)
    difference = np.abs(images.astype(int) - published)
    # A delay half way between two samples is rounded one way there and the other way here.
    assert np.mean(difference > 0) < 0.002
    assert np.mean(difference > 1) < 0.001
    assert np.corrcoef(images.ravel(), published.ravel())[0, 1] > 0.99999


def test_rotating_disk_with_better_interpolation_stays_close(folder):
    images, published = disk_images(folder("pymust_disk"), "linear", MUST_F_NUMBER)
    assert np.corrcoef(images.ravel(), published.ravel())[0, 1] > 0.998
    assert np.median(np.abs(images.astype(int) - published)) <= 1
    f_number = directivity_f_number(0.262, 5.0, bandwidth=0.15, speed_of_sound=1480)
    assert f_number == pytest.approx(MUST_F_NUMBER, rel=0.02)


# ------------------------------------------------------------------- Field II: points under three plane waves


@pytest.fixture
def field2(folder):
    import h5py

    with h5py.File(folder("pybf_field2_pw3") / "rf_dataset.hdf5") as file:
        shots = [file[f"data/rf_data/frame_1/shot_{k}"][()] for k in (1, 2, 3)]
        angles = np.rad2deg(file["data/tx_mode/PW_3_12"][0])
        # The file's shift is half the length of the pulse, less the time of the first sample.
        start = -float(file["data/correction_time_shift"][0, 0])
        places = file["sim_params/scatters_data"][()].T[:, [0, 2]] * 1e3
    options = {
        "sampling_frequency": 20,
        "start_time": start,
        "demodulation_frequency": 0,
        "f_number": 1.0,
        "interpolation": "cubic",
    }
    waves = [PlaneWave(angle) for angle in angles]
    return analytic_signal(np.stack(shots)), Transducer.linear(192, 0.23), waves, places, options


def test_points_are_where_they_were_put(field2):
    data, array, waves, places, options = field2
    for depth in (17.741, 29.568):
        row = places[(np.abs(places[:, 1] - depth) < 0.01) & (np.abs(places[:, 0]) < 7)]
        assert len(row) > 10
        for x, y in row:
            points = cartesian_grid((x - 0.4, x + 0.4), (y - 0.4, y + 0.6), 0.02)
            image = np.abs(delay_and_sum(data, array, waves, points, **options))
            peak = points[np.unravel_index(image.argmax(), image.shape)]
            np.testing.assert_allclose(peak, (x, y), atol=0.05)


def test_compounding_sharpens(field2):
    data, array, waves, _, options = field2
    points = cartesian_grid((-1.5, 1.5), (22, 22.7), (0.02, 0.02))
    each = np.abs(delay_and_sum(data, array, waves, points, compound=False, **options))
    together = np.abs(delay_and_sum(data, array, waves, points, **options))
    assert together.max() > 2.7 * each.max()  # in phase: almost three times one

    def width(image):
        return 0.02 * np.count_nonzero(image.max(axis=0) > image.max() / 2)

    assert width(together) < 0.8 * width(each[1])
    assert width(together) < 0.5


# ------------------------------------------------------------------- PLUS: RF to brightness to image, to the last grey


def test_linear_scan_as_plus(folder):
    path = folder("plus_scanconv")
    processing = read_scan_conversion(path / "PlusDeviceSet_RfProcessingAlgoLinearTest.xml")
    # The recording is stored deepest sample first (orientation NM); PLUS turns it when reading.
    rf = metaimage(path / "UltrasonixLinearRfData.igs.mha")[0, :, ::-1]
    lines = plus_brightness(rf, coefficients=processing.coefficients, scale=processing.scale)
    image = scan_convert(lines, processing.scan, compat="plus")
    np.testing.assert_array_equal(image, metaimage(path / "UltrasonixLinearScanConvertedData.igs.mha"))


def test_curvilinear_scan_as_plus(folder):
    path = folder("plus_scanconv")
    scan = read_scan_conversion(path / "PlusDeviceSet_RfProcessingAlgoCurvilinearTest.xml").scan
    lines = metaimage(path / "UltrasonixCurvilinearBrightnessData.igs.mha")
    published = metaimage(path / "UltrasonixCurvilinearScanConvertedData.igs.mha")
    np.testing.assert_array_equal(scan_convert(lines, scan, compat="plus"), published)
    # Without PLUS' half column and its sample spacing the image is almost the same.
    assert np.corrcoef(scan_convert(lines[0], scan).ravel(), published[0].ravel())[0, 1] > 0.95
