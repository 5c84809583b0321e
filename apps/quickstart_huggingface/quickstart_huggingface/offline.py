"""What the app trains on where there is no hub: made-up reviews, a tokenizer trained on them, bert-tiny's architecture.

Everything is the same on every machine. To look at it, or to train on it as a model and a dataset in local folders:

    python -m quickstart_huggingface.offline FOLDER
"""

import random
import sys
from pathlib import Path

from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModelForSequenceClassification, BertConfig, PreTrainedTokenizerFast

SEED = 7
TRAIN, TEST = 4000, 1000

SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}

FILMS = [
    "comedy",
    "thriller",
    "western",
    "drama",
    "cartoon",
    "documentary",
    "musical",
    "horror film",
    "war film",
    "sequel",
]
TIMES = ["last night", "on a train", "with my parents", "at a festival", "twice", "late on a Sunday", "after work"]
PARTS = [
    "acting",
    "story",
    "music",
    "camera work",
    "ending",
    "dialogue",
    "pace",
    "cast",
    "script",
    "first half",
    "humour",
]
GOOD = [
    "wonderful",
    "brilliant",
    "moving",
    "clever",
    "superb",
    "charming",
    "gripping",
    "perfect",
    "fresh",
    "delightful",
]
BAD = ["awful", "boring", "dull", "clumsy", "terrible", "stupid", "lifeless", "predictable", "flat", "annoying"]
DEGREES = ["really", "quite", "simply", "truly", "rather", "so"]
ASIDES = [
    "It runs for about two hours.",
    "The tickets were not cheap.",
    "I had read the book before.",
    "A friend had told me about it.",
    "It was filmed in black and white.",
    "There is a scene in a railway station.",
]
LAST = {
    1: ["I would see it again.", "Do not miss it.", "One of the best of the year.", "I left with a smile."],
    0: ["I want my money back.", "Do not bother.", "One of the worst of the year.", "I nearly fell asleep."],
}


class Dice(random.Random):
    """Draws by `random()` alone: it is what Python promises to be the same in every version."""

    def of(self, words: list[str]) -> str:
        return words[int(self.random() * len(words))]

    def chance(self, p: float) -> bool:
        return self.random() < p


def _opinion(dice: Dice, good: bool) -> str:
    if dice.chance(0.15):
        return f"The {dice.of(PARTS)} was not {dice.of(BAD if good else GOOD)}."
    return f"The {dice.of(PARTS)} was {dice.of(DEGREES)} {dice.of(GOOD if good else BAD)}."


def _review(dice: Dice, label: int) -> str:
    """Most of a review is of one mind; a part of it may be of the other, as in real ones."""
    said = [f"I saw this {dice.of(FILMS)} {dice.of(TIMES)}."]
    said += [_opinion(dice, bool(label)) for _ in range(3)]
    if dice.chance(0.4):
        said.append(_opinion(dice, not label))
    if dice.chance(0.5):
        said.append(dice.of(ASIDES))
    if dice.chance(0.3):
        said.append(dice.of(LAST[label]))
    return " ".join(said)


def _split(size: int, seed: int) -> Dataset:
    dice = Dice(seed)
    labels = [int(dice.chance(0.5)) for _ in range(size)]
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    return Dataset.from_dict({"text": [_review(dice, label) for label in labels], "label": labels}, features=features)


def reviews() -> DatasetDict:
    """Return the splits train and test, with the columns that IMDB has."""
    return DatasetDict({"train": _split(TRAIN, SEED), "test": _split(TEST, SEED + 1)})


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a WordPiece tokenizer, as BERT's is, trained on the reviews."""
    t = Tokenizer(models.WordPiece(unk_token=SPECIAL["unk_token"]))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=2000, special_tokens=list(SPECIAL.values()), show_progress=False)
    t.train_from_iterator(reviews()["train"]["text"], trainer)
    t.model = models.WordPiece(_same_everywhere(t), unk_token=SPECIAL["unk_token"])
    t.post_processor = processors.BertProcessing(
        (SPECIAL["sep_token"], t.token_to_id(SPECIAL["sep_token"])),
        (SPECIAL["cls_token"], t.token_to_id(SPECIAL["cls_token"])),
    )
    return PreTrainedTokenizerFast(tokenizer_object=t, model_max_length=512, **SPECIAL)


def _same_everywhere(trained: Tokenizer) -> dict[str, int]:
    """Return the trained vocabulary with ids that all participants agree on.

    Training breaks ties by chance: two machines number the pieces differently, and may differ in what is between single
    letters and whole words. Letters and words are certain, because the vocabulary has room for all of them.
    """
    words = {word for text in reviews()["train"]["text"] for word in _words(trained, text)}
    pieces = [p for p in trained.get_vocab() if p in words or len(p.removeprefix("##")) == 1]
    return {piece: i for i, piece in enumerate([*SPECIAL.values(), *sorted(pieces)])}


def _words(t: Tokenizer, text: str) -> list[str]:
    return [word for word, _ in t.pre_tokenizer.pre_tokenize_str(t.normalizer.normalize_str(text))]


def config(num_labels: int) -> BertConfig:
    """Return bert-tiny's architecture: 2 layers of width 128, and the 30,522 tokens of the real one."""
    return BertConfig(
        vocab_size=30522,
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        max_position_embeddings=512,
        num_labels=num_labels,
    )


def write(folder: Path) -> None:
    """Write a model and a dataset that the settings `model` and `dataset` can name."""
    for name, split in reviews().items():
        (folder / "dataset").mkdir(parents=True, exist_ok=True)
        split.to_json(folder / "dataset" / f"{name}.jsonl")
    AutoModelForSequenceClassification.from_config(config(2)).save_pretrained(folder / "model")
    tokenizer().save_pretrained(folder / "model")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m quickstart_huggingface.offline FOLDER")
    write(Path(sys.argv[1]))
