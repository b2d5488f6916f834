"""One ES module made of several: a widget's script can be one module only.

There is no build step and no other program: the modules of the reference client are written in one
style, and what differs from it is refused. Each module becomes a function that returns its exports;
imported modules come first. The path of a worklet or worker in the code becomes the URL of a Blob
with a bundle of its own.
"""

import json
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

_IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"(\.{1,2}/[\w./]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(
    r"^export (?=(?:async )?(?:class|const|function\*?) ([A-Za-z_$][\w$]*))", re.MULTILINE
)
_ON_ITS_OWN = re.compile(r'"((?:worklets|workers)/[\w/]+\.js)"')
_LEFT = re.compile(r"^\s*(?:import|export)\b(?!\()|\bimport(?:\(|\.meta)", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.MULTILINE | re.DOTALL)


class BundleError(ValueError):
    """Modules cannot be put together; the message names the module and the reason."""


def read_modules(folder: Path) -> dict[str, str]:
    """Return the ES modules of a folder by their path in it, e.g. ``"worklets/recorder.js"``."""
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*.js"))
    }


def bundle(entry: str, modules: Mapping[str, str]) -> str:
    """Return one ES module that does what a module and all that it imports do.

    Parameters
    ----------
    entry : str
        Text of the module to begin with; its ``export default`` stays.
    modules : mapping
        The texts of all modules that may be imported, by their path; the entry is beside them.

    Raises
    ------
    BundleError
        When an import leads nowhere or in a circle, or a module is written in another style.
    """
    return _Bundle(modules).made("entry", entry)


class _Bundle:
    """The parts of a bundle: each is the declaration of a constant, after those it needs."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules
        self._parts: dict[str, str] = {}
        self._path: list[str] = []  # from the entry to the module that is being added

    def made(self, name: str, entry: str) -> str:
        body = self._body(name, entry, keeps="export default")
        return "\n".join([*self._parts.values(), body])

    def _body(self, name: str, text: str, keeps: str = "") -> str:
        """Return a module's statements, which have its imports from constants."""

        def imported(found: re.Match[str]) -> str:
            names = re.sub(r"(\w+) as (\w+)", r"\1: \2", found[1])
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), found[2]))
            return f"const {{{names}}} = {self._module(path, name)};\n"

        body = _IMPORT.sub(imported, text)
        body = _ON_ITS_OWN.sub(lambda found: self._url(found[1], name), body)
        bare = _COMMENT.sub("", body)
        left = _LEFT.search(bare.replace(keeps, "", 1) if keeps else bare)
        if left is not None:
            line = bare[left.start() :].strip().partition("\n")[0]
            raise BundleError(f"{name} has a line that cannot be bundled: {line[:80]}")
        return body

    def _module(self, path: str, importer: str) -> str:
        """Add a module, and return the name of the constant with its exports."""
        if path in self._path:
            circle = " → ".join([*self._path[self._path.index(path) :], path])
            raise BundleError(f"modules import each other in a circle: {circle}")
        if path not in self._parts:
            text = self._text(path, importer)
            exported = ", ".join(_EXPORT.findall(text))
            self._path.append(path)
            body = self._body(path, _EXPORT.sub("", text))
            self._path.pop()
            function = f"(() => {{\n{body}return {{ {exported} }};\n}})()"
            self._parts[path] = f"const {_constant(path)} = {function};"
        return _constant(path)

    def _url(self, path: str, user: str) -> str:
        """Add a worklet or worker, and return the name of the constant with its URL."""
        text = _Bundle(self._modules).made(path, self._text(path, user))
        blob = f'new Blob([{json.dumps(text)}], {{ type: "text/javascript" }})'
        self._parts.setdefault(path, f"const {_constant(path)} = URL.createObjectURL({blob});")
        return _constant(path)

    def _text(self, path: str, user: str) -> str:
        if path not in self._modules:
            raise BundleError(f"{user} needs {path!r}, which is not there")
        return self._modules[path]


def _constant(path: str) -> str:
    return "$" + re.sub(r"\W", "_", path.removesuffix(".js"))
