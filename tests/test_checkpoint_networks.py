"""Published networks load from files in their public names, and compute what PyTorch computes with the same weights."""

from __future__ import annotations

import json
import sys
import tracemalloc
import types

import numpy as np
import pytest
from checkpoint_files import state_archive

import slopes as sl
from slopes.checkpoints.folder import Config, pretrained_folder
from slopes.errors import ArgumentError, DataError, DownloadError, MissingExtraError, StateError
from slopes.files import save_safetensors
from slopes.zoo import alexnet, bert, gpt2, resnet, sentence_embedding, vgg, vit

TOLERANCE = 1e-5
BERT_CONFIG = {"model_type": "bert", "vocab_size": 31, "max_position_embeddings": 20, "hidden_size": 16, "num_hidden_layers": 2,
               "num_attention_heads": 4, "intermediate_size": 24, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
               "pad_token_id": 0}
GPT2_CONFIG = {"model_type": "gpt2", "vocab_size": 31, "n_positions": 12, "n_embd": 16, "n_layer": 2, "n_head": 4,
               "activation_function": "gelu_new"}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "good", "morn", "##ing", "!", "night"]


def reference():
    """The networks in PyTorch."""
    pytest.importorskip("torch")
    import checkpoint_torch
    return checkpoint_torch


def write_folder(folder, config, state, **files):
    """A folder of a published network: config.json, weights as safetensors, other files as JSON or text."""
    for name, content in {"config.json": config, **files}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    save_safetensors(folder / "model.safetensors", {name: np.asarray(array) for name, array in state.items()})
    return folder


def save(folder, state):
    import torch
    torch.save(state, folder / "weights.pth")
    return folder / "weights.pth"


def difference(y, expected):
    assert y.shape == tuple(expected.shape)
    return np.abs(y.numpy() - expected.detach().numpy()).max() / np.abs(expected.detach().numpy()).max()


def images(side):
    return np.random.default_rng(0).standard_normal((2, 3, side, side)).astype(np.float32)


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_gpt2_computes_what_pytorch_computes(tmp_path, prefix):
    torch = pytest.importorskip("torch")
    source = reference().randomized(reference().GPT2())
    state = {f"{prefix}{name}": tensor for name, tensor in source.state_dict().items()}
    head = {"lm_head.weight": source.wte.weight.detach()} if prefix else {}
    net = gpt2.from_pretrained(write_folder(tmp_path, GPT2_CONFIG, {**state, **head}))
    tokens = np.random.default_rng(0).integers(0, 31, (3, 9))
    assert difference(net(sl.tensor(tokens)), source(torch.tensor(tokens))) < TOLERANCE
    assert not net.training and net.head.weight is net.words.weight
    logits, _ = net.step(sl.tensor(tokens[:, 0]), net.begin(3))
    assert difference(logits, source(torch.tensor(tokens[:, :1]))[:, 0]) < TOLERANCE


def test_gpt2_has_the_published_size():
    with sl.nn.init.shapes_only():
        assert sum(parameter.size for parameter in gpt2.gpt2().parameters()) == 124_439_808
    with pytest.raises(ArgumentError, match="size='gpt3' is not known"):
        gpt2.gpt2("gpt3")


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_bert_computes_what_pytorch_computes(tmp_path, prefix):
    torch = pytest.importorskip("torch")
    source = reference().randomized(reference().BERT())
    state = {f"{prefix}{name}": tensor for name, tensor in source.state_dict().items()}
    if prefix:  # as files that were converted from TensorFlow name them
        state = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
                 for name, tensor in state.items()}
        state["cls.predictions.bias"] = torch.zeros(31)
    net = bert.from_pretrained(write_folder(tmp_path, BERT_CONFIG, state))
    tokens = np.random.default_rng(0).integers(1, 31, (3, 9))
    tokens[1, 6:] = tokens[2, 2:] = 0
    segments = (np.arange(9) > 4).astype(np.int64) * np.ones((3, 1), np.int64)
    y = net(sl.tensor(tokens), sl.tensor(segments))
    expected = source(torch.tensor(tokens), torch.tensor(segments))
    words = tokens != 0
    assert np.abs(y.numpy() - expected.detach().numpy())[words].max() < TOLERANCE
    assert difference(net.pooled(y), source.pooled(expected)) < TOLERANCE


