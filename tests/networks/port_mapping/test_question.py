import asyncio
import socket

import pytest

from jamlab.networks.port_mapping.mapping import NoAnswerError
from jamlab.networks.port_mapping.question import ask
from tests.leaks import DEADLINE_S, until
from tests.networks.port_mapping.hostile import OWN, datagrams, new_route

PORT = 5351
PATIENT = (DEADLINE_S,)
pytestmark = pytest.mark.usefixtures("nothing_left")


def word(datagram):
    return datagram if datagram.startswith(b"word") else None


async def test_the_first_answer_that_can_be_read_counts():
    route = new_route()
    async with datagrams(route, PORT, lambda _: [b"", b"noise", b"word 1", b"word 2"]) as router:
        answer = await ask((route.router, PORT), OWN, b"question", word, PATIENT)
    assert answer == b"word 1"
    assert router.requests == [b"question"]


async def test_it_is_asked_again():
    route, answers = new_route(), iter([[], [], [b"word"]])
    async with datagrams(route, PORT, lambda _: next(answers)) as router:
        waits_s = (0.01, 0.01, DEADLINE_S)
        assert await ask((route.router, PORT), OWN, b"question", word, waits_s) == b"word"
    assert len(router.requests) == 3


async def test_silence_ends_in_a_sentence():
    route = new_route()
    async with datagrams(route, PORT, lambda _: []):
        with pytest.raises(NoAnswerError, match="does not answer at port 5351"):
            await ask((route.router, PORT), OWN, b"question", word, (0.01, 0.01))


async def test_where_nobody_listens_nobody_is_waited_for():
    """The system says so at once (ICMP), long before the wait is over."""
    with pytest.raises(NoAnswerError):
        await ask((new_route().router, PORT), OWN, b"question", word, PATIENT)


async def test_an_answer_of_another_does_not_count():
    route, other = new_route(), new_route()

    def forge(_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.bind((other.router, PORT))
            end.sendto(b"word of another", router.sources[-1])
        return [b"word"]

    async with datagrams(route, PORT, forge) as router:
        assert await ask((route.router, PORT), OWN, b"question", word, PATIENT) == b"word"


async def test_an_address_that_is_gone():
    with pytest.raises(NoAnswerError, match="cannot be asked"):
        await ask((new_route().router, PORT), "203.0.113.77", b"question", word, PATIENT)


async def test_a_cancelled_question_leaves_nothing():
    route = new_route()
    async with datagrams(route, PORT, lambda _: []) as router:
        asking = asyncio.create_task(
            ask((route.router, PORT), OWN, b"question", word, (DEADLINE_S,))
        )
        await until(lambda: router.requests)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
