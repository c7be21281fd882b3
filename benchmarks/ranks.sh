#!/usr/bin/env bash
# ranks.sh PROGRAM [ROUNDS]: tables of what training on several ranks sends and takes; PROGRAM is altmin_ranks.
#
# Two ranks of one thread and one rank of two threads take turns, ROUNDS times (9); the medians are compared. The model is
# what a step takes on half of the batch, while the other core does the same, and for each of its messages what a sum of
# that size takes; so it is made of other measurements than what it predicts. For a machine with two cores or more that
# does nothing else.
set -euo pipefail
export LC_ALL=C
program=$(realpath "${1:?ranks.sh PROGRAM [ROUNDS]}")
rounds=${2:-9}
nets=("784-500-500-10 200" "784-2048-2048-10 512")
algorithms=(adam am-adam am-mem)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

on_two() { mpirun -n 2 "$program" "$@"; }
time_step() { # KIND ALGORITHM NET BATCH THREADS TENS COMMAND...
  echo "$1 $2 $3 $4 $("${@:7}" step "$2" "$3" "$4" "$5" "$6")" >>"$work/times"
}

"$program" ledger
for net in "${nets[@]}"; do
  for algorithm in "${algorithms[@]}"; do
    "$program" sends "$algorithm" "${net% *}" | sed "s/^/sends $algorithm ${net% *} /" >>"$work/sends"
  done
done

for ((round = 0; round < rounds; ++round)); do
  on_two sums | sed 's/^/sum /' >>"$work/sums"
  for net in "${nets[@]}"; do
    read -r sizes batch <<<"$net"
    tens=$((batch > 200 ? 1 : 5))
    for algorithm in "${algorithms[@]}"; do
      time_step two "$algorithm" "$sizes" "$batch" 1 $tens on_two
      time_step threads "$algorithm" "$sizes" "$batch" 2 $tens "$program"
      echo "half $algorithm $sizes $batch $(on_two step "$algorithm" "$sizes" "$batch" 1 $tens own)" >>"$work/times"
    done
  done
done
# Of one core alone, what a step takes on the share of one of up to 64 ranks.
for ((round = 0; round < rounds; round += 3)); do
  for net in "${nets[@]}"; do
    read -r sizes batch <<<"$net"
    for algorithm in "${algorithms[@]}"; do
      for ((ranks = 1; ranks <= 64; ranks *= 2)); do
        time_step share "$algorithm" "$sizes" $(((batch + ranks - 1) / ranks)) 1 $((batch > 200 ? 1 : 5)) "$program"
      done
    done
  done
done