@pytest.mark.parametrize("counts, bottleneck", [((2, 2, 2, 2), False), ((3, 4, 6, 3), True)], ids=["18", "50"])
def test_resnet_computes_what_pytorch_computes(tmp_path, counts, bottleneck):
    torch = pytest.importorskip("torch")
    source = reference().randomized(reference().ResNet(counts, bottleneck))
    net = resnet.from_pretrained(save(tmp_path, source.state_dict()))
    assert difference(net(images(32)), source(torch.tensor(images(32)))) < TOLERANCE


def test_alexnet_computes_what_pytorch_computes(tmp_path):
    torch = pytest.importorskip("torch")
    source = reference().randomized(reference().AlexNet())
    net = alexnet.from_pretrained(save(tmp_path, {f"module.{name}": tensor for name, tensor in source.state_dict().items()}))
    assert difference(net(images(63)), source(torch.tensor(images(63)))) < TOLERANCE


@pytest.mark.parametrize("batch_norm", [False, True])
def test_vgg_computes_what_pytorch_computes(tmp_path, batch_norm):
    torch = pytest.importorskip("torch")
    source = reference().randomized(reference().VGG(batch_norm=batch_norm))
    net = vgg.from_pretrained(save(tmp_path, source.state_dict()))
    assert difference(net(images(32)), source(torch.tensor(images(32)))) < TOLERANCE


@pytest.mark.parametrize("names", ["torchvision", "hugging face", "timm"])
def test_vit_computes_what_pytorch_computes(tmp_path, names):
    torch = pytest.importorskip("torch")
    eps = 1e-12 if names == "hugging face" else 1e-6
    source = reference().randomized(reference().ViT(eps=eps))
    if names == "hugging face":
        config = {"num_attention_heads": 4, "layer_norm_eps": eps}
        net = vit.from_pretrained(write_folder(tmp_path, config, source.state(names)))
    else:
        net = vit.from_pretrained(save(tmp_path, source.state(names)), heads=4)
    assert difference(net(images(8)), source(torch.tensor(images(8)))) < TOLERANCE


def test_vit_of_an_unknown_width_needs_its_heads(tmp_path):
    source = reference().ViT()
    with pytest.raises(ArgumentError, match="the heads of a vision transformer of width 16 are not known"):
        vit.from_pretrained(save(tmp_path, source.state("timm")))


@pytest.mark.parametrize("load", [resnet.from_pretrained, vgg.from_pretrained, alexnet.from_pretrained, vit.from_pretrained])
def test_weights_of_another_network_are_refused(tmp_path, load):
    path = tmp_path / "x.pt"
    path.write_bytes(state_archive({"layer1.0.conv1.weight": np.zeros((2, 3, 3, 3), np.float32)}))
    with pytest.raises((StateError, ArgumentError), match=r"x\.pt"):
        load(path)


def small_bert(seed=0):
    """The weights of a small BERT in public names, without PyTorch."""
    random = np.random.default_rng(seed)
    net = bert.BERT(len(WORDS), 20, 16, 2, 4, 24)
    state = {}
    for name, array in net.state_dict().items():
        names = bert.WEIGHTS.source_of(name).names
        values = random.standard_normal(array.shape).astype(np.float32) * 0.2
        state |= dict(zip(names, np.split(values, len(names))))
    return state


SENTENCES = {"modules.json": '[{"idx": 0, "type": "sentence_transformers.models.Transformer"}, {"idx": 1, "type": "x.Pooling"}, {"idx": 2, '
                             '"type": "x.Normalize"}]',
             "1_Pooling/config.json": {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False},
             "sentence_bert_config.json": {"max_seq_length": 12}, "tokenizer_config.json": {"do_lower_case": True, "strip_accents": None},
             "vocab.txt": "\n".join(WORDS) + "\n"}
SMALL = {**BERT_CONFIG, "vocab_size": len(WORDS)}


