"""Which providers are out of use, kept for other processes and later ones."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from promptwire_server.core.standing import Standing
from promptwire_server.stores.standings import Standings

OFF = Standing(enabled=False, reason="prix trop élevés", changed_s=1.5, clear_by_s=2.5)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "providers.json"


def test_where_nothing_was_kept_nothing_is_out_of_use(file: Path) -> None:
    assert Standings(file).changed() is None
    assert not file.parent.exists()


def test_what_one_keeps_the_other_reads_once(file: Path) -> None:
    one, other = Standings(file), Standings(file)
    one.keep("acme", OFF)
    assert other.changed() == {"acme": OFF}
    assert other.changed() is None
    one.keep("acme", Standing(changed_s=3.0))
    assert other.changed() == {"acme": Standing(changed_s=3.0)}


def test_many_writers_lose_nothing(file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: Standings(file).keep(f"p-{number}", OFF), range(40)))
    found = Standings(file).changed()
    assert found is not None
    assert sorted(found) == sorted(f"p-{number}" for number in range(40))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"acme": 3}', '{"acme": {"mode": "off"}}', '"x"'])
def test_a_broken_file_says_nothing_and_is_written_anew(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    standings = Standings(file)
    assert standings.changed() == {}
    standings.keep("acme", OFF)
    assert standings.changed() == {"acme": OFF}


def test_a_directory_that_cannot_be_written_to_raises_and_changes_nothing(file: Path) -> None:
    file.parent.write_text("no directory")
    with pytest.raises(OSError, match="state"):
        Standings(file).keep("acme", OFF)


def test_nobody_else_may_read_it(file: Path) -> None:
    Standings(file).keep("acme", OFF)
    assert file.parent.stat().st_mode & 0o077 == 0
