"""The secrets of one store, read again and again."""

import random
import threading

import pytest

from promptwire_server.core.clock import Chance
from promptwire_server.secrets.round import Key
from promptwire_server.secrets.store import Found, Unavailable, Unreadable
from promptwire_server.secrets.watch import News, Watch
from tests.unit.secrets.conftest import Shelf, key

INTERVAL_S = 300.0


def watching(shelf: Shelf, *keys: Key, interval_s: float = INTERVAL_S) -> Watch:
    return Watch("shelf", shelf, keys, interval_s=interval_s, chance=Chance(random.Random(1)))


class Ear:
    """Hears the news, and can be waited for."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self._some = threading.Condition()

    def __call__(self, news: News) -> None:
        with self._some:
            self.news.append(news)
            self._some.notify_all()

    @property
    def kinds(self) -> list[str]:
        return [news.kind for news in self.news]

    def wait(self, count: int) -> bool:
        with self._some:
            return self._some.wait_for(lambda: len(self.news) >= count, 10.0)


def heard(watch: Watch) -> Ear:
    """The news of looks that the test makes itself."""
    ear = Ear()
    watch._tell = ear
    return ear


def test_the_first_look_makes_secrets_known(shelf: Shelf) -> None:
    one, known = key("shelf:x"), key("shelf:y", value="from the start")
    shelf.held["x"] = Found("sk-1")
    assert [outcome.problem for outcome in watching(shelf, one, known).first()] == [""]
    assert one.credential.reveal() == "sk-1"
    assert shelf.asked == ["x"], "what is known is not asked for"


def test_a_change_is_taken_over_and_told_once(shelf: Shelf) -> None:
    one = key("shelf:x#f")
    shelf.held["x"] = Found(fields={"f": "sk-1"})
    watch = watching(shelf, one)
    watch.first()
    ear = heard(watch)
    watch.look()
    assert ear.news == []
    shelf.held["x"] = Found(fields={"f": "sk-2"})
    watch.look()
    watch.look()
    assert ear.news == [News("rotated", ("providers", "x", "api_key"), "shelf:x#f")]
    assert one.credential.reveal() == "sk-2"


def test_a_failure_keeps_the_value_and_is_told_once_a_change_of_state(shelf: Shelf) -> None:
    one = key("shelf:x", value="sk-1")
    watch = watching(shelf, one)
    ear = heard(watch)
    shelf.held["x"] = Unavailable("it is sealed")
    watch.look()
    watch.look()
    shelf.held["x"] = Unreadable("it is denied")
    watch.look()
    assert one.credential.reveal() == "sk-1"
    shelf.held["x"] = Found("sk-1")
    watch.look()
    watch.look()
    shelf.held["x"] = Unavailable("it is sealed")
    watch.look()
    assert [(news.kind, news.problem) for news in ear.news] == [
        ("failing", "it is sealed"),
        ("failing", "it is denied"),
        ("recovered", ""),
        ("failing", "it is sealed"),
    ]


def test_a_value_that_is_of_no_use_is_not_taken_over(shelf: Shelf) -> None:
    one = key("shelf:x", value="k" * 20, least=20)
    watch = watching(shelf, one)
    ear = heard(watch)
    shelf.held["x"] = Found("short")
    watch.look()
    assert ear.kinds == ["failing"]
    assert one.credential.reveal() == "k" * 20


@pytest.mark.parametrize(
    ("found", "interval_s", "longest_s"),
    [
        (Found("v"), 300.0, 300.0),
        (Found("v", ttl_s=2_764_800), 300.0, 300.0),
        (Found("v", ttl_s=60), 300.0, 30.0),
        (Found("v", ttl_s=0.001), 300.0, 1.0),
        (Unavailable("it is sealed"), 300.0, 30.0),
        (Unavailable("it is sealed"), 5.0, 5.0),
    ],
)
def test_the_pause_is_shortened_by_time_to_live_and_by_failures(
    shelf: Shelf, found: Found | Exception, interval_s: float, longest_s: float
) -> None:
    shelf.held["x"] = found
    watch = watching(shelf, key("shelf:x", value="v"), interval_s=interval_s)
    pauses = []
    for _ in range(50):
        watch.look()
        pauses.append(watch.pause_s)
    assert all(0.8 * longest_s <= pause <= longest_s for pause in pauses)
    assert max(pauses) - min(pauses) > 0.1 * longest_s, "servers that started together would ask together"


def test_a_time_to_live_at_the_start_shortens_the_first_pause(shelf: Shelf) -> None:
    shelf.held["x"] = Found("v", ttl_s=20)
    watch = watching(shelf, key("shelf:x"))
    watch.first()
    assert watch.pause_s <= 10


def test_a_thread_looks_until_it_is_stopped(shelf: Shelf) -> None:
    one = key("shelf:x", value="sk-1")
    watch = watching(shelf, one, interval_s=0.001)
    ear = Ear()
    shelf.held["x"] = Found("sk-1")
    watch.start(ear)
    shelf.held["x"] = Found("sk-2")
    assert ear.wait(1)
    assert ear.kinds == ["rotated"]
    watch.stop()
    watch._thread.join(10.0)
    assert not watch._thread.is_alive()
    assert one.credential.reveal() == "sk-2"


def test_without_an_interval_nothing_is_read_again(shelf: Shelf) -> None:
    watch = watching(shelf, key("shelf:x", value="v"), interval_s=0.0)
    watch.start(Ear())
    assert not watch._thread.is_alive()
    watch.stop()
