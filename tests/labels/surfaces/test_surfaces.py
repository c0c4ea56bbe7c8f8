"""Surfaces, their files, volumes and cross-sections against shapes with known volume and area."""

import struct

import numpy as np
import pytest

from usfast.errors import FormatError
from usfast.labels.surfaces.cross_sections import cross_sectional_area
from usfast.labels.surfaces.mesh import Mesh
from usfast.labels.surfaces.surface_mesh import surface_mesh, volumes_ml
from usfast.volume import Volume

TURN = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])


def ball(radius=9.0, spacing=(1.0, 1.0, 1.0), size=(30, 30, 30)):
    """A ball in the middle of a volume, mm."""
    at = (np.indices(size).T - (np.array(size) - 1) / 2) * spacing
    away = np.linalg.norm(at, axis=-1).T
    return away < radius


def box_mesh():
    """A cuboid of 2 x 3 x 4 mm."""
    corners = np.array([[x, y, z] for z in (0, 4) for y in (0, 3) for x in (0, 2)])
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    return Mesh(corners, [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))])


def test_measures_of_a_cuboid():
    mesh = box_mesh()
    assert mesh.is_closed
    assert mesh.volume_ml == pytest.approx(0.024)
    assert mesh.area_cm2 == pytest.approx(0.52)
    assert Mesh(mesh.vertices + 1e6, mesh.faces).volume_ml == pytest.approx(0.024)
    assert Mesh(mesh.vertices, mesh.faces[:, ::-1]).volume_ml == pytest.approx(-0.024)
    assert not Mesh(mesh.vertices, mesh.faces[1:]).is_closed
    assert not Mesh(mesh.vertices, np.concatenate([mesh.faces[1:], mesh.faces[:1, ::-1]])).is_closed
    assert not Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)).is_closed


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("smooth", [None, 0.0, 2.0])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.7, 1.0)])
def test_a_ball_keeps_its_volume(spacing, smooth, step):
    mask = ball(spacing=spacing, size=(21, 41, 33))
    mesh = surface_mesh(mask, spacing=spacing, smooth=smooth, step=step)
    by_voxels = volumes_ml(mask, spacing=spacing)[1]
    assert mesh.is_closed
    assert mesh.volume_ml == pytest.approx(by_voxels, rel=0.2 if smooth == 0.0 else 0.003)
    if smooth is None and step == 1:
        centre = (np.array(mask.shape[::-1]) - 1) / 2 * spacing[::-1]
        away = np.linalg.norm(mesh.vertices - centre, axis=1)
        assert np.abs(away - 9.0).max() < 0.75 * max(spacing)


def test_random_shapes_are_closed():
    rng = np.random.default_rng(0)
    for number in range(12):
        mask = rng.random((7, 8, 9)) < rng.uniform(0.05, 0.95)
        mask[0, 0, 0] = True
        for smooth in (None, 0.8):
            mesh = surface_mesh(mask, smooth=smooth)
            assert mesh.is_closed, (number, smooth)
            assert mesh.volume_ml > 0


def test_touching_the_border_and_tiny_structures():
    full = np.ones((4, 5, 6), np.uint8)
    mesh = surface_mesh(full, smooth=0.0)
    assert mesh.is_closed
    assert mesh.volume_ml == pytest.approx(0.120, rel=0.15)
    one = np.zeros((5, 5, 5), np.uint8)
    one[2, 2, 2] = 9
    for smooth in (None, 0.0, 0.3, 3.0):
        assert surface_mesh(one, 9, smooth=smooth).is_closed
    assert surface_mesh(one[2:3, 2:3, 2:3], 9).is_closed


def test_world_coordinates_of_a_turned_volume():
    mask = ball(6.0, size=(16, 20, 24))
    for direction in (TURN, TURN * [-1, 1, 1]):  # the second one mirrors
        volume = Volume(mask, (1, 1, 1), (100, -50, 7), direction)
        mesh = surface_mesh(volume)
        middle = direction @ [11.5, 9.5, 7.5] + [100, -50, 7]
        np.testing.assert_allclose(mesh.vertices.mean(axis=0), middle, atol=0.05)
        assert mesh.volume_ml == pytest.approx(volumes_ml(volume)[1], rel=0.003)
        assert mesh.is_closed


def read(path):
    """Return the corners (F, 3, 3) that a file holds, and its header."""
    raw = path.read_bytes()
    if path.suffix == ".stl":
        count = struct.unpack("<I", raw[80:84])[0]
        rows = np.frombuffer(raw[84:], np.dtype([("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")]))
        assert len(rows) == count
        normal = np.cross(rows["c"][:, 1] - rows["c"][:, 0], rows["c"][:, 2] - rows["c"][:, 0])
        np.testing.assert_allclose(rows["n"], normal / np.linalg.norm(normal, axis=1, keepdims=True), atol=1e-4)
        return rows["c"], raw[:80]
    if path.suffix == ".ply":
        header, body = raw.split(b"end_header\n", 1)
        points, faces = (int(header.split(b"element " + name)[1].split()[0]) for name in (b"vertex", b"face"))
        vertices = np.frombuffer(body, "<f4", points * 3).reshape(-1, 3)
        rows = np.frombuffer(body[points * 12 :], np.dtype([("n", "u1"), ("c", "<i4", 3)]))
        assert len(rows) == faces and (rows["n"] == 3).all()
        return vertices[rows["c"]], header
    lines = [line.split() for line in raw.decode().splitlines()]
    vertices = np.array([line[1:] for line in lines if line[0] == "v"], float)
    return vertices[np.array([line[1:] for line in lines if line[0] == "f"], int) - 1], raw[:80]