def test_sentences_become_vectors(tmp_path):
    net = sentence_embedding.from_pretrained(write_folder(tmp_path, SMALL, small_bert(), **SENTENCES))
    texts = ["Good morning!", "a night", "", "good " * 30, "Good, MORNING!"]
    vectors = net.embed(texts, batch_size=4)
    assert vectors.shape == (5, 16) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(texts, vectors):  # one by one, without padding, eager
        tokens = net.pieces.encode(text, 12)
        assert len(tokens) <= 12
        y = net.bert(sl.tensor(tokens[None])).numpy()[0].mean(0)
        assert np.abs(vector - y / np.linalg.norm(y)).max() < TOLERANCE
    compilations = net.compiled.compilations
    assert np.array_equal(net.embed(texts, batch_size=4), vectors) and net.compiled.compilations == compilations  # the same programs
    assert np.abs(net.embed(texts[:1]) - vectors[0]).max() < TOLERANCE  # alone
    lengths = [1, 8, 9, 33, 64, 65, 81, 128, 129, 256, 257]
    assert [sentence_embedding.round_up(length) for length in lengths] == [8, 8, 16, 40, 64, 80, 96, 128, 160, 256, 320]
    first = sentence_embedding.SentenceEmbedding(net.bert, net.pieces, "first", normalize=False).eval()
    tokens = first.tokens(texts[:1])
    assert np.allclose(first(sl.tensor(tokens)).numpy(), net.bert(sl.tensor(tokens)).numpy()[:, 0])


def test_sentence_vectors_equal_those_of_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    state = small_bert()
    source = reference().BERT(len(WORDS))
    source.load_state_dict({name: torch.tensor(array) for name, array in state.items()}, strict=False)
    net = sentence_embedding.from_pretrained(write_folder(tmp_path, SMALL, state, **SENTENCES))
    tokens = torch.tensor(net.tokens(["good morning!", "night"]))
    words = (tokens != 0)[:, :, None].float()
    expected = torch.nn.functional.normalize((source(tokens) * words).sum(1) / words.sum(1))
    assert difference(net(sl.tensor(tokens.numpy())), expected) < TOLERANCE


@pytest.mark.parametrize("file, content, problem", [
    ("config.json", {**SMALL, "hidden_size": 0}, "hidden_size: 0 is not a whole number"),
    ("config.json", {**SMALL, "hidden_size": True}, "hidden_size: True is not a whole number"),
    ("config.json", {**SMALL, "hidden_size": 2**60}, "hidden_size: 1152921504606846976 is not"),
    ("config.json", {**SMALL, "model_type": "t5"}, "model_type: 't5' is not supported"),
    ("config.json", {**SMALL, "hidden_act": ["gelu"]}, "hidden_act: .* is not supported"),
    ("config.json", {**SMALL, "layer_norm_eps": "x"}, "layer_norm_eps: 'x' is not a number"),
    ("config.json", {**SMALL, "pad_token_id": -1}, "pad_token_id: -1 is not an index"),
    ("modules.json", '[{"type": "x.Transformer"}, {"type": "x.Dense"}]', "the modules are"),
    ("modules.json", '{"type": 3}', "the modules are"), ("modules.json", "[", "modules.json: contents: it is not JSON"),
    ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pooling_mode: .*'pooling_mode_max_tokens'.* is not supported"),
    ("tokenizer_config.json", {"do_lower_case": "yes"}, "do_lower_case: 'yes' is neither true nor false"),
    ("vocab.txt", "a\nb\n", r"vocab.txt: contents: .* lacks \[PAD\]"),
    ("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\na", "has a piece twice")])
def test_damaged_folders_are_refused(tmp_path, file, content, problem):
    write_folder(tmp_path, SMALL, small_bert(), **{**SENTENCES, file: content})
    with pytest.raises(DataError, match=problem):
        sentence_embedding.from_pretrained(tmp_path)


def test_a_configuration_with_other_sizes_than_the_weights_is_refused(tmp_path):
    with pytest.raises(StateError, match=r"another shape: words\.weight is 9x16 here, embeddings\.\S+ gives 10x16"):
        bert.from_pretrained(write_folder(tmp_path, {**SMALL, "vocab_size": 9}, small_bert()))


def test_a_configuration_outside_of_the_folder_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "config.json").symlink_to(tmp_path / "config.json")
    with pytest.raises(DataError, match="it leads out of the folder"):
        Config(tmp_path / "inner")


def public_state(net, weights):
    """The arrays of a file in public names, from which the map makes the weights of this network."""
    state = {}
    for name, array in net.state_dict().items():
        source = weights.source_of(name)
        array = array if source.permute is None else array.transpose(np.argsort(source.permute))
        array = array if source.row is None else array[None]
        state |= dict(zip(source.names, np.split(array, len(source.names)) if len(source.names) > 1 else [array]))
    return state


