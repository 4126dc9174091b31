"""Who did what: the nodes of a Ray session, counted, and told of once where they need the driver's help."""

import logging
from collections import Counter
from typing import Any

from mirsweep.jobs.scanning.ray_work import Node

__all__ = ["Nodes"]

_log = logging.getLogger("mirsweep")
_ID_LETTERS = 8


class Nodes:
    """Shards that each node read, folded, scored and wrote itself, and the calls in which it scored them."""

    def __init__(self) -> None:
        self._hosts: dict[str, str] = {}
        self._counts: dict[str, Counter[str]] = {}

    def add(self, node: Node, **counts: int) -> None:
        """A node did something for so many shards."""
        self._hosts[node.id] = node.host
        self._counts.setdefault(node.id, Counter()).update(counts)

    def tell_once(self, node: Node, what: str) -> None:
        """Log what a node cannot do, the first time."""
        key = f"told: {what}"
        if not self._counts.setdefault(node.id, Counter())[key]:
            self._counts[node.id][key] = 1
            self._hosts[node.id] = node.host
            _log.info("node %s (%s) %s", node.id[:_ID_LETTERS], node.host, what)

    def describe(self) -> list[dict[str, Any]]:
        """A line a node, for run.json."""
        names = ("read", "folded", "calls", "scored", "written")
        return [
            {"node": node_id[:_ID_LETTERS], "host": self._hosts[node_id]} | {name: counts[name] for name in names}
            for node_id, counts in self._counts.items()
        ]
