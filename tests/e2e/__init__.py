"""End-to-end tests: the built `dist/tako.pyz` against real servers, reached as a user reaches them."""
