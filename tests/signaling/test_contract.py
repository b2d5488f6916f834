import pytest

from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.supabase.channel import SupabaseChannel
from tests.signaling.contract import ChannelContract
from tests.signaling.service import KEY, Service

pytestmark = pytest.mark.usefixtures("nothing_left")


class MemoryRoom:
    def __init__(self):
        self._channel = MemoryChannel()

    def channel(self):
        return self._channel


class RealtimeRoom:
    def __init__(self, url, key):
        self._url, self._key = url, key

    def channel(self):
        return SupabaseChannel("room", self._url, self._key, patience_s=0.0)


class TestMemory(ChannelContract):
    @pytest.fixture
    def room(self):
        return MemoryRoom()


class TestHosted(ChannelContract):
    """The Supabase client with a service that allows what the hosted one does."""

    @pytest.fixture
    async def room(self, nothing_left):
        async with Service() as service:
            yield RealtimeRoom(service.url, KEY)


class TestHub(ChannelContract):
    @pytest.fixture
    async def room(self, nothing_left):
        module = pytest.importorskip("jamlab.signaling.hub.server")
        async with module.Hub(host="127.0.0.1", port=0, key=KEY) as hub:
            yield RealtimeRoom(hub.url, KEY)
