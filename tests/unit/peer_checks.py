"""What nnU-Net and MONAI say of exported data sets: run by an interpreter that has them.

Called with the path of a JSON list of checks, each {"check": ..., "path": ...}; prints a JSON list
of answers. It imports nothing of millimorph.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

RAW = "nnUNet_raw"


def nnunet(path):
    """Raise unless nnU-Net's own check accepts a raw data set."""
    from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

    verify_dataset_integrity(path, num_processes=1)
    return "accepted"


def nnunet_splits(path):
    """Return nnU-Net's own list of the cases, with the shape and the type of their images."""
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
    from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

    found = get_filenames_of_train_images_and_targets(path)
    first = next(iter(found.values()))
    images, _ = SimpleITKIO().read_images(first["images"])
    return {"cases": sorted(found), "shape": list(images.shape)}


def decathlon(path):
    """Convert a data set of the Decathlon with nnU-Net's converter, and check what comes out."""
    from nnunetv2.dataset_conversion.convert_MSD_dataset import convert_msd_dataset

    convert_msd_dataset(path, overwrite_target_id=321, num_processes=1)
    (raw,) = Path(os.environ[RAW]).glob("Dataset321_*")
    return {**nnunet_splits(str(raw)), "verified": nnunet(str(raw))}


def monai(path):
    """Read both lists of a data list, and the first item of each."""
    from monai.data import check_missing_files, load_decathlon_datalist
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

    keys = ("image", "label")
    load = Compose([LoadImaged(keys), EnsureChannelFirstd(keys)])
    answer = {}
    for key in ("training", "validation"):
        if key in json.loads(Path(path).read_text("utf-8")):
            items = load_decathlon_datalist(path, data_list_key=key)
            first = load(items[0])
            answer[key] = {
                "count": len(items),
                "missing": [str(one) for one in check_missing_files(items, keys)],
                "shapes": [list(first[name].shape) for name in keys],
                "groups": sorted({item["group"] for item in items}),
            }
    return answer


CHECKS = {one.__name__: one for one in (nnunet, nnunet_splits, decathlon, monai)}


def main(jobs):
    """Answer all checks; what an exception says is an answer too."""
    answers = []
    for job in json.loads(Path(jobs).read_text("utf-8")):
        try:
            answers.append(CHECKS[job["check"]](job["path"]))
        except Exception as error:  # noqa: BLE001 - a refusal is what the test wants to see
            answers.append(f"{type(error).__name__}: {error}")
    sys.stdout.write(f"\nanswers: {json.dumps(answers)}\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name in (RAW, "nnUNet_preprocessed", "nnUNet_results"):
            os.environ[name] = str(Path(folder) / name)
            Path(os.environ[name]).mkdir()
        main(sys.argv[1])
