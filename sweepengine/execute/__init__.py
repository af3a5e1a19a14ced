"""Run a sweep: packs of runs on Ray or in this process, with retries, progress, cancellation and resume."""

from sweepengine.execute._data import Data as Data
from sweepengine.execute._data import Record as Record
from sweepengine.execute._data import Turn as Turn
from sweepengine.execute._driver import Outcome as Outcome
from sweepengine.execute._driver import Session as Session
from sweepengine.execute._driver import store_address as store_address
from sweepengine.execute._make_turn import MakeTurn as MakeTurn
from sweepengine.execute._progress import Progress as Progress
from sweepengine.execute._progress import progress_for as progress_for
from sweepengine.execute._ray_cluster import ClusterError as ClusterError
from sweepengine.execute._ray_cluster import cannot_join as cannot_join
from sweepengine.execute._ray_cluster import reach as reach
from sweepengine.execute._trial import try_users_code as try_users_code
