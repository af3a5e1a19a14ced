"""``python -m sweepengine`` is the command line."""

from __future__ import annotations

import sys

from sweepengine.cli import main

sys.exit(main())
