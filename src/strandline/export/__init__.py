"""Results on disk: rasters, tables, pictures and the record, written whole or not at all."""
