"""Loaders of the public data that the benchmarks and examples use."""

from zeroshot_core.datasets.complete_journey import ProductLines, load_product_lines

__all__ = ["ProductLines", "load_product_lines"]
