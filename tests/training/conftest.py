"""The small model of the unit tests, for what is tested beside torch."""

from tests.unit.conftest import model_folder as model_folder
