"""Training of generated networks: any generated module, and nothing of its insides."""

from bptt.training.fit import Fitted, fit
from bptt.training.forecast import forecast
from bptt.training.initial import initial_parameters
from bptt.training.model import Model, load_model
from bptt.training.options import Options

__all__ = ["Fitted", "Model", "Options", "fit", "forecast", "initial_parameters", "load_model"]
