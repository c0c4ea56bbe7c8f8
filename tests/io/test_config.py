"""PLUS configuration files."""

from pathlib import Path

import numpy as np
import pytest

from usfast import FormatError
from usfast.io import HoleFillingElement, read_config

UNIT = "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"


def write(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "config.xml"
    path.write_text(f"<PlusConfiguration><Nested>{body}</Nested></PlusConfiguration>")
    return path


def transform(tmp_path: Path, attributes: str) -> Path:
    return write(tmp_path, f"<CoordinateDefinitions><Transform {attributes}/></CoordinateDefinitions>")


def test_transform_is_read_row_by_row_at_any_depth(tmp_path: Path) -> None:
    path = transform(tmp_path, 'From="image" To="Probe" Matrix="0 .1 0 5\n-.1 0 0 6\t0 0 .1 7 0 0 0 1"')
    config = read_config(path)
    np.testing.assert_array_equal(config.transforms["Image", "Probe"][0], [0, 0.1, 0, 5])
    assert config.reconstruction is None


@pytest.mark.parametrize(
    ("attributes", "match"),
    [
        ('From="Image" To="Probe" Matrix="1 2 3"', "ImageToProbe must hold 16 numbers, not 3"),
        (f'From="Image" To="Probe" Matrix="{UNIT.replace("1", "nan", 1)}"', "ImageToProbe.*not finite"),
        (f'From="Image" To="Probe" Matrix="{UNIT.replace("1", "inf", 1)}"', "ImageToProbe.*not finite"),
        (f'From="Image" To="Probe" Matrix="{UNIT.replace("1", "x", 1)}"', "ImageToProbe.*no number"),
        (f'From="Image" To="Probe" Matrix="{UNIT[:-1]}2"', "ImageToProbe must end in 0 0 0 1"),
        ('From="Image" To="Probe"', "ImageToProbe lacks Matrix"),
        (f'To="Probe" Matrix="{UNIT}"', "Transform From=''"),
    ],
)
def test_wrong_transforms_are_named(tmp_path: Path, attributes: str, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        read_config(transform(tmp_path, attributes))


def test_reconstruction_with_every_attribute(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """<VolumeReconstruction ImageCoordinateFrame="Image" ReferenceCoordinateFrame="Phantom"
        OutputSpacing="0.5 0.4 0.3" ClipRectangleOrigin="1 2" ClipRectangleSize="30 40" FanAnglesDeg="-45 40"
        FanOriginPixel="380.5 20" FanRadiusStartPixel="12" FanRadiusStopPixel="360" SkipInterval="3"
        EnableFanAnglesAutoDetect="true" Interpolation="linear" Optimization="None"
        CompoundingMode="importance_mask" ImportanceMaskFilename="mask.png" FillHoles="On"
        PixelRejectionThreshold="3.5" RecomputeOutputSpacing="TRUE"><HoleFilling>
        <HoleFillingElement Type="Gaussian" Size="5" Stdev="0.8" MinimumKnownVoxelsRatio="0.5"/>
        <HoleFillingElement Type="STICK" StickLengthLimit="9" NumberOfSticksToUse="2"/>
        <HoleFillingElement Type="nearest_neighbor" Size="3" MinimumKnownVoxelsRatio="0.01"/>
        </HoleFilling></VolumeReconstruction>""",
    )
    found = read_config(path).reconstruction
    assert found is not None
    assert (found.image_frame, found.reference_frame) == ("Image", "Phantom")
    assert found.output_spacing == (0.5, 0.4, 0.3)
    assert (found.clip_origin, found.clip_size) == ((1, 2), (30, 40))
    assert (found.fan_angles_deg, found.fan_origin_px) == ((-45, 40), (380.5, 20))
    assert (found.fan_radius_start_px, found.fan_radius_stop_px) == (12, 360)
    assert found.fan_angles_auto_detect and found.fill_holes and found.recompute_output_spacing
    assert (found.skip_interval, found.pixel_rejection_threshold) == (3, 3.5)
    assert (found.interpolation, found.optimization) == ("LINEAR", "NONE")
    assert found.compounding == "IMPORTANCE_MASK"
    assert found.importance_mask == tmp_path / "mask.png"
    assert found.hole_filling == (
        HoleFillingElement("GAUSSIAN", size=5, stdev=0.8, minimum_known_voxels_ratio=0.5),
        HoleFillingElement("STICK", stick_length_limit=9, number_of_sticks_to_use=2),
        HoleFillingElement("NEAREST_NEIGHBOR", size=3, minimum_known_voxels_ratio=0.01),
    )


@pytest.mark.parametrize(
    ("attributes", "mode"),
    [
        ("", "MEAN"),
        ('Compounding="ON"', "MEAN"),
        ('Compounding="OFF"', "LATEST"),
        ('Calculation="MAXIMUM" Compounding="OFF"', "MAXIMUM"),
        ('Calculation="WEIGHTED_AVERAGE"', "MEAN"),
        ('Calculation="MAXIMUM" CompoundingMode="LATEST"', "LATEST"),
    ],
)
def test_deprecated_compounding(tmp_path: Path, attributes: str, mode: str) -> None:
    found = read_config(write(tmp_path, f"<VolumeReconstruction {attributes}/>")).reconstruction
    assert found is not None and found.compounding == mode


def test_deprecated_fan(tmp_path: Path) -> None:
    fan = '<VolumeReconstruction FanAngles="-30 30" FanOrigin="10 20" FanDepth="400"/>'
    found = read_config(write(tmp_path, fan)).reconstruction
    assert found is not None
    assert (found.fan_angles_deg, found.fan_origin_px) == ((-30, 30), (10, 20))
    assert found.fan_radius_stop_px == 400


@pytest.mark.parametrize(
    ("attributes", "match"),
    [
        ('OutputSpacing="0.5 0.5"', "OutputSpacing must hold 3 numbers"),
        ('OutputSpacing="0.5 0 0.5"', "OutputSpacing must be positive"),
        ('OutputSpacing="nan 1 1"', "not finite"),
        ('Interpolation="CUBIC"', "Interpolation must be one of NEAREST_NEIGHBOR, LINEAR, not 'CUBIC'"),
        ('SkipInterval="x"', "SkipInterval"),
        ('FillHoles="maybe"', "FillHoles"),
        ('CompoundingMode="SUM"', "CompoundingMode"),
    ],
)
def test_wrong_attributes_are_named(tmp_path: Path, attributes: str, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        read_config(write(tmp_path, f"<VolumeReconstruction {attributes}/>"))


@pytest.mark.parametrize("kind", ["", 'Type="MEDIAN"', 'Type="STICK" StickLengthLimit="9"', 'Type="GAUSSIAN" Size="3"'])
def test_incomplete_hole_filling(tmp_path: Path, kind: str) -> None:
    body = f"<VolumeReconstruction><HoleFilling><HoleFillingElement {kind}/></HoleFilling></VolumeReconstruction>"
    with pytest.raises(FormatError, match="HoleFillingElement"):
        read_config(write(tmp_path, body))


def test_billion_laughs_and_external_entities(tmp_path: Path) -> None:
    path = tmp_path / "evil.xml"
    laughs = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
    path.write_text(f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><PlusConfiguration>&l9;</PlusConfiguration>')
    with pytest.raises(FormatError, match=r"evil\.xml"):
        read_config(path)
    path.write_text('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><PlusConfiguration>&e;</PlusConfiguration>')
    with pytest.raises(FormatError, match=r"evil\.xml"):
        read_config(path)


@pytest.mark.parametrize("text", ["", "<a>", "not xml", "<a></b>", '<?xml version="1.0" encoding="none"?><a/>'])
def test_not_xml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.xml"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"config\.xml"):
        read_config(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.xml"):
        read_config(tmp_path / "nothing.xml")


def test_real_configurations(data_dir: Path) -> None:
    for path in sorted((data_dir / "tracked").rglob("*.xml")):
        read_config(path)
    spine = read_config(data_dir / "tracked/plus_spine/PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml")
    assert spine.reconstruction is not None
    assert spine.reconstruction.hole_filling[0].stick_length_limit == 9
    result = read_config(data_dir / "tracked/plus_fcal/FreehandCalibration3NWires.results.xml")
    assert result.transforms["Image", "Probe"][0, 3] == 11.1551
