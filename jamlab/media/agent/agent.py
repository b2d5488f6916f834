"""The ICE agent of a session's connections, in the place of the one that aiortc makes.

It gathers from all servers at once and trickles, checks all pairs side by side, and sends over the
best pair that works at the moment (`jamlab.media.agent.checklist` decides, without I/O). It takes
candidates at any time and never fails by itself: the owner's time limit is the end of an attempt,
and after the connection expired consent (RFC 7675) is.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from aioice import Candidate, TransportPolicy
from aioice.ice import CandidatePair, StunProtocol
from aioice.mdns import is_mdns_hostname
from aioice.stun import Class, Message

from jamlab.ice.configuration import IceServer
from jamlab.media.agent.checklist import Check, Checklist
from jamlab.media.agent.gathering import COMPONENT, Gathering, Servers
from jamlab.media.agent.pair import PairState
from jamlab.media.agent.pair_book import PairBook
from jamlab.media.agent.renewal import Renewal, Step
from jamlab.media.agent.sockets import Address, AwaitedAnswer, Socket, may_be_checked
from jamlab.media.host_candidates import host_addresses, network_addresses
from jamlab.media.ice_connection import OpenConnection, is_dtls_or_srtp, is_rtp, release
from jamlab.networks.port_mapping.mapping import Mapper
from jamlab.pace import TokenBucket

log = logging.getLogger(__name__)

MOST_PAIRS = 100
"""Most candidate pairs (RFC 8445 §6.1.2.5)."""

MOST_REMOTE = 200
"""Most remote candidates, signalled and peer-reflexive ones together."""

MOST_EARLY = 64
"""Most datagrams kept until a pair is selected."""

UNANSWERED_PER_S, UNANSWERED_BURST = 1.0, 300
"""Limit on the checks to one address, at any port, until it answers: it may be a third party's."""

ANSWER_S = 5.0
"""Time for which the answer to a check is awaited."""