@pytest.mark.parametrize("kind", ["stl", "ply", "obj"])
def test_files_hold_the_mesh(tmp_path, kind):
    mesh = surface_mesh(ball(5.0, size=(14, 14, 14)))
    path = tmp_path / f"muscle.{kind}"
    path.write_text("old")
    mesh.write(path)
    corners, header = read(path)
    np.testing.assert_allclose(corners, mesh.vertices[mesh.faces], rtol=1e-5, atol=1e-5)
    assert b"SPACE=LPS" in header
    assert not header.startswith(b"solid")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_bad_files(tmp_path):
    with pytest.raises(FormatError, match=r"\.stl, \.ply, \.obj"):
        box_mesh().write(tmp_path / "mesh.vtk")
    with pytest.raises(ValueError, match="nothing to write"):
        Mesh(np.zeros((1, 3)), np.zeros((0, 3), int)).write(tmp_path / "mesh.stl")
    with pytest.raises(OSError):
        box_mesh().write(tmp_path / "none" / "mesh.stl")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (np.zeros((3, 2)), [[0, 1, 2]], "vertices must be"),
        (np.full((3, 3), np.nan), [[0, 1, 2]], "vertices must be finite"),
        (np.zeros((3, 3)), [[0, 1, 3]], "but there are 3"),
        (np.zeros((3, 3)), [[0, 1, -1]], "but there are 3"),
        (np.zeros((3, 3)), [[0.0, 1, 2]], "faces must be integers"),
        (np.zeros((3, 3)), [0, 1, 2], "faces must be integers"),
    ],
)
def test_bad_meshes(vertices, faces, message):
    with pytest.raises(ValueError, match=message):
        Mesh(vertices, faces)


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_areas_of_slices_are_exact(axis):
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 3, (5, 6, 7))
    volume = Volume(labels, (0.5, 1.0, 2.0), (10, 20, 30), TURN)
    found = cross_sectional_area(volume, 2, axis=axis)
    number = "zyx".index(axis)
    steps = np.array((2.0, 1.0, 0.5))
    others = tuple({0, 1, 2} - {number})
    np.testing.assert_allclose(found.area_cm2, (labels == 2).sum(axis=others) * steps[list(others)].prod() / 100)
    np.testing.assert_allclose(found.positions_mm, np.arange(labels.shape[number]) * steps[number])
    index = np.zeros(3)
    index[2 - number] = 3
    np.testing.assert_allclose(found.centres[3], TURN @ (index * [0.5, 1, 2]) + [10, 20, 30])


def test_areas_across_an_oblique_cylinder():
    direction = np.array([0.3, 0.2, 1.0]) / np.linalg.norm([0.3, 0.2, 1.0])
    at = np.moveaxis(np.indices((60, 44, 44))[::-1], 0, -1) * 0.5 - [11, 11, 15]
    along = at @ direction
    across = np.linalg.norm(at - along[..., None] * direction, axis=-1)
    volume = Volume(((across < 5) & (np.abs(along) < 11)).astype(np.uint8), 0.5, (-11, -11, -15))
    for axis in ("principal", np.array([-14 * direction, 0 * direction, 14 * direction])):
        found = cross_sectional_area(volume, axis=axis)
        np.testing.assert_allclose(np.abs(found.normals @ direction), 1, atol=1e-3)
        middle = np.abs(found.centres @ direction) < 9
        np.testing.assert_allclose(found.area_cm2[middle], np.pi * 0.25, rtol=0.03)
        assert found.volume_ml == pytest.approx(volumes_ml(volume)[1], rel=0.02)
        assert found.area_cm2[0] == found.area_cm2[-1] == 0
        assert found.largest_cm2 == found.area_cm2.max()


def test_bad_arguments():
    labels = np.zeros((3, 4, 5), int)
    labels[1, 1, 1] = 3
    for function in (surface_mesh, cross_sectional_area):
        with pytest.raises(ValueError, match=r"no voxel has the label 1; the labels are \[3\]"):
            function(labels)
        with pytest.raises(ValueError, match="no voxel has the label 0"):
            function(labels, 0)
        with pytest.raises(ValueError, match="negative"):
            function(-labels, 3)
        with pytest.raises(TypeError, match="integer"):
            function(labels * 1.0, 3)
        with pytest.raises(ValueError, match="spacing comes with a Volume"):
            function(Volume(labels, 1.0), 3, spacing=1.0)
    for change, message in (({"smooth": -1.0}, "smooth"), ({"step": 0}, "step"), ({"smooth": np.nan}, "smooth")):
        with pytest.raises(ValueError, match=message):
            surface_mesh(labels, 3, **change)
    for change, message in (
        ({"axis": "w"}, "axis must be one of"),
        ({"axis": [[0, 0, 0]]}, "two or more"),
        ({"axis": [[0, 0, 0], [0, 0, 0]]}, "no length"),
        ({"axis": [[0, 0, 0], [0, 0, np.nan]]}, "finite"),
        ({"step_mm": 1.0}, "step_mm goes with"),
        ({"axis": "principal", "step_mm": 0.0}, "step_mm must be positive"),
        ({"axis": [[0, 0, 0], [0, 0, 1e9]]}, "too many"),
    ):
        with pytest.raises(ValueError, match=message):
            cross_sectional_area(labels, 3, **change)
    assert cross_sectional_area(labels, 3, axis="principal").area_cm2.max() > 0
    assert np.isnan(cross_sectional_area(labels[1:2], 3).volume_ml)
