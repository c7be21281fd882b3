# For the tests of example programs to source: a folder of their own to work in, where `out` and `err` are what the
# program has printed, and what these tests share.
set -euo pipefail
export LC_ALL=C

# The path of an example. Without it the test is skipped.
example() { # NAME
  local program=${ALTMIN_EXAMPLES_DIR:?where the examples are built}/$1
  [[ -x $program ]] || exit 77
  echo "$program"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export XDG_DATA_HOME=$work/share # no data sets of this machine's

fail() {
  echo "failed: $*" >&2
  cat out err >&2
  exit 1
}

# A value of the line of JSON that a trainer ends with.
field() { sed -n '$s/.*"'"$1"'":\([^,}]*\).*/\1/p' out; } # NAME

# That a command ends with status 1, nothing on standard output, and one line on standard error that matches.
refused() { # PATTERN COMMAND...
  local status=0
  "${@:2}" >out 2>err || status=$?
  [[ $status -eq 1 ]] || fail "status $status: ${*:2}"
  [[ ! -s out ]] || fail "printed something: ${*:2}"
  [[ $(wc -l <err) -eq 1 ]] || fail "expected one line: ${*:2}"
  grep -q -e "$1" err || fail "expected '$1': ${*:2}"
}

# Waits until a program holds signals back, as it does while it trains.
await_training() { # PID
  local caught
  for _ in {1..600}; do
    caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status") || fail "it has ended"
    # SIGINT among them, and no longer the shell that starts the program.
    [[ $(<"/proc/$1/comm") == bash ]] || (((16#$caught & 2) == 0)) || return 0
    sleep 0.05
  done
  fail "it does not train"
}

# Puts a gnuplot in front of others that draws no more than a picture's first bytes, or fails where BROKEN_GNUPLOT is
# set; it is given tables that are there.
fake_gnuplot() {
  mkdir -p bin
  cat >bin/gnuplot <<'GNUPLOT'
#!/usr/bin/env bash
[[ $1 != -e ]] || exit 0
[[ -z ${BROKEN_GNUPLOT:-} ]] || exit 1
for table in "${@:4}"; do
  [[ $table != *.csv || -s $table ]] || exit 1
done
printf '\211PNG' >"$3"
GNUPLOT
  chmod +x bin/gnuplot
  export PATH=$work/bin:$PATH
}

# Writes a data set in MNIST's format, of so many samples, to `data`.
write_data() { # TRAIN TEST
  mkdir -p data
  write_part train "$1"
  write_part t10k "$2"
}

# Images of 2 x 2 pixels and 3 classes: class k has pixel k bright.
write_part() { # PART COUNT
  local images='' labels='' i k row=("\xf0\x10\x08\x20" "\x10\xe0\x18\x10" "\x08\x10\xf8\x00") size
  for ((i = 0; i < $2; ++i)); do
    k=$(((i * 7 + i / 3) % 3))
    images+=${row[k]}
    labels+="\\x0$k"
  done
  size=$(printf '\\x00\\x00\\x%02x\\x%02x' $(($2 / 256)) $(($2 % 256)))
  printf '%b' "\x00\x00\x08\x03$size\x00\x00\x00\x02\x00\x00\x00\x02$images" >"data/$1-images-idx3-ubyte"
  printf '%b' "\x00\x00\x08\x01$size$labels" >"data/$1-labels-idx1-ubyte"
}
