"""The service description against WANIPConnection:1, and against that of miniupnpd."""

from xml.etree import ElementTree

import aiohttp

from jamlab.networks.port_mapping.actions import ACTIONS
from jamlab.networks.port_mapping.mapping import Route
from jamlab.networks.port_mapping.ssdp import find_description
from tests.networks.port_mapping.router import OWN, ROUTER, home, needs_miniupnpd

SERVICE = {"": "urn:schemas-upnp-org:service-1-0"}


def described(document):
    """Return the types of each action's arguments, by name and direction, in order."""
    root = ElementTree.fromstring(document)
    types = {
        variable.findtext("name", None, SERVICE): variable.findtext("dataType", None, SERVICE)
        for variable in root.iterfind("serviceStateTable/stateVariable", SERVICE)
    }
    actions = {}
    for action in root.iterfind("actionList/action", SERVICE):
        actions[action.findtext("name", None, SERVICE)] = [
            (
                argument.findtext("name", None, SERVICE),
                argument.findtext("direction", None, SERVICE),
                types[argument.findtext("relatedStateVariable", None, SERVICE)],
            )
            for argument in action.iterfind("argumentList/argument", SERVICE)
        ]
    return actions


def test_the_actions_of_the_standard():
    """WANIPConnection:1, the argument tables of section 2.4."""
    remote, port = ("NewRemoteHost", "in", "string"), ("NewExternalPort", "in", "ui2")
    protocol = ("NewProtocol", "in", "string")
    assert described(ACTIONS) == {
        "GetExternalIPAddress": [("NewExternalIPAddress", "out", "string")],
        "AddPortMapping": [
            remote,
            port,
            protocol,
            ("NewInternalPort", "in", "ui2"),
            ("NewInternalClient", "in", "string"),
            ("NewEnabled", "in", "boolean"),
            ("NewPortMappingDescription", "in", "string"),
            ("NewLeaseDuration", "in", "ui4"),
        ],
        "DeletePortMapping": [remote, port, protocol],
    }


@needs_miniupnpd
def test_a_real_routers_description_has_the_same():
    async def inside():
        url = await find_description(Route(ROUTER, OWN))
        service = url.replace("rootDesc", "WANIPCn")
        async with aiohttp.ClientSession() as session, session.get(service) as response:
            return await response.text()

    with home("enable_natpmp=no", "enable_upnp=yes") as built:
        theirs = described(built.run(inside))
    ours = described(ACTIONS)
    assert ours == {name: theirs[name] for name in ours}
