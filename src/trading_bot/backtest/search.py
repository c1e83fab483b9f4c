"""A search for good parameters by Optuna's tree-structured Parzen estimator, kept in a database so that it can go on.

Every trial draws from a seed of its own number: one process makes the same trials from the same seed, also when it was stopped and
goes on, and several processes on one study never draw the same by accident. Promises that a study holds as many trials as were asked
for, whoever made them. Refuses to go on with a study that was made from something else. What it finds is in-sample.

J. Bergstra, R. Bardenet, Y. Bengio and B. Kegl, "Algorithms for Hyper-Parameter Optimization" (2011).
"""

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from trading_bot.backtest.grid import Reach
from trading_bot.backtest.plan import Cell
from trading_bot.backtest.ranking import Ranking
from trading_bot.backtest.strategy import Values
from trading_bot.domain.errors import ResearchError, StorageError, StrategyError

Reckon = Callable[[Sequence[Values]], Sequence[Cell]]
"""Cells of combinations, in their order."""
PATIENCE_SECONDS = 30.0
"""So long a trial of another process may take, once nothing is left but to wait for it; then it is made again."""
_CELL, _MADE_FROM = "cell", "made from"
_OVER = (TrialState.COMPLETE, TrialState.PRUNED)
"""Pruned: reckoned, and without a score."""
_TRIES = 4
_POLL = 0.2


@dataclass(frozen=True)
class Wanted:
    """What is searched: `space` around the values in `fixed`, by `ranking`, until the study has `trials`."""

    space: tuple[Reach, ...]
    fixed: Mapping[str, float]
    ranking: Ranking
    trials: int
    seed: int


@dataclass(frozen=True)
class Place:
    """Where a study is kept. `storage`: a database's address, None for memory alone. `made_from`: digest of all that decides a cell."""

    name: str
    made_from: str
    storage: str | None = None


@dataclass(frozen=True)
class Searched:
    """What a study holds: a cell for each trial, in the order of their numbers."""

    study: str
    cells: tuple[Cell, ...]
    best: int | None
    """Number of the best cell; None if none has a score."""
    earlier: int
    """Trials that the study held before this search."""

    @property
    def distinct(self) -> tuple[Cell, ...]:
        """Each combination once: how many were tried decides how lucky the best may be."""
        return tuple({tuple(sorted(cell.values.items())): cell for cell in self.cells}.values())


def optimize(reckon: Reckon, wanted: Wanted, place: Place, tell: Callable[[int], object], stop: threading.Event) -> Searched:
    """Make trials until the study has as many as are wanted, or `stop` is set. `tell` hears how many it has.

    ResearchError if the study was made from something else, StorageError if its database cannot be used.
    """
    if not wanted.space:
        raise StrategyError("there is nothing to search: the strategy has no parameter without a fixed value")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _opened(place, wanted.seed) as study:
        earlier = len(_over(study))
        known: dict[tuple[float, ...], Cell] = {}
        tell(earlier)
        while (trial := _next(study, wanted.trials, stop)) is not None:
            _try(study, trial, reckon, wanted, known)
            tell(len(_over(study)))
        cells = tuple(_cell(trial) for trial in _over(study))
    return Searched(place.name, cells, next(iter(wanted.ranking.order(cells)), None), earlier)


def _try(study: Study, trial: Trial, reckon: Reckon, wanted: Wanted, known: dict[tuple[float, ...], Cell]) -> None:
    values = {**wanted.fixed, **{reach.name: _suggested(trial, reach) for reach in wanted.space}}
    key = tuple(values.values())
    if key not in known:
        known[key] = reckon([values])[0]
    cell = known[key]
    trial.set_user_attr(_CELL, cell.model_dump(mode="json"))
    score = wanted.ranking.score(cell)
    # Another process may have given this trial up: its answer is there already, or comes again.
    study.tell(trial, score, TrialState.PRUNED if score is None else None, skip_if_finished=True)


def _suggested(trial: Trial, reach: Reach) -> float:
    if isinstance(reach.low, int):
        return trial.suggest_int(reach.name, reach.low, int(reach.high), step=int(reach.step or 1))
    return trial.suggest_float(reach.name, reach.low, reach.high, step=reach.step)


