"""What a worker process opens from its configuration."""

from worker.config.environment import Environment
from worker.config.settings import load_settings
from worker.ledger.ledger import Timings
from worker.metrics import Metrics
from worker.runtime import Runtime


def opened(tmp_path, redis_url, *, timings=None):
    """Open a runtime whose calls are remembered for two days, close it, and return its ledger."""
    file = tmp_path / "switchboard.toml"
    file.write_text('[calls]\nremember = "2d"\nretention = "1d"\n')
    environ = {"REDIS_URL": redis_url, "SWITCHBOARD_CONFIG": str(file), "SPOOL_PATH": ""}
    made = Runtime(
        settings=load_settings(file, environ, specs=()), environment=Environment.read(environ), metrics=Metrics()
    )
    made.open(timings=timings)
    made.close()
    return made.ledger


def test_a_caller_is_remembered_as_long_as_the_configuration_says(tmp_path, redis_url):
    """As long as the id of a call: nothing of a person outlives it by a constant."""
    assert 2 * 86_400_000 == opened(tmp_path, redis_url).timings.memory


def test_timings_that_are_handed_in_stand(tmp_path, redis_url):
    """Chaos runs and soaks have shorter ones."""
    assert Timings(memory=7) == opened(tmp_path, redis_url, timings=Timings(memory=7)).timings
