"""Tako ships apps to your own servers: every room of the product is a package in here; the build fills in `BUILD`."""

VERSION = "0.1.0"
BUILD = "source"
