"""Every error and warning of millimorph: what is wrong, what was got and what to do."""


class MillimorphError(Exception):
    """Base of all errors that millimorph raises on purpose."""


class GeometryError(MillimorphError):
    """A grid is not a legal image grid, or grids do not fit each other."""


class TransformError(MillimorphError):
    """A map of points is malformed, or cannot be inverted as asked."""


class ImageError(MillimorphError):
    """An image's array, type or values cannot be used."""


class LabelError(MillimorphError):
    """A label map's values or label pairs cannot be used."""


class PipelineError(MillimorphError):
    """A pipeline, recipe, design or distribution is not well formed."""


class FileError(MillimorphError):
    """A file cannot be read or is not what it claims to be; the message holds its path."""


class CompileError(MillimorphError):
    """A recipe does not fit the case that it is compiled for."""


class OutputError(MillimorphError):
    """An output cannot be written, or must not be."""


class EngineError(MillimorphError):
    """Processes or a cluster that should do the work are not there; what is finished is kept."""


class MillimorphWarning(UserWarning):
    """Something was decided that the user may want to know."""