cat "$work/sends" "$work/sums" "$work/times" | awk -v nets="${nets[*]}" -v algorithms="${algorithms[*]}" '
  function median(list,    n, values, i, j, t) {
    n = split(list, values, " ")
    for (i = 2; i <= n; ++i) for (j = i; j > 1 && values[j] + 0 < values[j - 1] + 0; --j) {
      t = values[j]; values[j] = values[j - 1]; values[j - 1] = t
    }
    return values[int((n + 1) / 2)] + 0
  }
  # What a sum of so many bytes takes on two ranks: between measured sizes on a straight line.
  function sum_of(bytes,    i) {
    if (bytes <= size[1]) return seconds[1]
    for (i = 2; i < count && size[i] < bytes; ++i);
    return seconds[i - 1] + (seconds[i] - seconds[i - 1]) * (bytes - size[i - 1]) / (size[i] - size[i - 1])
  }
  # What the messages of a step take on so many ranks, by latency (s) and bandwidth (bytes/s) of a network.
  function step_sums(key, ranks, latency, bandwidth,    n, bytes, i, total, rounds) {
    for (rounds = 0; 2 ^ rounds < ranks; ++rounds);
    n = split(sent[key], bytes, " ")
    for (i = 1; i <= n; ++i) total += 2 * rounds * latency + 2 * (ranks - 1) / ranks * bytes[i] / bandwidth
    return total / 10
  }
  function share(key, batch) { return median(times["share " key " " batch]) }
  function scaling(name, latency, bandwidth,    i, key, batch, line, ranks, t, best, best_ranks, least, b) {
    for (i = 1; i <= rows; ++i) {
      key = row[i]; batch = batch_of[key]
      best = 0; line = ""
      for (ranks = 1; ranks <= 64; ranks *= 2) {
        t = share(key, int((batch + ranks - 1) / ranks)) + (ranks > 1 ? step_sums(key, ranks, latency, bandwidth) : 0)
        if (share(key, batch) / t > best) { best = share(key, batch) / t; best_ranks = ranks }
        if (ranks == 4 || ranks == 16 || ranks == 64) {
          line = line sprintf(" %.1f |", share(key, batch) / t)
          weak[ranks] = share(key, batch) / (share(key, batch) + step_sums(key, ranks, latency, bandwidth))
        }
      }
      least = ""
      for (ranks = 64; ranks >= 1 && least == ""; ranks /= 2) {
        b = int((batch + ranks - 1) / ranks)
        if (share(key, b) >= step_sums(key, 64, latency, bandwidth)) least = b
      }
      printf "| %s | %s |%s %d | %.2f | %.2f | %.2f | %s |\n", key, name, line, best_ranks, weak[4], weak[16], weak[64],
        least == "" ? "more than " batch : least
    }
  }
  $1 == "sends" { sent[$2 " " $3] = sent[$2 " " $3] " " $4; next }
  $1 == "sum" { sums[$2] = sums[$2] " " $3; next }
  { times[$1 " " $2 " " $3 " " $4] = times[$1 " " $2 " " $3 " " $4] " " $5 }
  END {
    for (bytes = 8; bytes in sums; bytes *= 2) { size[++count] = bytes; seconds[count] = median(sums[bytes]) }
    latency = seconds[1] / 2
    bandwidth = size[count] / seconds[count]
    printf "\nA sum of 8 bytes on two ranks takes %.2f us, of %d MB %.2f ms (%.2f GB/s).\n\n", seconds[1] * 1e6,
      size[count] / 2 ^ 20, seconds[count] * 1e3, bandwidth / 1e9
    print "| | 1 rank x 2 threads, ms | 2 ranks x 1 thread, ms | ratio | model, ms | its error | sums, by the model |"
    print "| --- | --: | --: | --: | --: | --: | --: |"
    n = split(nets, net, " "); m = split(algorithms, algorithm, " ")
    for (i = 1; i < n; i += 2) for (k = 1; k <= m; ++k) {
      key = algorithm[k] " " net[i]
      row[++rows] = key; batch_of[key] = net[i + 1]
      place = key " " net[i + 1]
      one = median(times["threads " place]); two = median(times["two " place]); half = median(times["half " place])
      parts = split(sent[key], message, " "); total = 0
      for (j = 1; j <= parts; ++j) total += sum_of(message[j]) / 10
      printf "| %s, batch %d | %.2f | %.2f | %.2f | %.2f | %+.0f %% | %.0f %% |\n", key, net[i + 1], one * 1e3, two * 1e3,
        two / one, (half + total) * 1e3, 100 * ((half + total) / two - 1), 100 * total / (half + total)
    }
    print "\nPredictions, not measured: ranks of one core each, steps on their share as measured on one core, sums by latency"
    print "and bandwidth of a network. Strong: times as fast as one rank, at the batch of the table above. Weak: share of the"
    print "time that is computing, at that batch on each rank. Least batch: of a rank among 64 that computes half of its time.\n"
    print "| | network | strong, 4 | 16 | 64 | ranks of the best | weak, 4 | 16 | 64 | least batch |"
    print "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |"
    scaling("as this machine", latency, bandwidth)
    scaling("100 Gbit/s, 2 us", 2e-6, 11e9)
    scaling("10 Gbit/s, 30 us", 30e-6, 1.1e9)
  }'
