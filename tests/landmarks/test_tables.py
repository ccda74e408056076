"""Tables of landmarks as people have them: each form is read as what it is, or refused."""

import warnings

import numpy as np
import pytest

import scp
from scp.datasets import DatasetError

NAN = np.nan
TWO = [[[1.5, 2], [3, 4]], [[5, 6], [7, 8.25]]]
ROWS = "a.png,1.5,2,3,4\nb.png,5,6,7,8.25\n"
LONG = "a.png,s,1.5,2\na.png,n,3,4\nb.png,s,5,6\nb.png,n,7,8.25\n"


def read(tmp_path, text, **options):
    path = tmp_path / "points.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return scp.read_landmarks(path, **options)


def quietly(tmp_path, text, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read(tmp_path, text, **options)


def pool(ids, shape=(200, 100)):
    return scp.datasets.arrays([np.zeros(shape, np.uint8) for _ in ids], ids)


@pytest.mark.parametrize(
    "header, names",
    [
        ("id,X1,Y1,X2,Y2", "12"),
        ("image,x1,y1,x2,y2", "12"),
        ("File,1_x,1_y,2_x,2_y", "12"),
        ("file_name,1x,1y,2x,2y", "12"),
        ("Image ID,s_x,s_y,n_x,n_y", "sn"),
        ("name,s.x,s.y,n.x,n.y", "sn"),
        ("filename,s x,s y,n x,n y", "sn"),
        ("path,s-x,s-y,n-x,n-y", "sn"),
        ("PATH,s (x),s (y),n [x],n [y]", "sn"),
        ("Image,x_s,y_s,x_n,y_n", "sn"),
        ("image,X.s,Y.s,X.n,Y.n", "sn"),
        ("IMAGE,s_X,s_Y,n_X,n_Y", "sn"),
        ("img,x,y,x,y", "12"),
        ("img,x,y,x.1,y.1", "12"),
        ("image_id, s_x , s_y ,n_x, n_y", "sn"),
        (",s_x,s_y,n_x,n_y", "sn"),
        ("Unnamed: 0,s_x,s_y,n_x,n_y", "sn"),
    ],
)
def test_headers_of_wide_tables(tmp_path, header, names):
    found = quietly(tmp_path, f"{header}\n{ROWS}")
    assert found.ids == ["a.png", "b.png"] and found.names == list(names)
    np.testing.assert_array_equal(found.xy, TWO)


@pytest.mark.parametrize(
    "header",
    [
        "file,label,x,y",
        "Image,Landmark,X,Y",
        "filename,point,x,y",
        "image_id,keypoint,X,Y",
        "id,landmark,x,y",
        "path,name,x,y",
        "file,name,x_px,y_px",
        "image name,landmark name,x coord,y coord",
        "name,label,x,y",
        "file,id,x,y",
    ],
)
def test_headers_of_long_tables(tmp_path, header):
    found = quietly(tmp_path, f"{header}\n{LONG}")
    assert found.ids == ["a.png", "b.png"] and found.names == ["s", "n"]
    np.testing.assert_array_equal(found.xy, TWO)


def test_columns_in_another_order_and_confidence(tmp_path):
    text = "y,likelihood,Label,x,File\n2,0.5,s,1,a.png\n,,n,,a.png\n"
    found = quietly(tmp_path, text)
    np.testing.assert_array_equal(found.xy, [[[1, 2], [NAN, NAN]]])
    np.testing.assert_array_equal(found.confidence, [[0.5, NAN]])
    found = quietly(tmp_path, "file,s_x,s_y,s_likelihood,n_x,n_y,n_likelihood\na,1,2,.5,3,4,1\n")
    np.testing.assert_array_equal(found.confidence, [[0.5, 1]])
    found = quietly(tmp_path, "file,label,x,y,visible\na,s,1,2,0\na,n,1,2,1\n")
    assert found.visible.tolist() == [[False, True]]


def test_one_point(tmp_path):
    found = quietly(tmp_path, "file,x,y\na.png,1,2\nb.png,,\n")
    assert found.names == ["1"]
    np.testing.assert_array_equal(found.xy, [[[1, 2]], [[NAN, NAN]]])
    with pytest.raises(DatasetError, match=r"line 3: .* in line 2 already; .*column 'landmark'"):
        read(tmp_path, "file,x,y\na,1,2\na,3,4\n")


def test_without_a_header(tmp_path):
    for text in (ROWS, ROWS.replace(",", "\t"), ROWS.replace(",", " "), f"# made by hand\n{ROWS}"):
        with pytest.warns(UserWarning, match="without a header: .* 2 landmarks called 1 to 2"):
            found = read(tmp_path, text)
        assert found.ids == ["a.png", "b.png"] and found.names == ["1", "2"]
        np.testing.assert_array_equal(found.xy, TWO)
    with pytest.warns(UserWarning, match="without a header"):
        found = read(tmp_path, "a;1,5;2\nb;3;4,25\n")
    np.testing.assert_array_equal(found.xy, [[[1.5, 2]], [[3, 4.25]]])
    with pytest.warns(UserWarning, match="without a header"):  # Payer's all.csv: an id, 37 points
        found = read(tmp_path, "".join(f"{i}{',1,2' * 37}\n" for i in (3142, 3143)))
    assert found.ids == ["3142", "3143"] and len(found.names) == 37
    for text in ("a,1,2,3\n", "829,991\n1465,1035\n", "a,b,1,2\n"):
        with pytest.raises(DatasetError, match="line 1: expected a header"):
            read(tmp_path, text)


def test_what_pandas_and_spreadsheets_add(tmp_path):
    for first in (",", "Unnamed: 0,"):
        for start in (0, 1):
            lines = ROWS.splitlines()
            numbered = "".join(f"{k},{line}\n" for k, line in enumerate(lines, start))
            found = quietly(tmp_path, f"{first}file,s_x,s_y,n_x,n_y\n{numbered}")
            np.testing.assert_array_equal(found.xy, TWO)
    found = quietly(tmp_path, ",image,landmark,x,y,error,source\n0,a,s,1,2,0.5,found\n")
    assert found.error.tolist() == [[0.5]] and found.source.tolist() == [["found"]]
    with pytest.warns(UserWarning, match="not used: ''"):
        read(tmp_path, ",file,s_x,s_y\n7,a,1,2\n3,b,1,2\n")
    found = quietly(tmp_path, "image,s_x,s_y,,\r\na,1,2,,\r\n,,,,\r\nb,3,4,,\r\n")
    assert found.ids == ["a", "b"]
    with pytest.raises(DatasetError, match=r"line 2: 'seen' is in a column without a name"):
        read(tmp_path, "file,s_x,s_y,\na,1,2,seen\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", "\t", " ", "  "])
