"""The actions by which a gateway maps ports, as a service description of UPnP.

They are the same at every gateway (WANIPConnection:1, sections 2.2 and 2.4), but routers describe
them slowly, wrongly or not at all. So no router is asked: async-upnp-client gets this document for
each service.
"""

_TYPES = {
    "RemoteHost": "string",
    "ExternalPort": "ui2",
    "Protocol": "string",
    "InternalPort": "ui2",
    "InternalClient": "string",
    "Enabled": "boolean",
    "PortMappingDescription": "string",
    "LeaseDuration": "ui4",
    "ExternalIPAddress": "string",
}

_ARGUMENTS = {
    "GetExternalIPAddress": {"ExternalIPAddress": "out"},
    "AddPortMapping": {name: "in" for name in _TYPES if name != "ExternalIPAddress"},
    "DeletePortMapping": dict.fromkeys(("RemoteHost", "ExternalPort", "Protocol"), "in"),
}
"""Arguments of each action, without the prefix ``New``, in order."""


def _argument(name: str, direction: str) -> str:
    return (
        f"<argument><name>New{name}</name><direction>{direction}</direction>"
        f"<relatedStateVariable>{name}</relatedStateVariable></argument>"
    )


def _action(name: str, arguments: dict[str, str]) -> str:
    listed = "".join(_argument(*argument) for argument in arguments.items())
    return f"<action><name>{name}</name><argumentList>{listed}</argumentList></action>"


def _variable(name: str, kind: str) -> str:
    return (
        f'<stateVariable sendEvents="no"><name>{name}</name><dataType>{kind}</dataType>'
        "</stateVariable>"
    )


ACTIONS = (
    '<scpd xmlns="urn:schemas-upnp-org:service-1-0"><actionList>'
    + "".join(_action(*action) for action in _ARGUMENTS.items())
    + "</actionList><serviceStateTable>"
    + "".join(_variable(*variable) for variable in _TYPES.items())
    + "</serviceStateTable></scpd>"
)
"""The document."""
