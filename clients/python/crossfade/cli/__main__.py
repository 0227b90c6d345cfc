"""`python -m crossfade.cli` is `crossfade`."""

import sys

from crossfade.cli import main

sys.exit(main())
