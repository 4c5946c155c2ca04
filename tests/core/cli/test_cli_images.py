"""A column of pictures, by the real network that comes as a package."""

import json
from pathlib import Path

from cli_samples import Run, Write
from PIL import Image


def test_prices_are_forecast_from_the_pictures_of_a_table(run: Run, write: Write, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    rows = []
    for number in range(12):
        is_red = number % 2
        shade = (230 - number, 30, 30) if is_red else (30, 30, 230 - number)
        Image.new("RGB", (48, 48), shade).save(tmp_path / "photos" / f"{number}.png")
        rows.append((f"photos/{number}.png", 90 if is_red else 10))
    items = write("items.csv", [("photo", "price"), *rows])
    options = ("--image", "photo", "--target", "price", "--encoder", "efficientnet-lite0")

    fitted = run("fit", "--items", items, *options, "--model", tmp_path / "model")
    assert fitted.exit_code == 0, fitted.stderr
    told = json.loads(run("predict", "--model", tmp_path / "model", items, "--json").stdout)["predictions"]
    assert [entry["value"] > 50 for entry in told] == [price == 90 for _, price in rows]

    missing = write("missing.csv", [("photo",), ("photos/none.png",)])
    refused = run("predict", "--model", tmp_path / "model", missing)
    assert (refused.exit_code, "none.png" in refused.stderr) == (1, True)
    neither = run("fit", "--items", items, "--target", "price", "--model", tmp_path / "model")
    assert (neither.exit_code, "--text" in neither.stderr) == (2, True)
