"""A fake Internet Gateway Device on the loopback, whose answers a test may replace."""

import re
from contextlib import asynccontextmanager

from tests.networks.port_mapping.hostile import datagrams, http, ok
from tests.networks.port_mapping.test_ssdp import answer

SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"

DESCRIPTION = f"""<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0">
<specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<friendlyName>router</friendlyName><manufacturer>m</manufacturer><modelName>m</modelName>
<UDN>uuid:1</UDN>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
<friendlyName>WAN</friendlyName><manufacturer>m</manufacturer><modelName>m</modelName>
<UDN>uuid:2</UDN>
<deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
<friendlyName>WAN</friendlyName><manufacturer>m</manufacturer><modelName>m</modelName>
<UDN>uuid:3</UDN>
<serviceList><service><serviceType>{SERVICE}</serviceType>
<serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<controlURL>/control</controlURL><eventSubURL>/events</eventSubURL><SCPDURL>/scpd.xml</SCPDURL>
</service></serviceList></device></deviceList></device></deviceList></device></root>"""


def soap(action, inside=""):
    """Return the answer to an action."""
    return ok(
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<s:Body><u:{action}Response xmlns:u="{SERVICE}">{inside}</u:{action}Response>'
        "</s:Body></s:Envelope>"
    )


def fault(code):
    """Return a refusal with an error code of UPnP."""
    return ok(
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        "<s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring>"
        '<detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0">'
        f"<errorCode>{code}</errorCode><errorDescription>no</errorDescription>"
        "</UPnPError></detail></s:Fault></s:Body></s:Envelope>",
        "500 Internal Server Error",
    )


class FakeIgd:
    """Its answers, and the mappings and actions it has seen."""

    def __init__(self, outside="11.0.0.1"):
        self.outside = outside
        self.description = DESCRIPTION
        self.replaced = {}
        """Answer by action or path, in the place of the right one; may be a function of the
        action's arguments that returns None for the right one."""
        self.table = {}
        self.actions = []

    def respond(self, method, path, body):
        """Answer an HTTP request."""
        if method == "GET":
            assert path == "/rootDesc.xml"
            return self.replaced.get(path, ok(self.description))
        action = re.search(r"<u:(\w+)", body)[1]
        arguments = dict(re.findall(r"<New(\w+)>([^<]*)</New", body))
        self.actions.append((action, arguments))
        replaced = self.replaced.get(action)
        if callable(replaced):
            replaced = replaced(arguments)
        return self._act(action, arguments) if replaced is None else replaced

    def _act(self, action, arguments):
        if action == "GetExternalIPAddress":
            inside = f"<NewExternalIPAddress>{self.outside}</NewExternalIPAddress>"
            return soap(action, inside)
        port = int(arguments["ExternalPort"])
        if action == "AddPortMapping":
            self.table[port] = (arguments["InternalClient"], int(arguments["InternalPort"]))
        elif self.table.pop(port, None) is None:
            return fault(714)
        return soap(action)


@asynccontextmanager
async def fake_igd(route, igd):
    """Run a fake IGD at the address of a route's router while the context lasts."""
    async with http(route, igd.respond) as port:
        url = f"http://{route.router}:{port}/rootDesc.xml"
        async with datagrams(route, 1900, lambda _: [answer(url)]):
            yield
