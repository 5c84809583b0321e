"""Film reviews, told good from bad by a small BERT that is trained together."""
