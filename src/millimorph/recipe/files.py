"""Pipeline files: YAML or JSON in, YAML or JSON out, and what is wrong with which line."""

import json
from pathlib import Path as FilePath

from pydantic import ValidationError

from millimorph.errors import FileError, OutputError, PipelineError
from millimorph.recipe.pipeline import PIPELINE_SCHEMA_VERSION, Pipeline
from millimorph.recipe.reading import LARGEST_TEXT, Located, read_json, read_yaml, with_lines
from millimorph.recipe.writing import in_order, yaml_text
from millimorph.values import Problem, problems, shown, spelled, without_tags

_SUFFIXES = (".yaml", ".yml", ".json")
_MOST_PROBLEMS = 20


def load_pipeline(path: str | FilePath) -> Pipeline:
    """The pipeline in a .yaml, .yml or .json file.

    Raises:
        FileError: a file that cannot be read, is over 10 MB or is not UTF-8.
        PipelineError: `path:line: place: what is wrong`, one line for each mistake.
    """
    file = FilePath(path)
    _check_suffix(file)
    try:
        if not file.is_file():
            raise FileError(f"{path}: no such file")
        with file.open("rb") as stream:
            content = stream.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_TEXT:
        raise FileError(f"{path}: over {LARGEST_TEXT} bytes, too large for a pipeline")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8 at byte {error.start}") from None
    return parse_pipeline(text, str(path))


def parse_pipeline(text: str, name: str = "pipeline.yaml") -> Pipeline:
    """The pipeline in a text; `name` stands for it in errors, and ends in .json for JSON.

    Raises:
        PipelineError: `name:line: place: what is wrong`, one line for each mistake.
    """
    located = (read_json if name.lower().endswith(".json") else read_yaml)(text, name)
    if not isinstance(located.data, dict):
        raise PipelineError(
            f"{name}:1: must be a mapping with keys such as spatial, got {shown(located.data)}"
        )
    _check_version(located, text, name)
    try:
        return Pipeline.model_validate(located.data)
    except ValidationError as error:
        found = problems(error)
        located = with_lines(located, text, name)
    lines = [_told(problem, located, name) for problem in found[:_MOST_PROBLEMS]]
    if len(found) > _MOST_PROBLEMS:
        lines.append(f"{name}: and {len(found) - _MOST_PROBLEMS} more mistakes")
    raise PipelineError("\n".join(lines))


def dump_pipeline(
    pipeline: Pipeline, path: str | FilePath | None = None, schema: str | None = None
) -> str:
    """The pipeline as text, YAML unless `path` ends in .json; written to `path` where given.

    It is short: defaults are left out, and reading it gives an equal pipeline. `schema`: the
    address of the JSON Schema for editors, which becomes the first line of YAML.

    Raises:
        FileError: a path that ends in neither .yaml, .yml nor .json.
        OutputError: a path that cannot be written.
    """
    file = None if path is None else FilePath(path)
    if file is not None:
        _check_suffix(file)
    if file is not None and file.suffix.lower() == ".json":
        text = json.dumps(in_order(spelled(pipeline)), indent=2) + "\n"
    else:
        first = "" if schema is None else f"# yaml-language-server: $schema={schema}\n"
        text = first + yaml_text(spelled(pipeline))
    if file is not None:
        try:
            file.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
    return text


def _check_suffix(file: FilePath) -> None:
    if file.suffix.lower() not in _SUFFIXES:
        raise FileError(f"{file}: a pipeline file ends in {', '.join(_SUFFIXES)}")


def _check_version(located: Located, text: str, name: str) -> None:
    version = located.data.get("schema_version", PIPELINE_SCHEMA_VERSION)
    if version != PIPELINE_SCHEMA_VERSION:
        problem = Problem(
            (),
            "schema_version",
            f"schema_version is {shown(version)}; this version of millimorph reads "
            f"{PIPELINE_SCHEMA_VERSION}",
        )
        raise PipelineError(_told(problem, with_lines(located, text, name), name))


def _told(problem: Problem, located: Located, name: str) -> str:
    place = without_tags(problem.place)
    line = located.line(place if problem.key is None else (*place, problem.key))
    return f"{name}:{line}: {problem.text()}" if line else f"{name}: {problem.text()}"
