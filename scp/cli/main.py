"""The command line: scp train, select, annotate, verify, detect, refine, evaluate, measure, ..."""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import sys
import warnings

from .. import devices
from .._version import __version__
from ..landmarks.names import check_name, visible
from ..runs.files import remove_unfinished
from ..signals import Stopped, as_interrupts
from ..training import HardlyTrainedWarning
from .annotate import add_annotate
from .arguments import program
from .autoencode import add_autoencode
from .convert import add_convert
from .demo import add_demo
from .detect import add_detect, images_last
from .evaluate import add_evaluate
from .export import add_export
from .info import add_info
from .measure import add_measure
from .refine import add_refine
from .reproduce import add_reproduce
from .select import add_select
from .supervise import add_supervise
from .terminal import safe_terminal
from .train import add_train, add_weights
from .verify import add_verify

EXIT_ERROR, EXIT_STOPPED = 2, 130


def main(argv: list[str] | None = None) -> int:
    """Runs a command; the exit code: 0, 1 (scp verify says no), 2 (an error, said in one line), 130
    (stopped by Ctrl-C; by another signal 128 + its number)."""
    with safe_terminal() as out:
        try:
            with as_interrupts():
                warnings.simplefilter("ignore", HardlyTrainedWarning)  # the verbs say it
                code = _run(list(sys.argv[1:] if argv is None else argv))
        except KeyboardInterrupt as error:
            remove_unfinished()
            print("stopped; the same command goes on from here", file=sys.stderr)
            code = 128 + error.number if isinstance(error, Stopped) else EXIT_STOPPED
        out.flush()
        if out.error is None:
            return code
        print(f"error: the output could not be written: {out.error.strerror}", file=sys.stderr)
        return code or EXIT_ERROR


def _run(argv: list[str]) -> int:
    parser = _parser()
    args = parser.parse_args(argv)
    if not images_last(args):
        parser.error("the following arguments are required: images")
    args.command_text = shlex.join([*program(), *argv])
    args.given = _given(argv)
    args.given.pop("templates", None)  # a list; with what stood behind it
    try:
        for word in argv:
            check_name(word)
        devices.get_threads()  # SCP_NUM_THREADS and SCP_ISA are right
        if getattr(args, "threads", None) is not None:
            devices.set_threads(args.threads)
        devices.resolve(getattr(args, "device", "cpu"))
        return args.run_command(args)
    except MemoryError as error:
        said = visible(str(error)) or "out of memory; try --max-memory"
        print(f"error: {said}", file=sys.stderr)
        return EXIT_ERROR
    except (ValueError, OSError, TypeError, RuntimeError) as error:
        print(f"error: {visible(_reason(error, args)) or type(error).__name__}", file=sys.stderr)
        return EXIT_ERROR


def _reason(error: Exception, args) -> str:
    """What an exception says, in words; of a file that cannot be written, what to do."""
    if not (isinstance(error, OSError) and error.strerror and error.filename):
        return str(error).replace("(images=)", "(--images DIR)")  # as it is called here
    files = [os.fsdecode(f) for f in (error.filename, error.filename2) if f]
    text = f"{' -> '.join(files)}: {error.strerror}"
    refused = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    if refused and hasattr(args, "run") and not _unreadable(files[0]):
        text += "; --run DIR names another folder to write to"
    return text


def _unreadable(file: str) -> bool:
    return os.path.exists(file) and not os.access(file, os.R_OK)


def _given(argv: list[str]) -> dict[str, object]:
    """The options that were given, as texts, also those given with their default."""
    parser = _parser()
    parsers = [parser]
    while parsers:
        for action in parsers.pop()._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
            else:  # nothing is read a second time, such as the file of an @FILE
                action.default, action.type, action.choices = argparse.SUPPRESS, None, None
    return vars(parser.parse_args(argv))


class _Help(argparse.HelpFormatter):
    """Says the default of an option where there is one and its text does not."""

    def _get_help_string(self, action):
        text = action.help or ""
        value = action.default
        shown = value not in (None, False, argparse.SUPPRESS) and not isinstance(value, list)
        if not shown or not action.option_strings or "default" in text:
            return text
        return f"{text} (default %(default)s)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scp", description="Which few medical images to annotate, and how good that choice is."
    )
    parser.add_argument("--version", action="version", version=f"scp {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add_train(commands)

    add_select(commands)
    add_annotate(commands)
    add_export(commands)
    add_convert(commands)
    add_verify(commands)
    add_detect(commands)
    add_refine(commands)
    add_supervise(commands)
    add_autoencode(commands)

    add_demo(commands)
    add_evaluate(commands)
    add_measure(commands)
    add_reproduce(commands)
    add_weights(commands)

    add_info(commands)
    for command in commands.choices.values():
        command.formatter_class = _Help
    return parser
