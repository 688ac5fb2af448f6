# SPDX-License-Identifier: Apache-2.0
"""What holds of waves whatever the rules, the number of hosts, and what happens to them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_stub.rollouts import waves
from orchestrator_stub.rollouts.rules import RolloutRules
from orchestrator_stub.rollouts.waves import Standing, Tally, advance, offers, placed, sizes
from orchestrator_stub.vocabulary import MemberState, RolloutState
from tests.unit.orchestrator_stub.rollouts.test_waves import names, rules, standing

RUNNING, DONE, STOPPED = RolloutState.RUNNING, RolloutState.DONE, RolloutState.STOPPED
WAITING, OFFERED = MemberState.WAITING, MemberState.OFFERED
UPDATED, FAILED = MemberState.UPDATED, MemberState.FAILED
# how long an example takes says nothing on a machine that does something else as well
PROPERTY = settings(deadline=None, max_examples=60)


@st.composite
def any_rules(draw: st.DrawFn, /, **others: st.SearchStrategy[int]) -> RolloutRules:
    percents = sorted(draw(st.sets(st.integers(1, 100), max_size=5)))
    hosts = sorted(draw(st.sets(st.integers(1, 60), max_size=4)))
    mixed: list[dict[str, int]] = [{"hosts": one} for one in hosts]
    for one in percents:
        mixed.insert(draw(st.integers(0, len(mixed))), {"percent": one})
    if not percents or percents != [w["percent"] for w in mixed if "percent" in w]:
        mixed = [{"hosts": one} for one in hosts] + [{"percent": one} for one in percents]
    if not mixed:
        mixed = [{"percent": 100}]
    if percents and percents[-1] == 100:
        mixed = [wave for wave in mixed if wave != {"percent": 100}] + [{"percent": 100}]
    chosen = {name: draw(strategy) for name, strategy in others.items()}
    return RolloutRules.load({"waves": mixed, **chosen})


@PROPERTY
@given(any_rules(), st.integers(0, 3000))
def test_sizes_add_up(some: RolloutRules, hosts: int) -> None:
    found = sizes(some, hosts)
    assert len(found) == waves.count(some)
    assert min(found) >= 0
    assert sum(found) == hosts
    reached = 0
    for rule, size in zip(some.waves, found, strict=False):
        reached += size
        assert reached >= rule.reaches(hosts)


@PROPERTY
@given(any_rules(), st.integers(0, 200), st.randoms())
def test_every_instance_is_in_one_wave_whatever_the_order(
    some: RolloutRules, hosts: int, rng: Random
) -> None:
    ids = names(hosts)
    place = placed(some, "rollout-1", ids)
    assert place.keys() == set(ids)
    counts = Counter(place.values())
    assert tuple(counts[wave] for wave in range(waves.count(some))) == sizes(some, hosts)
    rng.shuffle(ids)
    assert placed(some, "rollout-1", ids) == place


@PROPERTY
@given(any_rules(), st.data())
def test_late_instances_share_the_waves_that_have_not_begun(
    some: RolloutRules, data: st.DataObject
) -> None:
    number = waves.count(some)
    begun = data.draw(st.lists(st.integers(0, 30), max_size=number))
    ids = names(data.draw(st.integers(0, 100)))
    place = placed(some, "rollout-1", ids, begun)
    assert place.keys() == set(ids)
    assert all(min(len(begun), number - 1) <= wave < number for wave in place.values())
    reached = sum(begun)
    for wave in range(len(begun), number):
        reached += sum(place[one] == wave for one in ids)
        # a wave goes as far as its rule says, unless those before have gone further
        wanted = sum(sizes(some, sum(begun) + len(ids))[: wave + 1])
        assert reached == max(wanted, sum(begun)) or wave == number - 1


@dataclass
class World:
    """Hosts as values, and a rollout that moves among them."""

    rules: RolloutRules
    hosts: int
    rng: Random
    bad: bool = False
    now_s: int = 0
    standing: Standing = field(default_factory=standing)
    states: dict[str, MemberState] = field(default_factory=dict)
    wave_of: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wave_of = placed(self.rules, "rollout-1", names(self.hosts))
        self.states = dict.fromkeys(self.wave_of, WAITING)

    def tallies(self) -> tuple[Tally, ...]:
        found = [Counter[MemberState]() for _ in range(waves.count(self.rules))]
        for one, state in self.states.items():
            found[self.wave_of[one]][state] += 1
        return tuple(Tally(c[WAITING], c[OFFERED], c[UPDATED], c[FAILED]) for c in found)

    def step(self) -> None:
        tallies = self.tallies()
        self.standing = advance(self.rules, self.standing, tallies, self.now_s)
        number = offers(self.rules, self.standing, tallies)
        begun = [o for o, s in self.states.items() if s is WAITING and self.has_begun(o)]
        self.states.update(dict.fromkeys(begun[:number], OFFERED))
        assert number <= len(begun)
        offered = [one for one, state in self.states.items() if state is OFFERED]
        if self.rules.max_at_once is not None:
            assert len(offered) <= self.rules.max_at_once
        for one in offered:
            if self.rng.random() < 0.6:
                self.states[one] = FAILED if self.bad else UPDATED
        self.now_s += self.rng.randint(1, 100)

    def has_begun(self, one: str) -> bool:
        return self.wave_of[one] <= self.standing.wave

    @property
    def touched(self) -> set[str]:
        return {one for one, state in self.states.items() if state is not WAITING}


@PROPERTY
@given(
    any_rules(maxAtOnce=st.integers(1, 20), pauseSeconds=st.integers(0, 200)),
    st.integers(1, 40),
    st.randoms(use_true_random=False),
)
def test_good_image_reaches_everybody_wave_by_wave(
    some: RolloutRules, hosts: int, rng: Random
) -> None:
    world = World(some, hosts, rng)
    for _ in range(4000):
        world.step()
        # nobody is touched while somebody of a wave before has not come to its end
        reached = max((world.wave_of[one] for one in world.touched), default=0)
        assert all(tally.pending == 0 for tally in world.tallies()[:reached])
        if world.standing.state is DONE:
            break
    assert world.standing.state is DONE
    assert set(world.states.values()) == {UPDATED}


@PROPERTY
@given(any_rules(maxFailed=st.integers(0, 10)), st.integers(1, 100), st.randoms())
def test_bad_image_goes_no_further_than_the_first_wave_that_breaks_the_limit(
    some: RolloutRules, hosts: int, rng: Random
) -> None:
    world = World(some, hosts, rng, bad=True)
    allowed = some.max_failed or 0
    breaks = [number for number, size in enumerate(sizes(some, hosts)) if size > allowed]
    for _ in range(60 * waves.count(some)):
        world.step()
        if world.standing.state is not RUNNING:
            break
    assert world.standing.state is (STOPPED if breaks else DONE)
    if breaks:
        assert world.standing.wave == breaks[0]
        assert all(world.wave_of[one] <= breaks[0] for one in world.touched)


@PROPERTY
@given(any_rules(maxFailedPercent=st.integers(0, 99)), st.integers(1, 100), st.randoms())
def test_bad_image_never_leaves_the_first_wave_when_a_share_is_the_limit(
    some: RolloutRules, hosts: int, rng: Random
) -> None:
    world = World(some, hosts, rng, bad=True)
    for _ in range(60 * waves.count(some)):
        world.step()
        if world.standing.state is not RUNNING:
            break
    first = next(number for number, size in enumerate(sizes(some, hosts)) if size)
    assert (world.standing.state, world.standing.wave) == (STOPPED, first)
    assert {world.wave_of[one] for one in world.touched} == {first}


def test_restart_changes_nothing() -> None:
    some = rules(5, 50, 100, pauseSeconds=30)
    world, twin = (World(some, 40, Random(7)) for _ in range(2))
    for _ in range(60):
        world.step()
        twin.step()
        twin.standing = replace(twin.standing)
        twin.wave_of = placed(some, "rollout-1", twin.states)
        assert (twin.standing, twin.states) == (world.standing, world.states)