RESNETS = {18: ("basic", (2, 2, 2, 2)), 50: ("bottleneck", (3, 4, 6, 3))}
NETWORKS = {
    "gpt2": (lambda: gpt2.GPT(31, 12, 16, 2, 4, bias=True, activation="gelu_tanh"), gpt2.WEIGHTS, gpt2.from_pretrained),
    **{f"resnet-{depth}": (lambda depth=depth: resnet.resnet((3, 224, 224), 5, depth, 2), sl.WeightMap(dict(resnet.weight_names(*blocks))),
                           resnet.from_pretrained) for depth, blocks in RESNETS.items()},
    "alexnet": (lambda: alexnet.alexnet((3, 63, 63), 3, hidden=7, filters=(4, 6, 8, 6, 5)), alexnet.WEIGHTS, alexnet.from_pretrained),
    **{f"vit, {name}": (lambda: vit.VisionTransformer((3, 8, 8), 3, 4, 16, 2, 4, 24), weights,
                        lambda path: vit.from_pretrained(path, heads=4))
       for name, weights in vit.MAPS.items()},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_from_its_public_names(tmp_path, name):
    make, weights, load = NETWORKS[name]
    net = make()
    config = GPT2_CONFIG if name == "gpt2" else {"num_attention_heads": 4, "layer_norm_eps": 1e-6}
    again = load(write_folder(tmp_path, config, public_state(net, weights)))
    before, after = net.state_dict(), again.state_dict()
    assert after.keys() == before.keys() and not again.training
    assert all(np.array_equal(array, before[name]) for name, array in after.items())


# The hub

def fake_hub(monkeypatch, tmp_path, write):
    """A huggingface_hub that fetches nothing: `write` fills the folder."""
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    calls = []

    def snapshot_download(name, local_dir, allow_patterns):
        calls.append((name, allow_patterns))
        local_dir.mkdir(parents=True, exist_ok=True)
        write(local_dir, allow_patterns)

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=snapshot_download))
    return calls


def test_a_repository_is_fetched_into_the_cache(tmp_path, monkeypatch):
    calls = fake_hub(monkeypatch, tmp_path, lambda folder, patterns: write_folder(folder, SMALL, small_bert()))
    net = bert.from_pretrained("someone/tiny-bert")
    assert np.array_equal(net.words.weight.numpy(), small_bert()["embeddings.word_embeddings.weight"])
    assert [name for name, _ in calls] == ["someone/tiny-bert"] and not any("bin" in pattern for pattern in calls[0][1])


def test_pickles_are_fetched_only_where_there_is_nothing_else(tmp_path, monkeypatch):
    def write(folder, patterns):
        if "pytorch_model*.bin" in patterns:
            (folder / "pytorch_model.bin").write_bytes(state_archive(small_bert()))
        (folder / "config.json").write_text(json.dumps(SMALL))

    calls = fake_hub(monkeypatch, tmp_path, write)
    bert.from_pretrained("someone/old-bert")
    assert len(calls) == 2


def test_what_cannot_be_fetched(tmp_path, monkeypatch):
    def fail(folder, patterns):
        raise OSError("no connection")

    fake_hub(monkeypatch, tmp_path, fail)
    with pytest.raises(DownloadError, match="someone/bert could not be fetched\n  OSError: no connection"):
        pretrained_folder("someone/bert")
    for name in ("../x", "no/such/folder", "x" * 300, "someone/..", "-x/y"):
        with pytest.raises(ArgumentError, match="there is no folder"):
            pretrained_folder(name)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"slopes\[hub\]"):
        pretrained_folder("someone/bert")


def test_absurd_sizes_are_refused_before_memory_is_allocated(tmp_path):
    state = small_bert()
    for name, size in (("vocab_size", 2**24), ("num_hidden_layers", 2**20), ("intermediate_size", 2**24)):
        tracemalloc.start()
        with pytest.raises((StateError, DataError)):
            bert.from_pretrained(write_folder(tmp_path, {**SMALL, name: size}, state))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
        tracemalloc.stop()


def test_a_missing_pooler_has_initial_values_and_the_net_can_be_trained(tmp_path):
    state = {name: array for name, array in small_bert().items() if not name.startswith("pooler")}
    net = bert.from_pretrained(write_folder(tmp_path, SMALL, state), dropout=0.0)
    weight = net.pooler.weight.numpy()
    assert np.unique(weight).size == weight.size
    before = net.words.weight.numpy().copy()
    net.pooled(net(sl.tensor([[2, 4, 3]]))).sum().backward()
    sl.optim.SGD(net.parameters(), lr=0.1).step()
    changed = (net.words.weight.numpy() != before).any(1)
    assert changed[[2, 3, 4]].all() and not changed[5:].any()
