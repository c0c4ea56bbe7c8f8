"""CaseTable: from results, to files and back."""

import json
from math import inf, nan

import numpy as np
import pytest

from usfast import FormatError
from usfast.metrics import overlap, surface
from usfast.metrics.statistics import CaseTable


def masks():
    ref = np.zeros((10, 12), np.uint8)
    ref[2:6, 2:9] = 1
    ref[6:9, 2:9] = 2
    return np.roll(ref, 1, axis=1), ref


def test_of_one_structure():
    pred, ref = (mask > 0 for mask in masks())
    s = surface(pred, ref, percentiles=(95, 99.5), tolerances=(0.5, 2), boundary_width=2.0)
    o = overlap(pred, ref)
    row = CaseTable.of({"leg": [s, o]}).row("leg")
    assert row["hd"] == s.hd
    assert row["hd99.5"] == s.hd_percentile[99.5]
    assert row["nsd@0.5mm"] == s.nsd[0.5]
    assert row["nsd@2mm"] == s.nsd[2]
    assert row["boundary_iou"] == s.boundary_iou
    assert row["dice"] == o.dice
    assert row["volume_error_percent"] == 0


def test_of_labels_with_names_and_missing_ones():
    pred, ref = masks()
    results = {"a": overlap(pred, ref, labels="all"), "b": overlap(pred == 1, ref == 1, labels=[1]), "c": {"dice": 1}}
    table = CaseTable.of(results, names={1: "soleus"})
    assert table.cases == ("a", "b", "c")
    assert table["dice[soleus]"][:2] == pytest.approx([overlap(pred == 1, ref == 1).dice] * 2)
    assert np.isnan(table["dice[2]"][1:]).all()
    assert table["dice"][2] == 1
    assert len(table) == 3


def test_of_labels_and_kinds():
    pred, ref = masks()
    part = overlap(pred, ref, labels=[1])[1]
    table = CaseTable.of({"a": {1: {"distinct": part}}})
    assert "dice[1][distinct]" in table.metrics


def test_values_are_a_frozen_copy():
    values = np.ones((1, 1))
    table = CaseTable(["a"], ["dice"], values)
    values[:] = 0
    assert table["dice"].tolist() == [1]
    with pytest.raises(ValueError, match="read-only"):
        table.values[0, 0] = 2


@pytest.mark.parametrize("table", [CaseTable([], ["dice"], []), CaseTable(["a"], [], []), CaseTable([], [], [])])
def test_empty_tables_go_to_files_and_back(table, tmp_path):
    table.to_csv(tmp_path / "t.csv")
    table.to_json(tmp_path / "t.json")
    back = CaseTable.from_csv(tmp_path / "t.csv")
    assert (back.cases, back.metrics, back.values.shape) == (table.cases, table.metrics, table.values.shape)
    assert CaseTable.of({}).values.shape == (0, 0)


def test_csv_there_and_back(tmp_path):
    values = np.array([[1 / 3, inf, nan], [-inf, 5e-324, 1e300]])
    table = CaseTable(['leg, "left"', "Bein ü\nrechts"], ["dice", "hd95[soleus]", "nsd@1mm"], values)
    table.to_csv(tmp_path / "t.csv")
    back = CaseTable.from_csv(tmp_path / "t.csv")
    assert (back.cases, back.metrics) == (table.cases, table.metrics)
    np.testing.assert_array_equal(back.values, values)


def test_json_is_strict(tmp_path):
    table = CaseTable(["a"], ["dice", "hd", "assd", "bias"], [[0.5, inf, nan, -inf]])
    table.to_json(tmp_path / "t.json")

    def refuse(constant):
        raise AssertionError(constant)

    read = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert read == {"a": {"dice": 0.5, "hd": "inf", "assd": None, "bias": "-inf"}}
    assert [file.name for file in tmp_path.iterdir()] == ["t.json"]


def test_pandas_is_asked_for_only_where_it_is_used():
    table = CaseTable(["a"], ["dice"], [[0.5]])
    try:
        import pandas
    except ImportError:
        with pytest.raises(ImportError, match="needs pandas"):
            table.to_pandas()
    else:
        frame = table.to_pandas()
        assert isinstance(frame, pandas.DataFrame)
        assert frame.loc["a", "dice"] == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no header"),
        ("case,dice\na\n", "line 2: 1 fields, but the header has 2"),
        ("case,dice\na,good\n", "line 2: could not convert"),
    ],
)
def test_broken_csv(text, message, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(FormatError, match=message):
        CaseTable.from_csv(tmp_path / "t.csv")


def test_errors():
    with pytest.raises(ValueError, match="case 'a' occurs more than once"):
        CaseTable(["a", "a"], ["dice"], [[1], [2]])
    with pytest.raises(ValueError, match="metric 'dice' occurs more than once"):
        CaseTable(["a"], ["dice", "dice"], [[1, 2]])
    with pytest.raises(ValueError, match=r"shape \(1, 2\), but there are 2 cases and 1 metrics"):
        CaseTable(["a", "b"], ["dice"], [[1, 2]])
    with pytest.raises(KeyError, match="no metric 'hd'; there are dice"):
        CaseTable(["a"], ["dice"], [[1]])["hd"]
    with pytest.raises(KeyError, match="no case 'b'"):
        CaseTable(["a"], ["dice"], [[1]]).row("b")
    with pytest.raises(TypeError, match="must be SurfaceMetrics"):
        CaseTable.of({"a": "good"})
