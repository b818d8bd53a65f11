"""Finished jobs as data sets of other tools, each originals and copies with splits by patient."""

from millimorph.generate.exports.bids import export_bids
from millimorph.generate.exports.files import Placing
from millimorph.generate.exports.lists import export_decathlon, export_monai
from millimorph.generate.exports.nnunet import export_nnunet
from millimorph.generate.exports.report import Export

__all__ = ["Export", "Placing", "export_bids", "export_decathlon", "export_monai", "export_nnunet"]
