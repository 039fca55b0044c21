"""Trees: what would break if leaves were lost, reordered, duplicated or misnamed, or if depth were a limit."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, namedtuple

import pytest

from slopes.errors import ArgumentError
from slopes.tree import Parts, flatten, map_tree, named_leaves, register, unflatten

Point = namedtuple("Point", "x y")


@dataclasses.dataclass(frozen=True)
class Frozen:
    left: object
    right: object


class Layer:
    def __init__(self, weight, bias, size):
        self.weight, self.bias, self.size = weight, bias, size


register(Layer, lambda layer: Parts(("weight", "bias"), (layer.weight, layer.bias), layer.size),
         lambda parts: Layer(*parts.children, parts.static))

TREES = [
    1, None, [], {}, (), [None, 1], {"a": 1, "b": [2, (3, None)]}, Point(1, [2, 3]), Frozen(1, {"x": 2}), OrderedDict(b=1, a=2),
    [[], [[], 5], {}], (1, Point(Point(1, 2), Frozen(None, 3))),
]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_unflatten_gives_back_what_flatten_took_apart(tree):
    leaves, structure = flatten(tree)
    again = unflatten(structure, leaves)
    assert again == tree and type(again) is type(tree)


def test_leaves_come_from_left_to_right_and_none_is_no_leaf():
    assert flatten({"b": [1, None], "a": (2, {"z": 3})})[0] == [1, 2, 3]


def test_equal_trees_have_equal_hashable_structures_and_others_do_not():
    same = {flatten({"a": 1, "b": [2, 3]})[1], flatten({"a": 7, "b": [8, 9]})[1]}
    others = {flatten(tree)[1] for tree in ({"a": 1, "b": (2, 3)}, {"a": 1, "c": [2, 3]}, {"a": 1, "b": [2, None]}, [1, [2, 3]])}
    assert len(same) == 1 and len(others) == 4 and not same & others


def test_registered_types_take_part_with_their_static_part():
    leaves, structure = flatten([Layer(1, 2, "wide")])
    assert leaves == [1, 2]
    made, = unflatten(structure, [10, 20])
    assert (made.weight, made.bias, made.size) == (10, 20, "wide")
    assert structure != flatten([Layer(1, 2, "narrow")])[1]


def test_subclasses_of_a_registered_type_take_part():
    class Wide(Layer):
        pass

    assert flatten(Wide(1, 2, 3))[0] == [1, 2]


def test_a_dict_subclass_with_its_own_ideas_is_a_leaf():
    class Strange(dict):
        pass

    tree = Strange(a=1)
    assert flatten(tree)[0] == [tree]


def test_paths_read_like_the_code_that_reaches_the_leaf():
    tree = {"layers": [Layer(1, 2, 0), {"odd key": 3, 7: 4}], "point": Point(5, 6)}
    assert named_leaves(tree, "net") == [
        ("net.layers[0].weight", 1), ("net.layers[0].bias", 2), ("net.layers[1]['odd key']", 3), ("net.layers[1][7]", 4),
        ("net.point.x", 5), ("net.point.y", 6)]
    assert named_leaves({"a": 1}) == [("a", 1)]
    assert named_leaves(5, "x") == [("x", 5)]


def test_a_leaf_met_twice_is_one_leaf_when_sharing_and_stays_shared():
    tied = object()
    tree = {"encoder": tied, "decoder": [tied, object()]}
    assert len(flatten(tree)[0]) == 3
    leaves, structure = flatten(tree, share=True)
    assert len(leaves) == 2
    again = unflatten(structure, ["new", "other"])
    assert again == {"encoder": "new", "decoder": ["new", "other"]}
    assert [path for path, _ in named_leaves(tree, share=True)] == ["encoder", "decoder[1]"]
    assert structure != flatten({"encoder": object(), "decoder": [object(), object()]}, share=True)[1]


def test_map_tree_applies_a_function_to_corresponding_leaves():
    assert map_tree(lambda a, b: a + b, {"a": 1, "b": [2]}, {"a": 10, "b": [20]}) == {"a": 11, "b": [22]}
    assert map_tree(str, Point(1, None)) == Point("1", None)


def test_map_tree_refuses_trees_of_different_structure():
    with pytest.raises(ArgumentError, match=r"tree 1 and tree 2 differ: \{'a': \*\} and \[\*\]"):
        map_tree(lambda a, b: a, {"a": 1}, [1])


def test_a_tree_ten_thousand_deep_is_no_problem():
    tree: object = 1
    for _ in range(10_000):
        tree = [tree]
    leaves, structure = flatten(tree)
    assert leaves == [1] and hash(structure) == hash(flatten(tree)[1])
    (path, leaf), = named_leaves(tree)
    assert leaf == 1 and path.count("[0]") == 10_000
    again, depth = unflatten(structure, [2]), 0
    while isinstance(again, list):
        again, depth = again[0], depth + 1
    assert again == 2 and depth == 10_000


def test_a_container_that_contains_itself_is_refused_but_one_met_twice_is_not():
    loop: list = [1]
    loop.append(loop)
    with pytest.raises(ArgumentError, match="contains itself"):
        flatten(loop)
    with pytest.raises(ArgumentError, match="contains itself"):
        named_leaves(loop)
    shared = [1]
    assert flatten([shared, shared])[0] == [1, 1]


def test_the_number_of_leaves_must_fit():
    with pytest.raises(ArgumentError, match="1 leaves for a structure of 2"):
        unflatten(flatten([1, 2])[1], [1])
