"""The one bound on how long a test waits for an event: generous, since a busy machine is not a mistake.

`NOISELOOM_TEST_PATIENCE=3` waits three times as long before a test gives up.
"""

import os

PATIENCE = float(os.environ.get("NOISELOOM_TEST_PATIENCE", "1"))
WAIT_S = 300 * PATIENCE
WAIT_MS = int(1000 * WAIT_S)
