"""Training of generated networks: any generated module, and nothing of its insides."""

from train.fit import Fitted, fit
from train.forecast import forecast
from train.initial import initial_parameters
from train.model import Model, load_model
from train.options import Options

__all__ = ["Fitted", "Model", "Options", "fit", "forecast", "initial_parameters", "load_model"]
