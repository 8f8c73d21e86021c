"""Arrays on disk against plain arrays in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.arrays import ArraySpec, DiskArray
from chain.errors import StoreError, StoreUnavailable

ROWS = 4_096
"""The smallest segment that starts on a page for every item size."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 3 * ROWS)),
        st.tuples(st.just("truncate"), st.integers(0, 100)),
        st.tuples(st.just("publish"), st.just(0)),
    ),
    max_size=12,
)


def _array(folder: Path, width: int = 1) -> DiskArray:
    return DiskArray(ArraySpec("values", "i8" if width == 1 else "u1", "tx", width), folder, [], 0, ROWS)


@given(steps=STEPS, width=st.sampled_from([1, 32]))
def test_growing_and_cutting_equals_a_plain_array(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], width: int
) -> None:
    array = _array(tmp_path_factory.mktemp("array"), width)
    dtype = np.int64 if width == 1 else np.uint8
    model = np.empty((0,) if width == 1 else (0, width), dtype)
    published, views = 0, []
    for number, (step, amount) in enumerate(steps):
        if step == "append":
            rows = np.full((amount, *model.shape[1:]), number + 1, dtype)
            array.append(rows)
            model = np.concatenate((model, rows))
        elif step == "truncate":
            count = len(model) * amount // 100
            array.truncate(count, published)
            published = min(published, count)
            model = model[:count]
        else:
            array.sync()
            published = array.count
            views.append((array.view(), model.copy()))
        assert array.count == len(model)
    assert (array.view() == model).all()
    for view, was in views:
        assert (view == was).all(), "what a reader mapped stays as it was"


def test_a_reader_of_the_same_files_sees_the_same(tmp_path: Path) -> None:
    array = _array(tmp_path)
    array.append(np.arange(2 * ROWS + 7))
    other = DiskArray(array.spec, tmp_path, list(array.generations), array.count, ROWS)
    assert (other.view() == np.arange(2 * ROWS + 7)).all()


def test_a_view_cannot_be_written(tmp_path: Path) -> None:
    array = _array(tmp_path)
    array.append(np.arange(3))
    with pytest.raises(ValueError, match="read-only"):
        array.view()[0] = 1


def test_a_file_that_was_cut_short_is_told_and_not_read(tmp_path: Path) -> None:
    array = _array(tmp_path)
    array.append(np.arange(ROWS))
    path = array.path(0)
    path.write_bytes(path.read_bytes()[:-8])
    reader = DiskArray(array.spec, tmp_path, list(array.generations), array.count, ROWS)
    with pytest.raises(StoreError, match="damaged"):
        reader.view()


def test_rows_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="shape"):
        _array(tmp_path, 32).append(np.zeros((4, 31), np.uint8))


def test_no_room_is_an_expected_error_and_counts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = _array(tmp_path)
    array.append(np.arange(10))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        array.append(np.arange(10))
    monkeypatch.undo()
    assert array.count == 10
    array.append(np.arange(5))
    assert array.view().tolist() == [*range(10), *range(5)]
