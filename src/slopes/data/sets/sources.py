"""The sources of the public data sets: addresses, licences, and size and SHA-256 of every file."""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """What a file must be; `path` is its name on the mirrors where that is another, `pieces` what it is put together from."""

    size: int
    sha256: str
    path: str = ""
    pieces: tuple[str, ...] = ()  # files on the mirrors that become one tar file, in this order


class DataSource(NamedTuple):
    """The folders on the net that hold a data set, tried in turn, and its files; who made it, and its licence.

    `archive` is the zip that the files lie in, if any; `folder` the subfolder of local copies, where it is not called like the set.
    """

    mirrors: tuple[str, ...]
    files: dict[str, Known]
    cite: str = ""
    licence: str = ""
    folder: str = ""
    archive: str | None = None


def github(repository: str, commit: str, folder: str = "") -> tuple[str, str]:
    """Two mirrors of a folder of a repository as it was at a commit.

    >>> github("who/what", "abc123")[0]
    'https://raw.githubusercontent.com/who/what/abc123/'
    """
    return (f"https://raw.githubusercontent.com/{repository}/{commit}/{folder}",
            f"https://cdn.jsdelivr.net/gh/{repository}@{commit}/{folder}")


def recordings(first: int, last: int) -> tuple[str, ...]:
    """The names of the spoken digits with these numbers, in the order of the alphabet."""
    speakers = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    return tuple(sorted(f"{digit}_{who}_{index}.wav" for digit in range(10) for who in speakers for index in range(first, last + 1)))


UCI = "CC BY 4.0, as the UCI Machine Learning Repository states for what was donated to it"
UNSTATED = "none stated: an old published measurement"
BROWNLEE = github("jbrownlee/Datasets", "d20fcb6402ae34e653d4513b00f39257bb37ed7f")

