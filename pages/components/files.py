"""Files of run folders, read once for as long as they stay the same.

What nobody copies is kept without Streamlit, which takes longer to hash what is asked for than a page of many runs has.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import pandas as pd
import streamlit as st

from engine.sampling.exported import INFO_FILE, GeneratorInfo, read_info
from engine.store.parquet import read_parquet
from engine.store.versioned import Versioned

Content = TypeVar("Content", bound=Versioned)


def stamp(path: Path) -> tuple[Path, float, int]:
    """A file with its time and size: the key under which its content is cached."""
    stat = path.stat()
    return path, stat.st_mtime, stat.st_size


def generator_info(run_path: Path) -> GeneratorInfo:
    """What the exported generator of a run is; `has_generator` says whether there is one."""
    return _generator_info(*stamp(run_path / INFO_FILE))


def read_model(path: Path, model: type[Content]) -> Content:
    """The content of a JSON file as its model, which is not copied."""
    return _result(*stamp(path), model)


def table_of(path: Path, omit: tuple[str, ...] = ()) -> pd.DataFrame:
    """The content of a Parquet file without the columns in `omit`."""
    return _table(*stamp(path), omit)


@lru_cache(256)
def _generator_info(path: Path, written: float, size: int) -> GeneratorInfo:
    return read_info(path.parent)


@lru_cache(256)
def _result(path: Path, written: float, size: int, model: type[Content]) -> Content:
    return model.read(path)


@st.cache_data(max_entries=16, show_spinner=False)
def _table(path: Path, written: float, size: int, omit: tuple[str, ...]) -> pd.DataFrame:
    # not read and then dropped: scores of every image by every trial are most of a file
    return read_parquet(path, omit=omit)
