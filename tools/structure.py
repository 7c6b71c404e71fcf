"""How the code is laid out: packages, modules, depth of imports, and the largest pieces.

    python -m tools.structure [ROOT]

Prints one line a figure for nba_broker and training together, of the checkout at ROOT (default:
this one). Depth is the number of modules in the longest chain of imports; imports for types alone
count, and modules that import each other count once.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGES = ("nba_broker", "training")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, nargs="?", default=Path(__file__).parents[1])
    root = parser.parse_args().root.resolve()
    files = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    modules = {_name(path, root): path for path in files if path.name != "__init__.py"}
    lines = {path: len(path.read_text().splitlines()) for path in files}
    largest = max(files, key=lines.__getitem__)
    function, size = max(
        (one for path in files for one in _functions(path, root)), key=lambda one: one[1]
    )
    chain = longest_chain({name: set(imports(path, modules)) for name, path in modules.items()})
    tests = list((root / "tests").rglob("*.py"))
    tests += (root / "testing").rglob("*.py")
    print(f"packages                 {sum(path.name == '__init__.py' for path in files)}")
    print(f"modules                  {len(modules)}")
    print(f"depth of imports         {len(chain)}  ({' > '.join(chain)})")
    print(f"largest file             {lines[largest]} lines  {largest.relative_to(root)}")
    print(f"files over 450 lines     {sum(number > 450 for number in lines.values())}")
    print(f"largest function         {size} lines  {function}")
    print(f"lines of the product     {sum(lines.values())}")
    print(f"lines of the tests       {sum(len(path.read_text().splitlines()) for path in tests)}")


def _name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts)


def _functions(path: Path, root: Path) -> Iterator[tuple[str, int]]:
    """The functions of a file with their lines, without those within them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{_name(path, root)}.{node.name}", (node.end_lineno or 0) - node.lineno + 1


def imports(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """The modules that a file imports, of those in ``modules``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                for name in (f"{node.module}.{alias.name}", node.module):
                    if name in modules:
                        yield name
                        break
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)


def longest_chain(graph: dict[str, set[str]]) -> list[str]:
    """The longest chain of imports, from the top."""
    open_: set[str] = set()

    @cache
    def below(name: str) -> tuple[str, ...]:
        open_.add(name)
        chains = [below(one) for one in sorted(graph[name]) if one not in open_]
        open_.discard(name)
        return (name, *_longest(chains))

    return list(_longest([below(name) for name in sorted(graph)]))


def _longest(chains: list[tuple[str, ...]]) -> tuple[str, ...]:
    return max(chains, key=lambda chain: len(chain), default=())


if __name__ == "__main__":
    main()
