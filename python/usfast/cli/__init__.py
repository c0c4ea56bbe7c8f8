"""The command line: `usfast info | compound | confidence | show | convert | evaluate | simulate | speckle | demo`."""

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its status: 0, 2 for bad input, 130 after Ctrl-C."""
    try:
        from usfast.cli.app import run  # typer and rich load here, not with `import usfast`

        run()
    except KeyboardInterrupt:  # while Python still loads modules, or already leaves
        raise SystemExit(130) from None
