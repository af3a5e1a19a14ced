#!/bin/bash
# A sweep on the nodes of a Slurm job, by one command; the same command again goes on where it was stopped:
#
#   sbatch --nodes=4 clusters/slurm.sh jobs/quickstart.yaml /shared/quickstart.zarr [options of `sweepengine run`]
#
# The store and the environment lie where every node sees them; an environment that is active when you call sbatch is
# used.
#SBATCH --job-name=sweepengine
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --open-mode=append
# With GPUs: --gpus-per-node=4 at the call. The line --signal asks for SIGTERM 120 s before the time is over.
set -euo pipefail
if (($# < 2)); then
  echo "usage: sbatch $0 SPEC STORE [options of sweepengine run]" >&2
  exit 2
fi
spec=$1 store=$2
shift 2

# A token of this job's own. It is in the environment of its processes only; slurmd hands it to the steps.
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
# `ray stop` and Ray's usual port and folder belong to every job of yours on a node; these belong to this one.
port=$((20000 + SLURM_JOB_ID % 20000))
export scratch=/tmp/ray-$SLURM_JOB_ID # on each node's own disk, and short: sockets lie in it
here=$(hostname --ip-address | awk '{print $1}')
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
others=$((SLURM_JOB_NUM_NODES - 1))
# The trap keeps the shell alive when the step is ended, so that it removes what Ray leaves behind.
node=(bash -c 'trap : TERM; ray start --block "$@"; rm -rf "$scratch"' node)
node+=("--num-cpus=${SLURM_CPUS_PER_TASK:-1}" --disable-usage-stats)
node+=(--min-worker-port=0 --max-worker-port=0 --dashboard-agent-listen-port=0)

steps=()
driver=
stop() { [[ -n $driver ]] && kill -TERM "$driver" 2>/dev/null || exit 143; }
trap stop TERM INT
clean() {
  trap '' TERM INT
  # Not by a signal to srun, which would kill Ray at once and leave its folder behind. The head goes last.
  local number
  for ((number = ${#steps[@]} - 1; number >= 0; number--)); do
    scancel --signal=TERM "$SLURM_JOB_ID.$number" 2>/dev/null || true
    wait "${steps[number]}" 2>/dev/null || true
  done
}
trap clean EXIT

srun --overlap --nodes=1 --ntasks=1 --nodelist="$first" \
  "${node[@]}" --head --node-ip-address="$here" --port="$port" --temp-dir="$scratch" \
  --ray-client-server-port=$((port + 20000)) --include-dashboard=false &
steps+=($!)
for _ in {1..120}; do
  (: <"/dev/tcp/$here/$port") 2>/dev/null && break
  sleep 1
done
if ((others)); then
  srun --overlap --nodes="$others" --ntasks="$others" --exclude="$first" "${node[@]}" --address="$here:$port" &
  steps+=($!)
fi
python - "$here:$port" "$SLURM_JOB_NUM_NODES" <<'PYTHON' &
import sys, time
import ray

ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
end = time.monotonic() + 300
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]):
    if time.monotonic() > end:
        sys.exit("not all nodes of the job have joined Ray within 300 s; see the lines above")
    time.sleep(1)
PYTHON
waiting=$!
if ! wait -n "$waiting" "${steps[@]}" || kill -0 "$waiting" 2>/dev/null; then
  kill "$waiting" 2>/dev/null || true
  echo "slurm.sh: Ray has not started on every node; the lines above say why" >&2
  exit 1
fi

sweepengine run "$spec" --store "$store" --address "$here:$port" "$@" &
driver=$!
code=0
wait "$driver" || code=$?
while kill -0 "$driver" 2>/dev/null; do # the signal has ended the wait, and the driver commits
  code=0
  wait "$driver" || code=$?
done
exit "$code"
