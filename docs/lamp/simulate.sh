#!/bin/sh
# A simulated lamp: `qkdn serve` with a FIFO as its device, and this script behind the FIFO.
#
#   docs/lamp/simulate.sh [DIRECTORY [ADDR:PORT]]
#
# DIRECTORY takes keys, state and the FIFO; it is made if absent. Log in as admin with DIRECTORY/admin. Ctrl-C ends both.
# QKDN names the program, TICK the seconds between two measurements.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
directory=${1:-lamp}
listen=${2:-127.0.0.1:8400}
tick=${TICK:-1}

mkdir -p "$directory"
[ -p "$directory/feed" ] || mkfifo "$directory/feed"
[ -f "$directory/admin" ] || ssh-keygen -q -t ed25519 -N '' -C admin -f "$directory/admin"

"${QKDN:-qkdn}" serve --listen "$listen" --yang-dir "$here" --module lamp \
  --user admin --authorized-key "$directory/admin.pub" --superuser admin \
  --host-key "$directory/host_key" --state-dir "$directory/state" --feed "$directory/feed" &
server=$!
trap 'kill "$server" 2>/dev/null && wait "$server" || true' EXIT
trap 'exit 0' INT TERM

# Opened for reading as well, so that opening does not wait for the server.
exec 3<>"$directory/feed"
feed() { echo "$1" >&3; }

# What a device knows at its start, in one line or in several.
feed '{"operational": {"lamp:lamp": {"bulb": [{"position": 1, "hours": 0}, {"position": 2, "hours": 5200}]}}}'
temperature=40
step=10
while kill -0 "$server" 2>/dev/null; do
  # State first: whoever hears of the heat can then read how hot it is.
  feed "{\"operational\": {\"lamp:lamp\": {\"temperature\": $temperature}}}"
  if [ "$temperature" -ge 70 ]; then
    feed "{\"notification\": {\"lamp:overheated\": {\"temperature\": $temperature}}}"
    # A notification inside data is given with the data that leads to it.
    feed '{"notification": {"lamp:lamp": {"bulb": [{"position": 2, "broken": {"reason": "too hot"}}]}}}'
    feed '{"delete": "/lamp:lamp/bulb[position='"'2'"']"}'
    step=-10
  elif [ "$temperature" -le 40 ] && [ "$step" -lt 0 ]; then
    feed '{"operational": {"lamp:lamp": {"bulb": [{"position": 2, "hours": 0}]}}}'
    step=10
  fi
  temperature=$((temperature + step))
  sleep "$tick"
done
