#!/bin/sh
# All that a GPU is needed for, in at most eight minutes, as one table: tests, networks, particles, sweeps.
#     sh benchmarks/gpu.sh [PYTHON]
# Needs torch, triton and pytest, and this package; Ray is not used. Without a GPU each row says "not measured".
python=${1:-python}
here=$(dirname "$0")
status=0
row() {
    limit=$1
    shift
    echo "== $*"
    timeout "$limit" "$@" || { echo "== ended with $?"; status=1; }
}
row 150 "$python" -m pytest -q -p no:cacheprovider tests/networks/test_fused.py tests/networks/test_matmul.py \
    tests/particles/test_triton.py tests/execute/test_device.py tests/execute/test_graph.py
row 110 "$python" "$here/networks_gpu.py"
row 110 "$python" "$here/particles_gpu.py"
row 110 "$python" "$here/sweeps_gpu.py"
exit $status