def test_other_delimiters_and_decimal_commas(tmp_path, encoding, delimiter):
    header = delimiter.join(["Bild-ID", "s_x", "s_y"]).replace("Bild-ID", "Image_ID")
    text = f"# by hand\r\n\r\n{header}\r\n" + delimiter.join(["ü.png", "1,5", "2"]) + "\r\n"
    if not delimiter.strip():
        text = text.replace("1,5", "1.5")
    found = quietly(tmp_path, text.encode(encoding))
    assert found.ids == ["ü.png"] and found.xy.tolist() == [[[1.5, 2]]]


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "Image ID,file,x1,y1\n",
            r"line 1: which column is the image, 'Image ID' or 'file'",
        ),
        ("id,name,x,y\n", r"line 1: which column is the image, 'id' or 'name'"),
        ("file,label,point,x,y\n", r"line 1: which column is the landmark, 'label' or 'point'"),
        ("file,label,x,y,score,likelihood\n", r"which column is the confidence"),
        ("file,x1,y1,x2\n", r"line 1: column 'x2' without the y of '2'"),
        ("file,s_x,s_y,n_y\n", r"line 1: column 'n_y' without the x of 'n'"),
        ("file,s_x,s x,s_y\n", r"columns 's_x' and 's x' are both the x of 's'"),
        ("file,s_x,s_y,s_x\n", r"columns 's_x' and 's_x' are both"),
        ("file,x_x,x_y,y_x,y_y\n", r"is the axis the first or the last letter"),
        ("file,x,y,n_x,n_y\n", r"columns 'x' and 'y', and 'n_x' too"),
        ("file,s,n\na,1,2\n", r"no landmark in the header"),
        ("s_x,s_y\n1,2\n", r"line 1: expected a header"),
        (",s_x,s_y\n0,1,2\n1,3,4\n", r"line 1: expected a header"),
        ("file,x1,y1\na,1\n", r"line 2: 3 cells expected, got 2"),
        ("file,x1,y1\na,1,two\n", r"line 2: y: 'two' is not a number"),
        ("file,x1,y1,x2,y2\na,1,,1,1\n", r"line 2: one of 1_x and 1_y is empty"),
        ("file,x1,y1\na,1,2\na,1,2\n", r"line 3: image 'a' is in line 2 already"),
        ("file,label,x,y\na,s,1,2\na,s,1,2\n", r"line 3: landmark 's' of image 'a' is there"),
        ("file,label,x,y\na,,1,2\n", r"line 2: the name of a landmark is empty"),
        ("file,label,x,y\n,s,1,2\n", r"line 2: the name of an image is empty"),
        ("file,id,x,y\na,1,1,2\na,2,1,2\nb,3,1,2\nb,4,1,2\n", r"seems to count the lines"),
        ("file,x1,y1\n", r"no image in it"),
        ("file,s_x,s_y,S_x,S_y\na,1,2,,\nb,,,1,2\n", r"differ in case"),
    ],
)
def test_what_could_be_two_things_is_refused(tmp_path, text, message):
    with pytest.raises(DatasetError, match=r"points\.csv.*" + message):
        read(tmp_path, text)


