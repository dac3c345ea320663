"""The machine: paths, files, downloads, locks, trash, device."""
