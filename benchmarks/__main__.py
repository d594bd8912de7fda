"""`python -m benchmarks`: every benchmark, as a table."""

from benchmarks import help as help_benchmark
from benchmarks import sensitivity, serve, sources, training

BENCHMARKS = (help_benchmark, sources, sensitivity, serve, training)


def main() -> None:
    """Run them one after the other."""
    for benchmark in BENCHMARKS:
        for row in benchmark.measure():
            bar = f"   bar {row.bar:g} {row.unit}" if row.bar is not None else ""
            print(f"{row.name:45} {row.value:8.3f} {row.unit}{bar}")


if __name__ == "__main__":
    main()
