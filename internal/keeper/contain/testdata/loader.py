"""Loads batches with worker processes, as apps with torch do. Usage: loader.py START_METHOD..."""

import sys

import torch
from torch.multiprocessing import get_context, set_sharing_strategy
from torch.utils.data import DataLoader, Dataset


class Numbers(Dataset):
    """Samples of which a batch takes 1 MB of shared memory."""

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.full((1 << 16,), float(index))


def share(worker: int) -> None:
    """Let the two workers hand over their batches in the two ways that torch knows."""
    set_sharing_strategy(("file_system", "file_descriptor")[worker])


def main() -> None:
    """Read all samples twice with each start method."""
    torch.set_num_threads(1)
    for method in sys.argv[1:]:
        loader = DataLoader(
            Numbers(),
            batch_size=4,
            num_workers=2,
            persistent_workers=True,
            pin_memory=False,
            multiprocessing_context=get_context(method),
            worker_init_fn=share,
        )
        for _ in range(2):
            batches = list(loader)
            assert all(b.is_shared() and b.shape == (4, 1 << 16) for b in batches), method
            assert sum(float(b[:, 0].sum()) for b in batches) == sum(range(16)), method
        print(method, flush=True)


if __name__ == "__main__":
    main()