SOURCES = {
    "tinyshakespeare": DataSource(
        github("karpathy/char-rnn", "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e", "data/tinyshakespeare/"),
        {
            "input.txt": Known(1115394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"),
        },
        "Shakespeare's plays; Karpathy, The unreasonable effectiveness of recurrent neural networks, 2015",
        "public domain (the repository is MIT)",
    ),
    "wikitext-2": DataSource(
        github("pytorch/examples", "77f55b912142e11fcfdf5b530231fb9c52f181e8", "word_language_model/data/wikitext-2/"),
        {
            "train.txt": Known(10797148, "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f"),
            "valid.txt": Known(1121681, "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8"),
            "test.txt": Known(1256449, "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0"),
        },
        "Merity, Xiong, Bradbury, Socher, Pointer sentinel mixture models, 2016; articles of Wikipedia",
        "CC BY-SA",
    ),
    "rt-polarity": DataSource(
        github("dennybritz/cnn-text-classification-tf", "18762b459e21d9c70e5c242f8d43fc4e6db37a0d", "data/rt-polaritydata/"),
        {
            "rt-polarity.pos": Known(626395, "4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58"),
            "rt-polarity.neg": Known(612506, "2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd"),
        },
        "Pang, Lee, Seeing stars, 2005",
        "CC BY 4.0",
    ),
    "ud-english-ewt": DataSource(
        github("UniversalDependencies/UD_English-EWT", "15d613d8447b3478787d4c278730a1e48a945efb", ""),
        {
            "en_ewt-ud-train.conllu": Known(14203025, "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b"),
            "en_ewt-ud-dev.conllu": Known(1805545, "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6"),
            "en_ewt-ud-test.conllu": Known(1804515, "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd"),
        },
        "Silveira and others, A gold standard dependency corpus for English, 2014; Universal Dependencies",
        "annotations CC BY-SA 4.0; the texts belong to their authors",
    ),
    "tatoeba-fra-eng": DataSource(
        (github("modelexlab/data", "adddaf33ac35572bcfeb421efec29435e7ea9332", "")[0],
         "https://storage.googleapis.com/download.tensorflow.org/data/"),
        {
            "fra.txt": Known(11669748, "0bb85dbaa1c896844649094d7eaf2e34bee34e84fe362b26ce7e8f2e12aae104"),
        },
        "www.manythings.org/anki and tatoeba.org, 2019-04-07",
        "CC BY 2.0",
        archive="fra-eng.zip",
    ),
    "names": DataSource(
        github("spro/practical-pytorch", "c520c52e68e945d88fff563dba1c028b6ec0197b", "data/names/"),
        {
            "Arabic.txt": Known(13190, "6f424a8dbe51cbbbabab7a57d38b617210125e4e3991f3c657cb79b8f104bafc"),
            "Chinese.txt": Known(1246, "09ba8f1f7e38dbc99372d461b26ad4433b811fc6bfa6a3ecca6fe11a9a777465"),
            "Czech.txt": Known(3916, "e17ab0ec47616a72c39cb85c783f70c3663ab64488721e5d8378f146d2226be7"),
            "Dutch.txt": Known(2351, "924f32b635170eae561f84538632138fc07d4c8bbd70ba3fb980de1ecc4d2af3"),
            "English.txt": Known(27125, "9cca037066d3d5989e24bc01801416162de506b5e28e15b7c092a47905d29bf2"),
            "French.txt": Known(2178, "81e65b36c60ed5b89a17422f6edcadbb89546f38ad69e960e64e7ba682012a95"),
            "German.txt": Known(5610, "7449cd590b97a733e18d613a4155decd77ec35dc5f8aadd7a82204dce4f051db"),
            "Greek.txt": Known(1981, "3555b5186de7f401e6d991b088e9e644ca3099116477818c25ab5793801389e6"),
            "Irish.txt": Known(1858, "cf8c7013256252a88d2503127b87282a11f21b2ff6db1bded68834c19a1ec058"),
            "Italian.txt": Known(5657, "f88414c27d0606a11a678b4859277828c2565d6cc4d9ee932deef6e94f3b35e4"),
            "Japanese.txt": Known(7622, "e0e717e114fec3e7eade4d9dabe0067c475f43147e36a22b47902ee76ad9e67f"),
            "Korean.txt": Known(423, "cd54221ccb362a6cba4c78828838cf3268a0e59744767a37cf6ec4b74036b136"),
            "Polish.txt": Known(1165, "45bab898af2f60ed3a728bbf6980e28821011a7caa53227553b5785903a40826"),
            "Portuguese.txt": Known(554, "50a8735f41f4f73757c8ce5b16cb0275cd86b2b214bcbc8c9805f508cb131c53"),
            "Russian.txt": Known(85168, "0cfe53ac18041e8f63666aa77313e0a3ff378facb132abee052d8ebdc8c3d62c"),
            "Scottish.txt": Known(752, "78d0252711d87d948ea86fe34826c51d2d794a8e52d15b5d6f7b6244d45d62dd"),
            "Spanish.txt": Known(2284, "1bcb462ed3316756a85781d68232bddae04498fdddd5d9219c53fd1fbdeba7a7"),
            "Vietnamese.txt": Known(339, "f3f9e4164ab47601178a6e45b216464a64122f49d05541f24bf18a757253281d"),
        },
        "Robertson, Practical PyTorch: lists of surnames by language, 2017",
        "MIT; collected from public lists",
    ),
    "mnist": DataSource(
        ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        {
            "train-images-idx3-ubyte.gz": Known(9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            "train-labels-idx1-ubyte.gz": Known(28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            "t10k-images-idx3-ubyte.gz": Known(1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            "t10k-labels-idx1-ubyte.gz": Known(4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        },
        "LeCun, Cortes, Burges, The MNIST database of handwritten digits", "CC BY-SA 3.0",
    ),
    "fashion-mnist": DataSource(
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
         "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
        {
            "train-images-idx3-ubyte.gz": Known(26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            "train-labels-idx1-ubyte.gz": Known(29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            "t10k-images-idx3-ubyte.gz": Known(4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            "t10k-labels-idx1-ubyte.gz": Known(5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        },
        "Xiao, Rasul, Vollgraf, Fashion-MNIST, 2017", "MIT, (c) 2017 Zalando SE",
    ),
    "spoken-digits": DataSource(
        github("Jakobovski/free-spoken-digit-dataset", "26eb9aaf76e81b692f806f9140c2d2777410d7a1", "recordings/"),
        {
            "fsdd_train.tar": Known(4679680, "f0a3fd5055e874b274100f6fb848a8b0977f0903468fb776ed1fc10fe9cc0b27",
                                    pieces=recordings(5, 14)),
            "fsdd_test.tar": Known(2324480, "1b0518b402ceef45b7cb96d14cfc6ae2eb5e0bd631ac99490c97abb64f2bef8e",
                                   pieces=recordings(0, 4)),
        },
        "Jackson and others, Free Spoken Digit Dataset", "CC BY-SA 4.0", "fsdd",
    ),
    "adult": DataSource(
        BROWNLEE,
        {
            "adult-train.csv": Known(3974305, "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"),
            "adult-test.csv": Known(2003132, "72567b94f5c1a6f8501377dd80f93892c3848ff071cf91ba47e00b0785a28074"),
        },
        "Kohavi, Becker, Adult (census income), UCI 1996", UCI, "tabular",
    ),
    "wine-quality": DataSource(
        BROWNLEE,
        {
            "winequality-red.csv": Known(84028, "c9614512e980f1cbd221c796daa97f00c4898c3cd1716863abac60f6cd1a522e"),
            "winequality-white.csv": Known(264255, "659d419fff887f225bf977d20520bb64a64cae203e460087f809721d4430ba27"),
        },
        "Cortez, Cerdeira, Almeida, Matos, Reis, Wine quality, UCI 2009", UCI, "tabular",
    ),
    "california-housing": DataSource(
        github("ageron/handson-ml", "b7051594afbb1d835f5e031af8664c4363878050", "datasets/housing/"),
        {"california-housing.csv": Known(1423529, "8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e",
                                         path="housing.csv")},
        "Pace, Barry, Sparse spatial autoregressions, 1997: the US census of 1990",
        "none stated for the data; redistributed in a repository under Apache 2.0", "tabular",
    ),
    "sunspots": DataSource(
        BROWNLEE, {"monthly-sunspots.csv": Known(45039, "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3")},
        "Andrews, Herzberg, Data, Springer 1985", UNSTATED, "timeseries",
    ),
    "temperatures": DataSource(
        BROWNLEE, {"daily-min-temperatures.csv": Known(67921, "8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da")},
        "Australian Bureau of Meteorology", UNSTATED, "timeseries",
    ),
}
