#!/usr/bin/env bash
# Makes a dump of a real etcd that holds real records, as `etcdctl get "" --prefix -w json` prints it.
#
# The records are the package index of the Debian machine it runs on: tens of thousands of stanzas between a few hundred
# bytes and many kilobytes, one key each. Random bytes would not do: the spread of key lengths and value sizes is
# what makes a store's heap hard to collect. Scripts/fill-etcd.py says what is written, updated and deleted.
#
# etcd listens on loopback only, at free ports, in a temporary directory that is removed afterwards. Where etcd is
# missing, Debian's packages are downloaded and unpacked into that directory: nothing is installed, no service starts.
#
#   Scripts/make-etcd-dump.sh FILE              every package of the index
#   Scripts/make-etcd-dump.sh --keys N FILE     N of them, spread evenly over the index
set -euo pipefail

usage() {
  echo "usage: $0 [--keys N] FILE    (N: a number of keys from 1 on; default: the whole index)" >&2
  exit 64
}

keys=all
file=
while [ $# -gt 0 ]; do
  case $1 in
    --keys) [ $# -ge 2 ] && [[ $2 =~ ^[1-9][0-9]*$ ]] || usage; keys=$2; shift 2 ;;
    -*) usage ;;
    *) [ -z "$file" ] || usage; file=$1; shift ;;
  esac
done
[ -n "$file" ] || usage

scripts=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
etcd_pid=
cleanup() {
  if [ -n "$etcd_pid" ]; then
    kill "$etcd_pid" 2>/dev/null || true
    wait "$etcd_pid" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# The index, one stanza a package version. A fresh container has none until it is fetched.
apt-cache dumpavail >"$work/index"
if [ ! -s "$work/index" ] && [ "$(id -u)" = 0 ]; then
  apt-get update -qq >&2
  apt-cache dumpavail >"$work/index"
fi
if [ ! -s "$work/index" ]; then
  echo "$0: the package index is empty; run apt-get update as root" >&2
  exit 1
fi

if ! command -v etcd >/dev/null || ! command -v etcdctl >/dev/null; then
  echo "etcd is missing: unpacking Debian's packages into $work" >&2
  (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root etcd-server etcd-client >&2)
  for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/root"; done
  PATH="$work/root/usr/bin:$PATH"
fi

read -r client_port peer_port < <(python3 - <<'PY'
import socket

sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(each.getsockname()[1] for each in sockets))
PY
)
client="http://127.0.0.1:$client_port"
peer="http://127.0.0.1:$peer_port"
export ETCDCTL_API=3

# The raft log is kept short (--snapshot-count) so that a large index does not sit in memory twice.
etcd --name dump --data-dir "$work/data" --log-level warn --snapshot-count 200 \
  --listen-client-urls "$client" --advertise-client-urls "$client" \
  --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "dump=$peer" \
  >"$work/etcd.log" 2>&1 &
etcd_pid=$!

for attempt in $(seq 1 100); do
  if etcdctl --endpoints "$client" endpoint health >/dev/null 2>&1; then break; fi
  if ! kill -0 "$etcd_pid" 2>/dev/null || [ "$attempt" = 100 ]; then
    echo "$0: etcd did not start:" >&2
    cat "$work/etcd.log" >&2
    exit 1
  fi
  sleep 0.1
done

python3 "$scripts/fill-etcd.py" --endpoint "$client" --keys "$keys" "$work/index"
mkdir -p "$(dirname "$file")"
etcdctl --endpoints "$client" --command-timeout 300s get "" --prefix -w json >"$work/dump.json"
mv "$work/dump.json" "$file"
chmod 644 "$file"
echo "$file: $(stat -c %s "$file") bytes" >&2