def test_unknown_columns_are_said_once(tmp_path):
    text = "file,label,x,y,reader,date\na,s,1,2,me,today\nb,s,1,2,me,today\n"
    with pytest.warns(UserWarning, match="not used: 'reader', 'date'$") as caught:
        read(tmp_path, text)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="not used: 'width'"):
        read(tmp_path, "file,width,x1,y1\na,100,1,2\n")
    with pytest.raises(DatasetError, match="unknown column 'reader'"):  # in our own form
        read(tmp_path, "image,landmark,x,y,reader\na,s,1,2,me\n")


def test_images_are_known_by_name(tmp_path):
    images = pool(["001.png", "set/002.png"])
    found = quietly(tmp_path, "ID,x1,y1\n001,1,2\nC:\\x\\set\\002.png,3,4\n", images=images)
    assert found.ids == ["001.png", "set/002.png"]
    found = quietly(tmp_path, "ID,x1,y1\n1,1,2\n2,3,4\n", images=images)  # by a spreadsheet
    assert found.ids == ["001.png", "set/002.png"]
    with pytest.raises(DatasetError, match=r"line 2: image '1' could be 001\.png or 01\.png"):
        read(tmp_path, "ID,x1,y1\n1,1,2\n", images=pool(["001.png", "01.png"]))
    with pytest.raises(DatasetError, match=r"line 2: no image is called '3'"):
        read(tmp_path, "ID,x1,y1\n3,1,2\n", images=images)
    with pytest.raises(DatasetError, match=r"line 2: landmark '1' at \(1, 900\) is outside"):
        read(tmp_path, "ID,x1,y1\n1,1,900\n", images=images)


def test_units(tmp_path):
    images = pool(["a.png", "b.png"])  # of 100 x 200 pixels
    half = "file,x1,y1,x2,y2\na.png,0.5,0.5,0,1\nb.png,0.1,0.2,0.3,0.4\n"
    expected = [[[49.5, 99.5], [-0.5, 199.5]], [[9.5, 39.5], [29.5, 79.5]]]
    found = quietly(tmp_path, half, images=images, units="fraction")
    np.testing.assert_allclose(found.xy, expected, atol=1e-12)
    found = quietly(tmp_path, half, images=images, units="fraction", origin="center")
    np.testing.assert_allclose(found.xy, np.array(expected) + 0.5, atol=1e-12)
    with pytest.raises(DatasetError, match=r"points\.csv: all coordinates .*--units fraction"):
        read(tmp_path, half, images=images)
    assert quietly(tmp_path, half, images=images, units="pixels").xy.max() == 1
    percent = "image,p_x,p_y\na,50,25\n"
    found = quietly(tmp_path, percent, images=images, units="percent")
    assert found.xy.tolist() == [[[49.5, 49.5]]]
    with pytest.raises(ValueError, match="the images are needed too"):
        read(tmp_path, percent, units="percent")
    with pytest.raises(DatasetError, match="outside the image of 1 x 1 units"):
        read(tmp_path, "file,x1,y1\na,50,25\n", images=images, units="fraction")
    with pytest.raises(DatasetError, match="no image is called 'c'"):
        read(tmp_path, "image,p_x,p_y\nc,50,25\n", images=images, units="percent")
    with pytest.raises(ValueError, match="units must be one of pixels, fraction, percent"):
        read(tmp_path, percent, units="mm")
    found = quietly(tmp_path, "file,x1,y1\na,1,1\n", images=images, origin="one")
    assert found.xy.tolist() == [[[0, 0]]]
