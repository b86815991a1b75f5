"""Results on disk: rasters, tables, pictures and the record, written whole or not at all."""

from strandline.atomic import replacing
from strandline.export.array import write_arrays
from strandline.export.comparison import compare_outputs, verify_inputs
from strandline.export.fingerprint import fingerprint
from strandline.export.picture import write_page, write_picture
from strandline.export.raster import write_cog
from strandline.export.record import build_record, read_record, write_record
from strandline.export.stac import write_item
from strandline.export.staging import staged_folder
from strandline.export.style import write_style
from strandline.export.table import (
    read_evidence,
    write_areas,
    write_evidence,
    write_signatures,
    write_table,
)
from strandline.export.vector import write_vectors

__all__ = [
    "build_record",
    "compare_outputs",
    "fingerprint",
    "read_evidence",
    "read_record",
    "replacing",
    "staged_folder",
    "verify_inputs",
    "write_areas",
    "write_arrays",
    "write_cog",
    "write_evidence",
    "write_item",
    "write_page",
    "write_picture",
    "write_record",
    "write_signatures",
    "write_style",
    "write_table",
    "write_vectors",
]
