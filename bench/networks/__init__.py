"""The networks that `python -m bench.speed` times, each written in several ways."""

from bench.networks import attention, gru, layers, lstm, narx, peephole
from bench.networks.case import Case

CASES: dict[str, Case] = {
    module.CASE.name: module.CASE for module in (lstm, gru, peephole, narx, attention, layers)
}
