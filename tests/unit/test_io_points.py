"""Tables of points and boxes."""

import numpy as np
import pytest

from millimorph.errors import FileError, OutputError
from millimorph.images import Boxes, Landmarks
from millimorph.io import read_boxes, read_landmarks, write_boxes, write_landmarks


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("count", [0, 1, 50])
@pytest.mark.parametrize("named", [False, True])
def test_numbers_and_names_come_back_exactly(tmp_path, dimension, count, named):
    points = np.random.default_rng(0).normal(0, 1e5, (count, dimension)) / 3
    names = tuple(f'point, "{k}"' for k in range(count)) if named else ()
    write_landmarks(Landmarks(points, names), tmp_path / "a.csv")
    back = read_landmarks(tmp_path / "a.csv")
    np.testing.assert_array_equal(back.points_mm, points)
    assert back.names == names
    assert back.dimension == dimension
    write_boxes(Boxes(points, points + 1, names), tmp_path / "b.csv")
    boxes = read_boxes(tmp_path / "b.csv")
    np.testing.assert_array_equal(boxes.lower_mm, points)
    np.testing.assert_array_equal(boxes.upper_mm, points + 1)
    assert boxes.names == names


def test_the_table_is_plain(tmp_path):
    write_landmarks(Landmarks([[0.1, -2.0, 1e-7]], ("carina",)), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "name,x,y,z\ncarina,0.1,-2.0,1e-07\n"
    write_boxes(Boxes([[0, 1]], [[2, 3]]), tmp_path / "b.csv")
    expected = "name,x_min,y_min,x_max,y_max\n,0.0,1.0,2.0,3.0\n"
    assert (tmp_path / "b.csv").read_text() == expected


@pytest.mark.parametrize(
    "text", ["x,y,z\n1,2,3\n", "\ufeffname,x,y,z\r\na,1,2,3\r\n\r\n", "z, y ,x,name\n3,2,1,a\n"]
)
def test_usual_spellings_are_read(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode())
    np.testing.assert_array_equal(read_landmarks(tmp_path / "a.csv").points_mm, [[1, 2, 3]])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("name,x\na,1\n", "line 1 must name the columns name,x,y or name,x,y,z"),
        ("name,x,y,z,w\na,1,2,3,4\n", "line 1"),
        ("name,x,y,x\na,1,2,3\n", "line 1"),
        ("name,x,y,z\na,1,2,3\nb,1,2\n", "line 3 has 3 fields"),
        ("name,x,y,z\na,1,2,3\nb,1,two,3\n", "line 3, column y: 'two'"),
        ("name,x,y,z\na,1,2,nan\n", "line 2, column z: 'nan'"),
        ("name,x,y,z\na,1,2,3\na,1,2,3\n", '"a" occurs twice'),
        ('name,x,y,z\n"a,1,2,3\n', "not CSV"),
        (b"name,x,y\n\xff,1,2\n", "UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, reason):
    (tmp_path / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileError, match=r"a\.csv: ") as caught:
        read_landmarks(tmp_path / "a.csv")
    assert reason in str(caught.value)


def test_boxes_upside_down_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("name,x_min,y_min,x_max,y_max\na,1,2,0,3\n")
    with pytest.raises(FileError, match=r"a\.csv: box 0"):
        read_boxes(tmp_path / "a.csv")


def test_tables_end_in_csv(tmp_path):
    with pytest.raises(OutputError, match=r"\.csv"):
        write_landmarks(Landmarks([[1.0, 2.0]]), tmp_path / "a.txt")
