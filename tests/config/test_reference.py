"""The reference page has every key, with its words."""

import msgspec
import pytest

from tako_modules.config import schema
from tako_modules.config.reference import render

TABLES = [
    schema.Tako,
    schema.Health,
    schema.Env,
    schema.ServerDefaults,
    schema.ServerTable,
    schema.ServiceTable,
    schema.Schedule,
    schema.Range,
]


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
def test_every_key_has_a_row(kind: type[msgspec.Struct]) -> None:
    page = render()
    for field in msgspec.structs.fields(kind):
        assert f"| `{field.name}` | " in page


def test_rows_are_whole() -> None:
    rows = [line for line in render().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert all(row.count("|") == 5 and row.endswith(". |") for row in rows)


def test_types_defaults_and_later_versions_are_told() -> None:
    page = render()
    assert "| `timeout` | whole number, 1 to 600 | `30` |" in page
    assert "| `env` | text or list of text | required |" in page
    assert "Comes with version 0.2." in page
