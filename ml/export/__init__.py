"""Files of images: one file per format, and the metadata inside."""
