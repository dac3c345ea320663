"""The compute thread and its mailbox."""
