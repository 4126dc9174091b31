#!/usr/bin/env bash
# A scan on several nodes of a Slurm cluster:
#
#     sbatch --nodes 4 deploy/slurm.sh GENOME.fa.gz -o OUT [options of mirsweep scan]
#
# mirsweep must be installed where the nodes see it: activate its environment before sbatch. OUT and the genome are read and
# written by the first node alone. If the job is cut off, the same line goes on where it was.
#SBATCH --job-name=mirsweep
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem-per-cpu=2G
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail

cores=${SLURM_CPUS_PER_TASK:-1}
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
port=$((20000 + SLURM_JOB_ID % 10000))
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n') # no other user's program joins, or is joined
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

on() { # on NODE COMMAND...: run there, in the background
    srun --nodes=1 --ntasks=1 --cpus-per-task="$cores" --overlap --nodelist="$1" "${@:2}" &
    steps+=($!)
}
steps=()
trap 'kill "${steps[@]}" 2> /dev/null || true; wait' EXIT

on "$head" ray start --head --block --port="$port" --num-cpus="$cores" --include-dashboard=false --disable-usage-stats
for node in "${nodes[@]:1}"; do
    on "$node" ray start --block --address="$head:$port" --num-cpus="$cores" --disable-usage-stats
done

export RAY_ADDRESS="$head:$port"
python - "${#nodes[@]}" <<'PYTHON'
import sys
import time

import ray

for _ in range(60):
    try:
        ray.init(log_to_driver=False)
        break
    except ConnectionError:
        time.sleep(2)
else:
    sys.exit("slurm.sh: Ray did not start within two minutes")
for _ in range(60):
    if sum(node["Alive"] for node in ray.nodes()) >= int(sys.argv[1]):
        break
    time.sleep(2)
print(f"slurm.sh: {ray.cluster_resources().get('CPU', 0):.0f} cores on {len(ray.nodes())} nodes", file=sys.stderr)
PYTHON

mirsweep scan "$@" & # in the background, so that the signal before the time limit reaches it
scan=$!
trap 'kill -TERM "$scan" 2> /dev/null' TERM
wait "$scan" && code=0 || code=$?
[ "$code" -lt 128 ] || { wait "$scan" && code=0 || code=$?; } # the signal has ended the first wait
exit "$code"
