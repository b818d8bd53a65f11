"""Pipelines, the recipes drawn from them, and the files that hold them."""

from millimorph.designs import (
    Design,
    Explicit,
    FullFactorial,
    LatinHypercube,
    Random,
    Sobol,
    with_count,
)
from millimorph.recipe.draw import coordinate_list, describe_design, draw, sample_count
from millimorph.recipe.files import dump_pipeline, load_pipeline, parse_pipeline
from millimorph.recipe.identify import with_ids
from millimorph.recipe.pipeline import PIPELINE_SCHEMA_VERSION, Pipeline
from millimorph.recipe.recipe import ENGINE, RECIPE_SCHEMA_VERSION, Recipe
from millimorph.recipe.reference import Reference
from millimorph.recipe.sampling import ImageSampling, LabelSampling
from millimorph.recipe.schema import pipeline_schema

__all__ = [
    "ENGINE",
    "PIPELINE_SCHEMA_VERSION",
    "RECIPE_SCHEMA_VERSION",
    "Design",
    "Explicit",
    "FullFactorial",
    "ImageSampling",
    "LabelSampling",
    "LatinHypercube",
    "Pipeline",
    "Random",
    "Recipe",
    "Reference",
    "Sobol",
    "coordinate_list",
    "describe_design",
    "draw",
    "dump_pipeline",
    "load_pipeline",
    "parse_pipeline",
    "pipeline_schema",
    "sample_count",
    "with_count",
    "with_ids",
]
