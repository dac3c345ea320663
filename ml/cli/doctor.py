"""`ml doctor`: which device is used, which versions are here, and what is missing."""

import json
from dataclasses import asdict

from ml.cli.options import AsJson


def doctor(as_json: AsJson = False) -> int:
    """Say which device is used, which versions are here, and what is missing."""
    from ml.cli.health_checks import examine

    findings = examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
        return 0
    for finding in findings:
        print(f"{'ok  ' if finding.ok else 'LACK'} {finding.what:<16}{finding.found}")
        if finding.what_to_do:
            print(f"{'':21}-> {finding.what_to_do}")
    return 0
