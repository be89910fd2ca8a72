"""Fair rotation: the rule, as properties of any evening."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rtkaraoke.karaoke.rotation import LastTurn, Waiting, fair_order


class Evening:
    """The rotation alone, driven as the queue drives it."""

    def __init__(self) -> None:
        self.tick = 0
        self.turn = 0
        self.round_now = 1
        self.waiting: dict[int, Waiting] = {}
        self.last_turns: dict[int, LastTurn] = {}
        self.sung: list[tuple[int, int]] = []  # singer, tick

    def order(self) -> list[tuple[Waiting, int]]:
        return fair_order(self.waiting.values(), self.last_turns, self.round_now, self.turn)

    def add(self, singer: int) -> None:
        self.tick += 1
        self.waiting[self.tick] = Waiting(self.tick, singer, self.tick)

    def sing(self) -> None:
        if order := self.order():
            song, round_ = order[0]
            self.tick += 1
            self.turn += 1
            del self.waiting[song.entry]
            self.last_turns[song.singer] = LastTurn(round_, self.tick)
            if song.turn is None:
                self.round_now = max(self.round_now, round_)
            self.sung.append((song.singer, self.tick))

    def play(self, actions: list[tuple[str, int]]) -> None:
        for action, number in actions:
            if action == "add":
                self.add(number)
            elif action == "sing":
                self.sing()
            elif self.waiting:
                entries = sorted(self.waiting)
                entry = entries[number % len(entries)]
                if action == "remove":
                    del self.waiting[entry]
                else:
                    song = self.waiting[entry]
                    self.waiting[entry] = Waiting(entry, song.singer, song.added, self.turn + number)


adds = st.tuples(st.just("add"), st.integers(1, 5))
others = st.tuples(st.sampled_from(["sing", "remove"]), st.integers(0, 9))
evenings = st.lists(adds | others, max_size=60)
with_moves = st.lists(adds | others | st.tuples(st.just("move"), st.integers(0, 9)), max_size=60)


def after(actions: list[tuple[str, int]]) -> Evening:
    evening = Evening()
    evening.play(actions)
    return evening


def singers(order: list[tuple[Waiting, int]]) -> list[int]:
    return [song.singer for song, _ in order]


@given(with_moves)
def test_every_waiting_song_has_exactly_one_place(actions: list[tuple[str, int]]) -> None:
    evening = after(actions)
    assert sorted(song.entry for song, _ in evening.order()) == sorted(evening.waiting)


@given(evenings)
def test_a_singers_songs_keep_their_order(actions: list[tuple[str, int]]) -> None:
    seen: dict[int, int] = {}
    for song, _ in after(actions).order():
        assert seen.get(song.singer, 0) < song.entry
        seen[song.singer] = song.entry


@given(evenings)
def test_nobody_sings_twice_while_another_waits(actions: list[tuple[str, int]]) -> None:
    order = singers(after(actions).order())
    for place, singer in enumerate(order):
        for other in set(order[place:]):
            # Whoever waits at this place and later was not passed twice by anyone since their last turn here.
            before = order[:place]
            since = before[len(before) - before[::-1].index(other) :] if other in before else before
            assert Counter(since)[singer] <= (1 if other != singer else 0)


@given(evenings)
def test_a_round_has_each_singer_once_and_rounds_follow_each_other(actions: list[tuple[str, int]]) -> None:
    order = after(actions).order()
    rounds = [round_ for _, round_ in order]
    assert rounds == sorted(rounds)
    assert max(Counter((song.singer, round_) for song, round_ in order).values(), default=1) == 1


@given(with_moves)
def test_singing_the_next_song_leaves_the_order_of_the_others(actions: list[tuple[str, int]]) -> None:
    evening = after(actions)
    order = evening.order()
    evening.sing()
    assert [song.entry for song, _ in evening.order()] == [song.entry for song, _ in order[1:]]


@given(evenings, st.integers(1, 6))
def test_a_song_that_is_added_leaves_the_order_of_the_others(actions: list[tuple[str, int]], singer: int) -> None:
    evening = after(actions)
    before = [song.entry for song, _ in evening.order()]
    evening.add(singer)
    assert [song.entry for song, _ in evening.order() if song.entry != evening.tick] == before


@given(evenings)
def test_a_late_comer_waits_for_one_turn_of_each_other_at_most(actions: list[tuple[str, int]]) -> None:
    evening = after(actions)
    evening.add(99)
    order = singers(evening.order())
    assert max(Counter(order[: order.index(99)]).values(), default=0) <= 1


@given(evenings)
def test_nobody_who_waits_is_passed_twice_by_the_same_singer(actions: list[tuple[str, int]]) -> None:
    evening = after(actions)
    evening.add(99)
    start = evening.tick
    for number in range(30):  # however many songs the others add meanwhile
        evening.add(1 + number % 4)
        evening.sing()
        if evening.sung[-1][0] == 99:
            break
    passed = Counter(singer for singer, tick in evening.sung if tick > start and singer != 99)
    assert evening.sung[-1][0] == 99
    assert max(passed.values(), default=0) <= 1


def test_an_evening() -> None:
    evening = Evening()
    for singer in (1, 1, 1, 2, 3):
        evening.add(singer)
    assert singers(evening.order()) == [1, 2, 3, 1, 1]
    evening.sing()  # 1 sings
    evening.add(4)  # a late comer: behind 2 and 3, before the second turn of 1
    assert singers(evening.order()) == [2, 3, 4, 1, 1]
    for _ in range(3):
        evening.sing()
    for singer in (4, 3, 2):
        evening.add(singer)
    assert singers(evening.order()) == [1, 4, 3, 2, 1]


@given(evenings, st.integers(0, 9))
def test_a_moved_song_has_its_place_and_keeps_it_while_others_sing(actions: list[tuple[str, int]], place: int) -> None:
    evening = after(actions)
    evening.add(1)
    evening.play([("move", 0)])
    entry = min(evening.waiting)
    song = evening.waiting[entry]
    evening.waiting[entry] = Waiting(entry, song.singer, song.added, evening.turn + place)
    place = min(place, len(evening.waiting) - 1)
    while place >= 0:
        assert evening.order()[place][0].entry == entry
        evening.sing()
        place -= 1
