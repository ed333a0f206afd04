"""Write the JSON Schema of the settings, and the reference pages that are made from the models (run after changing them)."""

from pathlib import Path

from undertow.config.schema import FILE, schema_text

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write the schema."""
    target = ROOT / "src" / "undertow" / "config" / FILE
    target.write_text(schema_text(), encoding="utf-8")
    print(f"wrote {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
