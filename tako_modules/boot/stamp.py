"""What the build writes down: which file this is and for whom; the values here stand for a checkout.

TARGETS: of each interpreter tag the members of `site-packages/p` that make its runtime.
Any Python reads this file, 2.7 too.
"""

VERSION = "0.1.0"
BUILD = "source"
ENTRY = "tako_modules.cli.main"
TARGETS = {"none": ("app.zip", "common.zip")}
