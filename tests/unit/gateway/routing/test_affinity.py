"""Which endpoint suits a request: who has read its prompt, whose session it is; the rest by load. Prints its seed."""

from collections import Counter
from random import Random

import pytest
from mizzen_gateway.routing.affinity import OVER_MEAN, Ask, PrefixAffinity
from mizzen_gateway.routing.choice import LeastLoad
from mizzen_gateway.routing.deployment import DeploymentFacts, EndpointFacts, EndpointSetFacts
from mizzen_gateway.routing.endpoint import PROMPT_BYTES_A_REQUEST, SLOW_START_SECONDS, EndpointState
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.prefix_index import BLOCK_BYTES, MOST_BLOCKS, PrefixIndex, block_hashes
from mizzen_gateway.routing.ring import Ring, point
from mizzen_gateway.routing.target import Target

KEY = ("default", "m")
SEED = 11


def pods(count: int, ready: bool = True) -> tuple[EndpointFacts, ...]:
    return tuple(EndpointFacts(f"p{number}", "r1", "127.0.0.1", number, ready) for number in range(count))


def target(count: int, policy: str) -> Target:
    made = Target(DeploymentFacts(KEY, names=("m",), policy=policy), LoadBook())
    made.update_endpoints(EndpointSetFacts(KEY, "OpenAI", "Simulated", "m", pods(count), (("r1", 100),)))
    return made


def text_of(seed: str, blocks: int) -> bytes:
    return Random(seed).randbytes(blocks * BLOCK_BYTES)


def ask(text: bytes, opening: bytes | None = None) -> Ask:
    return Ask(point(text[:BLOCK_BYTES] if opening is None else opening), block_hashes(text, "prj_a"))


def chosen(made: Target, wanted: Ask | None, now: float = 0.0) -> EndpointState:
    endpoint = made.choose(now, ask=wanted)
    assert endpoint is not None
    return endpoint


def test_of_two_endpoints_that_are_looked_at_the_one_with_less_to_do_is_chosen() -> None:
    print("seed", SEED)
    states = [EndpointState(facts) for facts in pods(10)]
    for state in states[:5]:
        state.in_flight = 10
    least = LeastLoad(Random(SEED))
    found = Counter(least.pick(states, 0.0).in_flight for _ in range(1000))
    assert 150 <= found[10] <= 300, "two busy ones meet in 22 % of all pairs"


def test_a_prompt_that_has_to_be_read_weighs_more_than_a_request_that_only_writes() -> None:
    reading, writing = (EndpointState(facts) for facts in pods(2))
    reading.in_flight, reading.prompt_bytes = 1, 4 * PROMPT_BYTES_A_REQUEST
    writing.in_flight = 3
    least = LeastLoad()
    assert {least.pick([reading, writing], 0.0).facts.pod for _ in range(10)} == {"p1"}


def test_a_new_endpoint_among_older_ones_takes_its_full_share_only_after_a_while() -> None:
    made = target(2, "LeastLoad")
    for state in made.endpoints():
        state.in_flight = 3
    made.update_endpoints(EndpointSetFacts(KEY, "OpenAI", "Simulated", "m", pods(3), (("r1", 100),)))
    newcomer = list(made.endpoints())[-1]
    assert newcomer.facts.pod == "p2"
    assert newcomer.cost(0.0) == 0.0, "with nothing to do it takes a request, however new"
    newcomer.in_flight = 1
    costs = [newcomer.cost(now) for now in (0.0, SLOW_START_SECONDS / 2, SLOW_START_SECONDS, 100.0)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] == pytest.approx(19.0)
    assert costs[2:] == [1.0, 1.0]


def test_endpoints_that_are_all_new_share_from_the_first_request_on() -> None:
    made = target(2, "LeastLoad")
    assert Counter(chosen(made, None).facts.pod for _ in range(10)) == {"p0": 5, "p1": 5}


def test_a_conversation_stays_where_its_beginning_was_read() -> None:
    made = target(8, "PrefixAffinity")
    homes = set()
    for turn in range(1, 20):
        text = text_of("talk", turn)
        wanted = ask(text)
        homes.add(chosen(made, wanted).facts.pod)
        assert wanted.known_bytes == (turn - 1) * BLOCK_BYTES
    assert len(homes) == 1


def test_an_endpoint_that_has_too_much_to_do_is_left_though_it_knows_the_prompt() -> None:
    made = target(4, "PrefixAffinity")
    home = chosen(made, ask(text_of("talk", 8)))
    home.in_flight = 100
    elsewhere = chosen(made, ask(text_of("talk", 8)))
    assert elsewhere is not home
    home.in_flight = 0
    home.prompt_bytes = 100 * PROMPT_BYTES_A_REQUEST
    assert chosen(made, ask(text_of("talk", 8))) is elsewhere, "it knows the prompt now, too"


