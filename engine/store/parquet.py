"""Parquet files of the home, read with an eye on their size: a few bytes can stand for billions of rows."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.store.errors import ErsatzError

MOST_CELLS = 100_000_000
"""Rows times columns that are read; a sweep of 100 images with 10,000 trials has 2 million."""
MOST_BYTES = 4 * 2**30


def read_parquet(path: Path, omit: Collection[str] = (), **options: Any) -> pd.DataFrame:
    """The content of a Parquet file without some columns; `options` are those of `pandas.read_parquet`.

    Raises `ErsatzError` where it is damaged or would be larger than any table of this program.
    """
    try:
        told = pq.read_metadata(path)
        groups = [told.row_group(number) for number in range(told.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        rows = max(told.num_rows, sum(group.num_rows for group in groups))  # a damaged file claims one of both
        if rows * max(1, told.num_columns) > MOST_CELLS or size > MOST_BYTES:
            raise ErsatzError(
                f"{path} claims {rows:,} rows and {size:,} bytes; at most {MOST_CELLS:,} cells and "
                f"{MOST_BYTES:,} bytes are expected. Restore it from a backup or make it again."
            )
        if omit:
            options["columns"] = [name for name in told.schema.to_arrow_schema().names if name not in omit]
        return pd.read_parquet(path, **options)
    except FileNotFoundError as error:
        raise ErsatzError(f"{path} is missing; was its folder deleted? Choose another, or make it again.") from error
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise ErsatzError(
            f"{path} is not readable as Parquet ({error}); restore it from a backup or make it again."
        ) from error