class IceAgent(OpenConnection):
    """An ICE agent with all servers of a configuration.

    Parameters
    ----------
    servers : iterable of IceServer
        STUN and TURN servers, all of which are asked.
    relays_only : bool
        Whether only relayed candidates are used (RFC 8829 §4.1.1).
    on_candidate : callable
        Takes each local candidate when it is found, and None when there will be no more.
    on_servers : callable
        Takes the servers that were asked, and those that have given no candidate, once.
    mapper : Mapper, optional
        Maps the ports of the agent's sockets; by default none is mapped.
    username, password : str, optional
        Credentials; by default random ones.
    """

    def __init__(
        self,
        servers: Iterable[IceServer] = (),
        *,
        relays_only: bool = False,
        on_candidate: Callable[[Candidate | None], None] = lambda _: None,
        on_servers: Callable[[Servers, Servers], None] = lambda *_: None,
        mapper: Mapper | None = None,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        super().__init__(
            ice_controlling=False,
            transport_policy=TransportPolicy.RELAY if relays_only else TransportPolicy.ALL,
            local_username=username,
            local_password=password,
        )
        self.take_srtp: Callable[[bytes], bool] = lambda _: False
        """Takes an RTP packet where it arrives; one for which it returns False is queued."""
        self._checklist = Checklist(is_controlling=False)
        self._on_candidate = on_candidate
        self._gathering = Gathering(
            servers,
            relays_only,
            lambda: Socket(self, self.take_data),
            self._take_candidate,
            self._end_candidates,
            on_servers,
            self._retire,
            mapper,
        )
        self._loop = asyncio.get_running_loop()
        self._gathers = False
        self._some = asyncio.Event()  # set when there is a candidate, or will be none
        self._ready = asyncio.Event()  # set when a pair is selected, or the agent is closed
        self._book = PairBook()
        self._asked: deque[tuple[float, StunProtocol, bytes]] = deque()
        self._strangers: dict[str, TokenBucket] = {}  # by address; those that have not answered
        self._answering: set[str] = set()
        self._checked: PairState | None = None  # the pair of the request under way
        self._early = 0
        self._begun = False
        self._renewal = Renewal()
        self._timer: asyncio.TimerHandle | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._releases: set[asyncio.Task[None]] = set()

    @property
    def heard_s(self) -> float:
        """Time of the peer's last packet or answer to a check: while some come, the path works.

        A selected pair without packets is checked several times a second.
        """
        return self._checklist.heard_s

    # Gathering

    async def gather_candidates(self) -> None:
        """Begin to gather; return as soon as there is a candidate, or there will be none."""
        if not self._gathers:
            self._gathers = True
            await self._gather_anew()
        await self._some.wait()

    def _take_candidate(self, protocol: StunProtocol, candidate: Candidate) -> None:
        self.adopt(protocol, candidate)
        self._some.set()
        self._on_candidate(candidate)

    def _end_candidates(self) -> None:
        self._some.set()
        self._on_candidate(None)

    def _renew(self, now_s: float) -> None:
        """Gather anew, or ask servers again, when this machine's network may have changed."""
        for step in self._renewal.step(self._checklist.path(now_s), now_s):
            if step in (Step.ASK_AGAIN, Step.ASK_ANEW):
                self._gathering.ask_again(even_asked=step is Step.ASK_ANEW)
            elif step is Step.ALL or self._gathering.is_new(self._network_addresses):
                self._renewal.note_gathering(now_s)
                self._start(self._gather_more)

    async def _gather_anew(self) -> None:
        await self._gathering.open_hosts([] if self.relays_only else host_addresses())
        self._gathering.ask_servers()

    async def _gather_more(self) -> None:
        await self._gathering.open_hosts(self._network_addresses)
        self._gathering.ask_servers()

    @property
    def _network_addresses(self) -> list[str]:
        return [] if self.relays_only else network_addresses()

    def _retire(self, protocol: StunProtocol, gone: bool) -> bool:
        """Close a socket that another one has replaced, unless data goes over it still."""
        selected = self._checklist.selected
        used = selected is not None and self._book.pair(selected).protocol is protocol
        if self.is_closing or (used and not gone):
            return False
        self._remove_socket(protocol)
        self._releases.add(releasing := asyncio.create_task(release(protocol)))
        releasing.add_done_callback(self._releases.discard)
        return True

    def _remove_socket(self, protocol: StunProtocol) -> None:
        for pair in [pair for pair in self.pairs if pair.protocol is protocol]:
            self._remove(pair)
        self.forget(protocol)

    async def add_remote_candidate(self, remote_candidate: Candidate | None) -> None:
        """Add a candidate of the peer at any time; their end means nothing here (RFC 8863).

        One that no peer can have is ignored. Names of mDNS are resolved in the background.
        """
        if remote_candidate is None:
            return
        if not may_be_checked(remote_candidate.host, remote_candidate.port):
            log.info("a candidate of the peer is ignored: %s", remote_candidate)
            return
        add = partial(super().add_remote_candidate, remote_candidate)
        if is_mdns_hostname(remote_candidate.host):
            self._start(add)
        else:
            await add()

    # Checks

    async def connect(self) -> None:
        """Begin the checks, and wait for the first pair that works.

        Raises `ConnectionError` when the agent is closed meanwhile.
        """
        self._begun = True
        self.take_early_checks()
        self._wake()
        await self._ready.wait()
        if self.is_closing:
            raise ConnectionError("the ICE agent was closed before a pair worked")

    def sort_check_list(self) -> None:
        """Follow a change of the pairs, of their candidates or of our role."""
        super().sort_check_list()
        for pair in self.pairs:
            state = self._book.note(pair, self.ice_controlling)
            if state is not None:
                self._checklist.add(state)
        for worst in self._book.worst(len(self.pairs) - MOST_PAIRS):
            self._remove(worst)
        self._wake()

    def _remove(self, pair: CandidatePair) -> None:
        self._checklist.remove(self._book.remove(pair), self._loop.time())
        self.discard(pair)

    def check_incoming(self, message: Message, addr: Address, protocol: StunProtocol) -> None:
        """Take a request of the peer that was answered (RFC 8445 §7.3.1.3 to §7.3.1.5)."""
        known = self._book.of_source(protocol, addr)
        full = len(self.remote_candidates) >= MOST_REMOTE
        if known is None and (full or "PRIORITY" not in message.attributes):
            return
        super().check_incoming(message, addr, protocol)
        if self._checked and "USE-CANDIDATE" in message.attributes and not self.ice_controlling:
            self._checklist.nominate(self._checked, self._loop.time())
        self._checked = None
        self._follow()

    def check_start_task(self, pair: CandidatePair) -> None:
        """Trigger a check of a pair (RFC 8445 §7.3.1.4)."""
        self._checked = self._book.state(pair)
        if self._checked is not None:
            self._checklist.trigger(self._checked, self._loop.time())

    def _wake(self) -> None:
        """Set the timer for what is due next."""
        if not self._begun or self.is_closing:
            return
        now_s = self._loop.time()
        due_s = max(now_s, min(self._checklist.due_s(now_s), self._renewal.due_s))
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        self._checklist.is_controlling = self.ice_controlling
        if self._checklist.is_lost(now_s):
            log.info("the consent to send has expired")
            self._start(self.close)
            return
        self._forget_unanswered(now_s)
        for check in self._checklist.due(now_s):
            self._send_check(check, now_s)
        self._renew(now_s)
        self._follow()

    def _send_check(self, check: Check, now_s: float) -> None:
        pair = self._book.pair(check.pair)
        if not self._may_check(pair.remote_addr[0]):
            return
        request = self.build_request(pair, nominate=check.nominates)
        assert self.remote_password is not None
        request.add_message_integrity(self.remote_password.encode())

        def take(message: Message, addr: Address) -> None:
            if addr == pair.remote_addr:
                self._take_answer(check, request, message, now_s, addr[0])

        pair.protocol.transactions[request.transaction_id] = AwaitedAnswer(take)
        self._asked.append((now_s + ANSWER_S, pair.protocol, request.transaction_id))
        pair.protocol.send_stun(request, pair.remote_addr)

    def _may_check(self, address: str) -> bool:
        """Count a check of an address, and return whether it may be sent."""
        if address in self._answering:
            return True
        if address not in self._strangers:
            self._strangers[address] = TokenBucket(UNANSWERED_PER_S, UNANSWERED_BURST)
        return self._strangers[address].take(1, self._loop.time())

    def _take_answer(
        self, check: Check, request: Message, message: Message, sent_s: float, address: str
    ) -> None:
        assert self.remote_password is not None
        if self.is_closing or not message.check_message_integrity(self.remote_password.encode()):
            return
        if message.message_class is Class.RESPONSE:
            now_s = self._loop.time()
            self._answering.add(address)
            self._strangers.pop(address, None)
            self._checklist.answer(check, now_s - sent_s, now_s)
        elif message.error_code == 487:  # role conflict (RFC 8445 §7.2.5.1)
            self.switch_role(ice_controlling="ICE-CONTROLLED" in request.attributes)
            self._checklist.repeat(check.pair)
        self._follow()

    def _forget_unanswered(self, now_s: float) -> None:
        while self._asked and self._asked[0][0] <= now_s:
            _, protocol, transaction = self._asked.popleft()
            protocol.transactions.pop(transaction, None)

    def _follow(self) -> None:
        """Let aioice know the selected pair."""
        selected = self._checklist.selected
        if selected is not None:
            self.use(self._book.pair(selected))
            self._ready.set()
        self._wake()

    # Data

    def take_data(self, data: bytes, addr: Address, protocol: StunProtocol) -> None:
        """Take a datagram that may be DTLS or SRTP; the first are kept until a pair is selected."""
        if not self._ready.is_set():
            self._early += 1
            if self._early > MOST_EARLY:
                return
        state = self._book.of_source(protocol, addr)
        if state is not None:
            self._checklist.hear(state, self._loop.time())
        if not (is_rtp(data) and self.take_srtp(data)):
            super().data_received(data, COMPONENT)

    def data_received(self, data: bytes, component: int) -> None:
        """Take a datagram, unless it only looked like STUN and is nothing."""
        if is_dtls_or_srtp(data):
            super().data_received(data, component)

    async def sendto(self, data: bytes, component: int) -> None:
        """Send a datagram; nothing is sent while no pair works.

        Raises `ConnectionError` before the first pair works, and when the agent is closed.
        """
        if self.is_closing or not self._ready.is_set():
            raise ConnectionError("Cannot send data, not connected")
        for state in self._checklist.sent_on(self._loop.time()):
            pair = self._book.pair(state)
            await pair.protocol.send_data(data, pair.remote_addr)

    def send_at_once(self, data: bytes) -> None:
        """Send a datagram in this turn of the loop; nothing is sent while no pair works."""
        if not self.is_closing and self._ready.is_set():
            for state in self._checklist.sent_on(self._loop.time()):
                pair = self._book.pair(state)
                pair.protocol.transport.sendto(data, pair.remote_addr)

    # Ends

    def protocol_lost(self, protocol: StunProtocol) -> None:
        """Give up the pairs of a socket that was lost, such as that of a TURN server over TCP."""
        if not self.is_closing:
            self._remove_socket(protocol)
            self._gathering.lose(protocol)
            self._follow()

    async def close(self) -> None:
        """Close the agent and all of its sockets."""
        if self._timer is not None:
            self._timer.cancel()
        await self._gathering.close()
        await super().close()
        self._ready.set()
        others = self._work - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, *self._releases, return_exceptions=True)

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._run(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except OSError as error:  # no socket for mDNS
            log.info("%s", error)
