"""The file names of a run."""

MODEL_FILE = "model.safetensors"
STATE_FILE = "checkpoint.safetensors"
SNAPSHOTS = "snapshots"  # the folder of a run's models at doubling steps
CONFIG_FILE = "config.json"  # of a run, beside its tables
