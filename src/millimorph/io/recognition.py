"""Which layout a folder has, told by the files that describe it."""

from pathlib import Path
from typing import Literal

from millimorph.errors import FileError
from millimorph.io import bids, datalists, decathlon, nnunet, tables
from millimorph.io.data_set import DataSet, read_description

Layout = Literal["auto", "nnunet", "decathlon", "monai", "bids", "table", "files"]


def find_data_set(folder: str | Path, layout: Layout = "auto") -> DataSet | None:
    """Return the cases of a folder in a layout; None if it has none that is known.

    With "auto": a dataset.json with channel_names is nnU-Net's, one with modality and training the
    Decathlon's, one with training alone or a datalist.json MONAI's; dataset_description.json means
    BIDS; a .csv or .tsv whose header has id and image or label is a table of cases. "files" is no
    layout: None.

    Raises FileError for a folder that breaks the rules of its layout, and one that lacks what the
    named layout needs.
    """
    folder = Path(folder)
    match layout:
        case "nnunet":
            return nnunet.read_nnunet(folder)
        case "decathlon":
            return decathlon.read_decathlon(folder)
        case "monai":
            described = folder / datalists.DESCRIPTION
            return datalists.read_datalist(
                described if described.is_file() else folder / nnunet.DESCRIPTION
            )
        case "bids":
            return bids.read_bids(folder)
        case "table":
            return _table(folder, tables.find_tables(folder))
        case "files":
            return None
        case "auto":
            try:
                return _recognised(folder)
            except OSError as error:
                raise FileError(f"{folder}: cannot be read: {error.strerror or error}") from error


def _recognised(folder: Path) -> DataSet | None:
    description = folder / nnunet.DESCRIPTION
    if description.is_file():
        content = read_description(description)
        if nnunet.is_nnunet(content):
            return nnunet.read_nnunet(folder)
        if decathlon.is_decathlon(content):
            return decathlon.read_decathlon(folder)
        if datalists.is_datalist(content):
            return datalists.read_datalist(description)
    if (folder / datalists.DESCRIPTION).is_file():
        return datalists.read_datalist(folder / datalists.DESCRIPTION)
    if (folder / bids.DESCRIPTION).is_file():
        return bids.read_bids(folder)
    found = tables.find_tables(folder) if folder.is_dir() else []
    return _table(folder, found) if found else None


def _table(folder: Path, found: list[Path]) -> DataSet:
    if not found:
        raise FileError(
            f"{folder}: no table of cases here; it is a .csv or .tsv file with the columns id and "
            f"image (or image:NAME), and others such as label, points and group"
        )
    if len(found) > 1:
        listed = ", ".join(path.name for path in found)
        raise FileError(f"{folder}: has several tables of cases: {listed}; keep one of them here")
    return tables.read_table(found[0])