def _next(study: Study, trials: int, stop: threading.Event) -> Trial | None:
    """A trial of our own to make; None if the study has as many as are wanted."""
    waited = 0.0
    while not stop.is_set():
        over, running = len(_over(study)), study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if over >= trials:
            return None
        if over + len(running) < trials:
            trial = study.ask()
            if _ahead(study, trial.number) < trials:
                return trial
            study.tell(trial, state=TrialState.FAIL)  # several processes asked for the last one
        elif waited >= PATIENCE_SECONDS:
            for one in running:  # whoever had them is gone
                study.tell(one.number, state=TrialState.FAIL, skip_if_finished=True)
        else:
            stop.wait(_POLL)
            waited += _POLL
    return None


def _over(study: Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=_OVER)


def _ahead(study: Study, number: int) -> int:
    return sum(one.number < number for one in study.get_trials(deepcopy=False, states=(*_OVER, TrialState.RUNNING)))


def _cell(trial: FrozenTrial) -> Cell:
    return Cell.model_validate(trial.user_attrs[_CELL])


@contextmanager
def _opened(place: Place, seed: int) -> Iterator[Study]:
    storage = _storage(place)
    try:
        study = _created(place, storage, _Numbered(seed, shared=place.storage is not None))
        held = study.user_attrs.get(_MADE_FROM)
        if held is None:
            study.set_user_attr(_MADE_FROM, place.made_from)
        elif held != place.made_from:
            raise ResearchError(
                f"study {place.name} was made from other data, code, settings or ranges: its trials cannot be compared with new ones. "
                "Give another --study, or leave it out for one that fits"
            )
        yield study
    except optuna.exceptions.StorageInternalError as error:
        raise StorageError(
            f"the database of study {place.name} does not answer any more: its trials are kept, run it again to go on"
        ) from error
    finally:
        if isinstance(storage, optuna.storages.RDBStorage):
            storage.remove_session()
            storage.engine.dispose()


def _created(place: Place, storage: optuna.storages.BaseStorage | None, sampler: BaseSampler) -> Study:
    with _told(place):
        return optuna.create_study(study_name=place.name, storage=storage, sampler=sampler, direction="maximize", load_if_exists=True)


def _storage(place: Place) -> optuna.storages.BaseStorage | None:
    if place.storage is None:
        return None
    patient = {"connect_args": {"timeout": 60}} if place.storage.startswith("sqlite") else {"pool_pre_ping": True}
    for _ in range(_TRIES - 1):  # several processes may make the tables at once: one does, the others fail and find them then
        with suppress(Exception):  # edge: every database's driver has its own errors
            return optuna.storages.RDBStorage(place.storage, engine_kwargs=patient)
    with _told(place):
        return optuna.storages.RDBStorage(place.storage, engine_kwargs=patient)


@contextmanager
def _told(place: Place) -> Iterator[None]:
    """Whatever a database's driver raises, as a StorageError."""
    try:
        yield
    except ImportError as error:
        raise StorageError(f"the study's database needs a driver ({error}): pip install 'trading-bot[postgres]'") from error
    except Exception as error:  # edge: every database's driver has its own errors
        raise StorageError(
            f"study {place.name} cannot be opened at {_plain(place.storage)} ({type(error).__name__}): see that the database runs, that "
            "its address is right and that this user may make tables in it"
        ) from error


def _plain(address: str | None) -> str:
    """The address without its password."""
    if address is None:
        return "memory"
    parts = urlsplit(address)
    return address if parts.password is None else address.replace(f":{parts.password}@", ":***@")


class _Numbered(BaseSampler):
    """Optuna's sampler, made anew for each trial from the seed and the trial's number. `shared`: others work on the study meanwhile."""

    def __init__(self, seed: int, *, shared: bool) -> None:
        self._seed, self._shared = seed, shared
        self._inner = self._made(0)

    def _made(self, number: int) -> TPESampler:
        drawn = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        with warnings.catch_warnings():
            # constant_liar is "experimental": it may change, and the lock file holds it.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return TPESampler(seed=drawn, constant_liar=self._shared)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Begin anew from this trial's number."""
        self._inner = self._made(trial.number)
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As Optuna's."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """As Optuna's."""
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:  # noqa: ANN401 - Optuna's signature
        """As Optuna's."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)
