"""Captions, tokenizer and prompt parser."""
