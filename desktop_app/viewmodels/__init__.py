"""The state of each page and what it can do, without a widget or a tensor."""
