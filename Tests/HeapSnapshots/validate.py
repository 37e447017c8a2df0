#!/usr/bin/env python3
"""Checks that a file is a .heapsnapshot as V8 writes them, by every rule that its readers rely on.

    Tests/HeapSnapshots/validate.py FILE...

Exit codes: 0 all are, 1 one is not; then standard error says which rule it breaks and where.
"""

import json
import sys

NODE_FIELDS = ["type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness"]
EDGE_FIELDS = ["type", "name_or_index", "to_node"]
KEYS = ["snapshot", "nodes", "edges", "trace_function_infos", "trace_tree", "samples", "locations", "strings"]


class Broken(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Broken(what)


def check_description(snapshot):
    meta = snapshot["meta"]
    expect(meta["node_fields"] == NODE_FIELDS, f"node_fields are {meta['node_fields']}")
    expect(meta["edge_fields"] == EDGE_FIELDS, f"edge_fields are {meta['edge_fields']}")
    node_types, edge_types = meta["node_types"], meta["edge_types"]
    expect(len(node_types) == len(NODE_FIELDS) and isinstance(node_types[0], list), "node_types do not describe node_fields")
    expect(node_types[1] == "string" and set(node_types[2:]) == {"number"}, "node_types are not a string and numbers")
    expect(edge_types[1:] == ["string_or_number", "node"] and isinstance(edge_types[0], list), "edge_types do not describe edge_fields")
    for name in ("synthetic", "object", "native"):
        expect(name in node_types[0], f"no node type {name}")
    for name in ("element", "property", "weak"):
        expect(name in edge_types[0], f"no edge type {name}")
    expect(snapshot["trace_function_count"] == 0, "trace functions are counted and there are none")
    return node_types[0], edge_types[0]


def check_numbers(numbers, what, width, count):
    expect(len(numbers) == width * count, f"{what} has {len(numbers)} numbers for {count} of {width}")
    for place, number in enumerate(numbers):
        expect(type(number) is int and 0 <= number < 1 << 32, f"{what}[{place}] is {number}")


def check_nodes(nodes, types, strings):
    width = len(NODE_FIELDS)
    ids = set()
    edge_count = 0
    for first in range(0, len(nodes), width):
        kind, name, identifier, size, edges, trace, detached = nodes[first:first + width]
        expect(kind < len(types), f"node {first // width} is of type {kind}")
        expect(name < len(strings), f"node {first // width} has name {name} of {len(strings)}")
        expect(identifier > 0 and identifier not in ids, f"id {identifier} is not of one node")
        ids.add(identifier)
        expect(trace == 0 and detached == 0, f"node {first // width} has a trace or is detached")
        if types[kind] == "object":
            expect(size > 0, f"object {first // width} has no size")
            expect(strings[name] != "", f"object {first // width} has no name")
        else:
            expect(size == 0, f"node {first // width} is no object and has a size")
        edge_count += edges
    expect(types[nodes[0]] == "synthetic" and strings[nodes[1]] == "", "the first node is not the root")
    return edge_count


def check_edges(nodes, edges, types, strings):
    width, node_width = len(EDGE_FIELDS), len(NODE_FIELDS)
    reached = set()
    for first in range(0, len(edges), width):
        kind, name, target = edges[first:first + width]
        expect(kind < len(types), f"edge {first // width} is of type {kind}")
        expect(target % node_width == 0 and target < len(nodes), f"edge {first // width} leads to {target}")
        if types[kind] not in ("element", "hidden"):
            expect(name < len(strings), f"edge {first // width} has name {name} of {len(strings)}")
        reached.add(target)
    expect(len(reached | {0}) == len(nodes) // node_width, "a node is referred to by none")


def check(path):
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    expect(list(data) == KEYS, f"the keys are {list(data)}, in this order")
    types, edge_types = check_description(data["snapshot"])
    nodes, edges, strings = data["nodes"], data["edges"], data["strings"]
    expect(all(type(text) is str for text in strings) and len(set(strings)) == len(strings), "strings are not each one text, once")
    check_numbers(nodes, "nodes", len(NODE_FIELDS), data["snapshot"]["node_count"])
    check_numbers(edges, "edges", len(EDGE_FIELDS), data["snapshot"]["edge_count"])
    count = check_nodes(nodes, types, strings)
    expect(count == data["snapshot"]["edge_count"], f"nodes have {count} edges, and there are {data['snapshot']['edge_count']}")
    check_edges(nodes, edges, edge_types, strings)
    for key in ("trace_function_infos", "trace_tree", "samples", "locations"):
        expect(data[key] == [], f"{key} is not empty")


def main(paths):
    for path in paths:
        try:
            check(path)
        except (Broken, ValueError, KeyError, TypeError) as error:
            print(f"{path}: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