def test_prompts_that_nobody_knows_are_spread_and_gateways_agree_on_them() -> None:
    first, second = target(8, "PrefixAffinity"), target(8, "PrefixAffinity")
    texts = [text_of(f"prompt {number}", 4) for number in range(400)]
    homes = [chosen(first, ask(text)).facts.pod for text in texts]
    assert homes == [chosen(second, ask(text)).facts.pod for text in texts]
    assert min(Counter(homes).values()) > 20, Counter(homes)


def test_gateways_agree_on_a_conversation_of_which_each_sees_other_turns() -> None:
    first, second = target(8, "PrefixAffinity"), target(8, "PrefixAffinity")
    for number in range(50):
        opening = text_of(f"talk {number}", 3)
        home = chosen(first, ask(opening, opening))
        longer = opening + text_of("answer and question", 5)
        assert chosen(second, ask(longer, opening)).facts.pod == home.facts.pod


def test_an_endpoint_more_takes_over_its_own_keys_and_moves_no_others() -> None:
    states = [EndpointState(facts) for facts in pods(9)]
    keys = [point(f"{number}".encode()) for number in range(2000)]
    before = [next(Ring().after(key, states[:8])).facts.pod for key in keys[:200]]
    ring, fewer = Ring(), states[:8]
    before = [next(ring.after(key, fewer)).facts.pod for key in keys]
    after = [next(ring.after(key, states)).facts.pod for key in keys]
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {"p8"}
    assert len(moved) < 2000 / 9 * 2


def test_no_endpoint_gets_more_than_its_bound_of_one_prompt_that_all_send() -> None:
    made = target(4, "PrefixAffinity")
    for _ in range(400):
        chosen(made, ask(text_of("the same", 8))).in_flight += 1
    assert max(state.in_flight for state in made.endpoints()) <= 400 / 4 * OVER_MEAN + 1
    assert sum(state.in_flight > 0 for state in made.endpoints()) >= 2


def test_equal_prompts_of_two_tenants_do_not_meet() -> None:
    text = text_of("the same", 4)
    assert not set(block_hashes(text, "prj_a")) & set(block_hashes(text, "prj_b"))


def test_an_index_is_bounded_and_forgets_what_was_not_read_for_longest() -> None:
    index = PrefixIndex()
    old, young = (block_hashes(text_of(name, 10), "prj_a") for name in ("old", "young"))
    index.remember(old, 15)
    index.remember(young, 15)
    assert len(index) == 15
    assert (index.depth(old), index.depth(young)) == (5, 10), "the deep end goes first"
    assert len(block_hashes(bytes(BLOCK_BYTES * MOST_BLOCKS * 2), "prj_a")) == MOST_BLOCKS


def test_the_depth_of_a_prompt_is_how_far_it_is_known() -> None:
    index = PrefixIndex()
    known = text_of("known", 7)
    index.remember(block_hashes(known, "a"), 100)
    for blocks in range(8):
        text = known[: blocks * BLOCK_BYTES] + text_of("other", 9)
        assert index.depth(block_hashes(text, "a")) == blocks


def test_a_pod_that_starts_again_has_forgotten_what_it_read() -> None:
    made = target(1, "PrefixAffinity")
    PrefixAffinity().pick([state := chosen(made, ask(text_of("x", 4))), state], 0.0, ask(text_of("x", 4)))
    assert len(state.prefixes or ()) == 4
    for ready in (False, True):
        made.update_endpoints(EndpointSetFacts(KEY, "OpenAI", "", "m", pods(1, ready), (("r1", 100),)))
    assert state.prefixes is None


def test_the_size_of_the_index_is_told_for_each_pod() -> None:
    made = target(2, "PrefixAffinity")
    made.book.count(KEY, "r1").requests += 1
    home = chosen(made, ask(text_of("x", 4)))
    home.in_flight = 3
    (load,) = made.book.revisions()
    assert {one.pod: (one.in_flight, one.prefix_blocks) for one in load.pods} == {
        home.facts.pod: (3, 4),
        ({"p0", "p1"} - {home.facts.pod}).pop(): (0, 0),
    }


def test_a_session_stays_with_its_endpoint_and_comes_back_to_it() -> None:
    made = target(8, "SessionAffinity")
    session = Ask(point(b"somebody"))
    home = chosen(made, session)
    assert {chosen(made, session) for _ in range(20)} == {home}
    home.broke(0.0)
    second = {chosen(made, session).facts.pod for _ in range(20)}
    assert len(second) == 1
    assert second != {home.facts.pod}
    assert chosen(made, session, now=1.0) is home
    assert len({chosen(made, Ask(point(f"{number}".encode())), now=1.0).facts.pod for number in range(100)}) == 8


def test_a_deployment_that_changes_its_policy_is_routed_by_the_new_one() -> None:
    made = target(8, "LeastLoad")
    session = Ask(point(b"somebody"))
    assert len({chosen(made, session).facts.pod for _ in range(20)}) > 1
    made.take(DeploymentFacts(KEY, names=("m",), policy="SessionAffinity"))
    assert len({chosen(made, session).facts.pod for _ in range(20)}) == 1
