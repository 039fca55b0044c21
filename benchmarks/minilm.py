"""Sentence vectors of a published network, such as all-MiniLM-L6-v2: slopes beside onnxruntime, same weights, same texts.

    python -m benchmarks.minilm FOLDER [--sentences 200] [--repeats 5] [--batch 8]

FOLDER holds config.json, model.safetensors, vocab.txt, tokenizer.json and the settings of sentence-transformers. The ONNX program
is written here from the weights in the file, operator by operator, so that it shares nothing with slopes; tokens are compared with
those of the library `tokenizers`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tokenizers
from onnx import TensorProto, helper, numpy_helper

import slopes as sl
from slopes import data
from slopes.zoo import sentence_embedding

OPSET = 17  # the first with LayerNormalization
IR = 8
FAR = -1e9  # added to the scores of padding


class Program:
    """An ONNX graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}

    def add(self, operator: str, *inputs: str | np.ndarray, **attributes: Any) -> str:
        """The output of one more node."""
        names = [name if isinstance(name, str) else self.constant(name) for name in inputs]
        output = f"y{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def model(self, output: str, width: int) -> bytes:
        """The program with this output, (N, width), checked."""
        tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["N", "L"])
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", width])
        initializers = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "bert", [tokens], [result], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def write_bert(weights: dict[str, np.ndarray], heads: int, eps: float) -> bytes:
    """BERT, the mean over words and the scaling to length 1 as an ONNX program."""
    program = Program()
    add = program.add

    def array(name: str) -> np.ndarray:
        return np.asarray(weights[name])

    def norm(x: str, name: str) -> str:
        return add("LayerNormalization", x, array(f"{name}.weight"), array(f"{name}.bias"), axis=-1, epsilon=eps)

    def dense(x: str, name: str) -> str:
        return add("Add", add("MatMul", x, np.ascontiguousarray(array(f"{name}.weight").T)), array(f"{name}.bias"))

    def split(x: str, permutation: list[int]) -> str:
        return add("Transpose", add("Reshape", x, np.array([0, 0, heads, -1])), perm=permutation)

    table = "embeddings."
    words = add("Gather", array(table + "word_embeddings.weight"), "tokens")
    length = add("Gather", add("Shape", "tokens"), np.array(1), axis=0)
    end = add("Unsqueeze", length, np.array([0]))
    positions = add("Slice", array(table + "position_embeddings.weight"), np.array([0]), end, np.array([0]))
    x = norm(add("Add", add("Add", words, positions), array(table + "token_type_embeddings.weight")[0]), table + "LayerNorm")
    seen = add("Cast", add("Not", add("Equal", "tokens", np.array(0))), to=TensorProto.FLOAT)  # (N, L)
    hidden = add("Unsqueeze", add("Mul", add("Sub", np.float32(1), seen), np.float32(FAR)), np.array([1, 2]))
    depth = len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")})
    width = array(table + "word_embeddings.weight").shape[1]
    for i in range(depth):
        layer = f"encoder.layer.{i}."
        q, k, v = (split(dense(x, f"{layer}attention.self.{part}"), order)
                   for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])))
        scores = add("Add", add("Div", add("MatMul", q, k), np.float32(np.sqrt(width // heads))), hidden)
        mixed = add("Transpose", add("MatMul", add("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        y = dense(add("Reshape", mixed, np.array([0, 0, width])), layer + "attention.output.dense")
        x = norm(add("Add", x, y), layer + "attention.output.LayerNorm")
        inner = dense(x, layer + "intermediate.dense")
        curve = add("Add", add("Erf", add("Div", inner, np.float32(np.sqrt(2)))), np.float32(1))
        y = dense(add("Mul", add("Mul", inner, curve), np.float32(0.5)), layer + "output.dense")
        x = norm(add("Add", x, y), layer + "output.LayerNorm")
    share = add("Unsqueeze", seen, np.array([2]))
    total = add("ReduceSum", add("Mul", x, share), np.array([1]), keepdims=0)
    mean = add("Div", total, add("Max", add("ReduceSum", share, np.array([1]), keepdims=0), np.float32(1)))
    return program.model(add("LpNormalization", mean, axis=-1, p=2), width)


def embed_by_onnxruntime(session: Any, rows: list[np.ndarray], batch: int) -> np.ndarray:
    """The vectors of texts, sorted by length and in batches as slopes has them."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    vectors: list[Any] = [None] * len(rows)
    for start in range(0, len(rows), batch):
        indices = order[start : start + batch]
        tokens = np.zeros((len(indices), max(len(rows[i]) for i in indices)), np.int64)
        for row, i in zip(tokens, indices):
            row[: len(rows[i])] = rows[i]
        for i, vector in zip(indices, session.run(None, {"tokens": tokens})[0]):
            vectors[i] = vector
    return np.array(vectors)


def seconds(function: Callable[[], object]) -> tuple[float, float]:
    """Elapsed time and CPU time of a call."""
    start, start_cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - start_cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    texts = [str(text) for text in data.rt_polarity().train.inputs[: options.sentences]]
    net = sentence_embedding.from_pretrained(options.folder)
    engine = tokenizers.Tokenizer.from_file(str(options.folder / "tokenizer.json"))
    engine.no_padding()
    engine.enable_truncation(net.length)
    rows = [np.array(engine.encode(text).ids) for text in texts]
    equal = sum(np.array_equal(row, net.pieces.encode(text, net.length)) for row, text in zip(rows, texts))
    print(f"{len(texts)} sentences, {sum(map(len, rows))} tokens; tokens equal: {equal} of {len(texts)}")
    heads = net.bert.encoder.layers[0].self_attn.num_heads
    weights = dict(sl.read_checkpoint(options.folder).items())
    session = onnxruntime.InferenceSession(write_bert(weights, heads, net.bert.norm.eps), providers=["CPUExecutionProvider"])
    mine, others = net.embed(texts, options.batch), embed_by_onnxruntime(session, rows, options.batch)
    print(f"largest difference of {mine.size} values: {np.abs(mine - others).max():.2e}; "
          f"least cosine: {np.sum(mine * others, 1).min():.8f}")
    parts: dict[str, Callable[[], object]] = {
        "slopes, tokens": lambda: [net.pieces.encode(text, net.length) for text in texts],
        "slopes, tokens and network": lambda: net.embed(texts, options.batch),
        "onnxruntime, tokens by tokenizers": lambda: [engine.encode(text).ids for text in texts],
        "onnxruntime, network": lambda: embed_by_onnxruntime(session, rows, options.batch)}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
    for _ in range(options.repeats):  # in turn, so that all have the same disturbances
        for name, function in parts.items():
            times[name].append(seconds(function))
    for name, pairs in times.items():
        elapsed, cpu = (1000 * statistics.median(values) / len(texts) for values in zip(*pairs))
        print(f"{name}: {elapsed:.2f} ms a sentence, {cpu:.2f} ms of CPU time")


if __name__ == "__main__":
    main()
