"""Clusters: submit, follow and cancel sweeps, and say what is wrong with a cluster, a file or this machine."""

from sweepengine.cluster._checks import Check as Check
from sweepengine.cluster._checks import Verdict as Verdict
from sweepengine.cluster._doctor import examine as examine
from sweepengine.cluster._jobs import Job as Job
from sweepengine.cluster._jobs import Jobs as Jobs
from sweepengine.cluster._submit import Submitted as Submitted
from sweepengine.cluster._submit import examine_by_job as examine_by_job
from sweepengine.cluster._submit import submit as submit
from sweepengine.cluster._token import make_token as make_token
