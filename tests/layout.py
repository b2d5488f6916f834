"""Analysis of a package's layout: imports of every form, folders, and test files."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def modules(package: Path) -> dict[str, Path]:
    """Return a package's files by module name."""
    root = package.parent
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, package: Path, known: Iterable[str]) -> set[str]:
    """Return the package's modules that a file imports, anywhere in it.

    All forms count: ``import a.b``, ``import a.b as c``, ``from a import b``, where b is a module
    or a name, and relative imports.
    """
    here = path.relative_to(package.parent).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {_nearest(alias.name, known) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {_nearest(f"{base}.{alias.name}", known) for alias in node.names}
    return found - {""}


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the module that contains a name; an empty string for a name of another package."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def folder(module: str, package: Path) -> str:
    """Return a module's folder, relative to the package; a top-level module is its own folder."""
    parts = module.split(".")[1:]
    if (package.parent / module.replace(".", "/")).is_dir():
        return "/".join(parts)
    return "/".join(parts[:-1]) or "/".join(parts)


def arrows(package: Path) -> dict[tuple[str, str], list[str]]:
    """Return the pairs of importing and imported folder, each with its imports."""
    known = modules(package)
    found: dict[tuple[str, str], list[str]] = {}
    for module, path in known.items():
        here = folder(module, package)
        for other in imported(path, package, known):
            there = folder(other, package)
            if here != there:
                found.setdefault((here, there), []).append(f"{module} imports {other}")
    return found


def wrong_imports(package: Path, below: Mapping[str, str]) -> list[str]:
    """Return the imports that a table of directions does not allow.

    Parameters
    ----------
    package : Path
        The package to read.
    below : mapping
        For each folder the folders that it may import from, separated by spaces; they all precede
        it in the table. The package's own ``__init__`` and ``__main__`` may import anything.
    """
    return [
        each
        for (here, there), imports in arrows(package).items()
        if here not in ("", "__main__") and there not in below.get(here, "").split()
        for each in imports
    ]


def turned_round(below: Mapping[str, str]) -> list[str]:
    """Return the imports that a table of directions allows from a folder further down in it.

    Without such imports there is no cycle of folders.
    """
    before: set[str] = set()
    found = []
    for here, others in below.items():
        found += [
            f"{here} may import from {there}" for there in others.split() if there not in before
        ]
        before.add(here)
    return found


def crowded(package: Path, most: int) -> list[str]:
    """Return the folders with more than `most` modules."""
    counts: dict[Path, int] = {}
    for path in package.rglob("*.py"):
        counts[path.parent] = counts.get(path.parent, 0) + (path.name != "__init__.py")
    return [f"{path.relative_to(package.parent)}: {n}" for path, n in counts.items() if n > most]


def without_a_module(tests: Path, package: Path) -> Iterator[str]:
    """Yield the test files, relative to their folder, that mirror no module of the package."""
    for path in sorted(tests.rglob("test_*.py")):
        place = path.relative_to(tests)
        if not (package / place.with_name(place.name.removeprefix("test_"))).exists():
            yield str(place)
