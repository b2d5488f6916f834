"""Analysis of a package's use of private names of other packages, and a check that they exist."""

import ast
import contextlib
import importlib
import importlib.util
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PRIVATE = re.compile(r"_(?!_)\w*[A-Za-z]\w*(?<!_)")
DOCUMENTED = {"_replace", "_exit"}
"""Public names with an underscore: `typing.NamedTuple._replace` and `os._exit`."""
_BY_NAME = {"getattr", "setattr", "hasattr", "delattr", "_inside"}
"""Functions that take an attribute's name as their second argument."""


def used_in(path: Path, package: Path) -> set[str]:
    """Return the private names of other packages that a module uses, in any form.

    Parameters
    ----------
    path : Path
        The module's file.
    package : Path
        Folder of its package, which can be imported.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = _bound(tree)
    reached = {*_attributes(tree), *_strings(tree)} - own
    return (reached | {*_imports(tree)} | {*_inherited(tree, path, package)}) - DOCUMENTED


def missing(owner: str, names: Iterable[str]) -> list[str]:
    """Return the names that an owner, a module or a class, does not have.

    The source is read, not run: a class has the attributes that its methods set, and an import
    could fail without PortAudio.
    """
    module, _, name = owner.rpartition(".")
    if _source(owner) is not None:
        there = _bound(_source(owner))
    else:
        classes = ast.walk(_source(module) or ast.Module([], []))
        there = {
            each
            for found in classes
            if isinstance(found, ast.ClassDef) and found.name == name
            for each in _bound(found)
        }
    return sorted(set(names) - {_mangled(each, name) for each in there})


def _private(name: str) -> bool:
    return PRIVATE.fullmatch(name) is not None


def _bound(tree: ast.AST) -> set[str]:
    """Return the names to which code assigns a value; an annotation alone does not count."""
    nodes = list(ast.walk(tree))
    declared = {id(n.target) for n in nodes if isinstance(n, ast.AnnAssign) and not n.value}
    found = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(getattr(node, "ctx", None), ast.Store) and id(node) not in declared:
            found |= {getattr(node, "id", None), getattr(node, "attr", None)} - {None}
    return found


def _attributes(tree: ast.AST) -> Iterator[str]:
    """Yield private attributes of other objects than ``self`` and ``cls``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _private(node.attr):
            itself = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not itself:
                yield node.attr


def _strings(tree: ast.Module) -> Iterator[str]:
    """Yield private attributes named by a string, and private parts of dotted names."""
    constants = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, values = node.targets, [node.value]
            if isinstance(targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                targets, values = targets[0].elts, node.value.elts
            for target, value in zip(targets, values, strict=False):
                constants[ast.unparse(target)] = getattr(value, "value", None)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _BY_NAME:
            second = node.args[1] if len(node.args) > 1 else None
            name = getattr(second, "value", constants.get(getattr(second, "id", "")))
            if isinstance(name, str) and _private(name):
                yield name
        elif isinstance(node, ast.Constant) and re.fullmatch(r"\w+(\.\w+)+", str(node.value)):
            yield from filter(_private, str(node.value).split("."))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [*(alias.name for alias in node.names), getattr(node, "module", None) or ""]
            yield from (part for name in names for part in name.split(".") if _private(part))


def _inherited(tree: ast.AST, path: Path, package: Path) -> Iterator[str]:
    """Yield private names of base classes that a class uses, sets or replaces."""
    names = path.relative_to(package.parent).with_suffix("").parts
    for node in ast.walk(tree):
        if not (isinstance(node, ast.ClassDef) and node.bases):
            continue
        module = importlib.import_module(".".join(names).removesuffix(".__init__"))
        its_class = getattr(module, node.name, None)
        if isinstance(its_class, type):
            touched = _touched(node)
            for base in its_class.__mro__:
                if base.__module__.split(".")[0] not in (package.name, "builtins", "typing"):
                    yield from touched & _names_of(base)


def _touched(node: ast.ClassDef) -> set[str]:
    touched = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    for each in node.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            touched.add(each.name)
        elif isinstance(each, ast.Assign | ast.AnnAssign):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            touched |= {ast.unparse(target) for target in targets}
    return {name for name in touched if _private(name)}


@cache
def _names_of(base: type) -> frozenset[str]:
    """Return the names of a class, and the attributes that its methods set."""
    names = set(vars(base))
    with contextlib.suppress(OSError, TypeError):  # a class in C has no source, and `vars` has all
        names |= _bound(ast.parse(textwrap.dedent(inspect.getsource(base))))
    return frozenset(names)


@cache
def _source(module: str) -> ast.Module | None:
    """Return a module's syntax tree; None if there is no such module."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None:
        return None
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _mangled(name: str, owner: str) -> str:
    """Return the name of a class' attribute outside of the class."""
    return f"_{owner}{name}" if name.startswith("__") and not name.endswith("__") else name
