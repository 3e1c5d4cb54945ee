"""Whatever the network does, the members of a group end in one state, and nobody else learns a thing."""

import pytest

from tests.scenarios.delivery import World


def play(world: World, largest: int, steps: int) -> None:
    """Random actions by random members, most of them somewhat behind."""
    rng = world.rng
    for _ in range(steps):
        client = world.member()
        world.read(client, rng.choice([0, 1, 5, 50, 500]))
        if client not in world.members or not client.group.active:
            continue
        small, alone = len(world.members) < largest, len(client.group.members()) < 2
        match rng.choice(["send", "send", "send", "send", "update", "update", "propose", "add", "remove", "external"]):
            case "send" if not client.group.proposals:  # §12.4: those must be committed first
                world.send(client)
            case "propose":
                world.propose(client)
            case "add" if small:
                world.add(client, rng.choice([1, 1, 2, 5]))
            case "remove" if not alone:
                world.remove(client, rng.choice([1, 1, 3]))
            case "external" if small:
                world.join_external(too_late=rng.random() < 0.2)
            case _:
                world.update(client)


@pytest.mark.parametrize(
    ("seed", "largest", "steps"),
    [(1, 2, 150), (2, 3, 150), (3, 4, 150), (4, 8, 150), (5, 12, 150), (6, 20, 120), (7, 35, 120), (8, 50, 100)],
)
def test_members_always_agree(seed: int, largest: int, steps: int) -> None:
    """Lost and reordered messages, lost races, proposals, external joins and restarts leave one common state."""
    world = World(seed)
    while len(world.members) < largest * 2 // 3:
        world.add(world.members[0], min(5, largest))
    play(world, largest, steps)
    world.settle()
    assert world.former or largest < 3


@pytest.mark.parametrize("suite", [1, 2, 4, 5, 6, 7, 0xF00E])
def test_members_agree_in_every_suite(suite: int) -> None:
    """The same with each cipher suite."""
    world = World(suite, suite)
    world.add(world.members[0], 3)
    play(world, 6, 40)
    world.settle()
