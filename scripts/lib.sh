# Functions of scripts/up and scripts/down: the layout of a local cluster's folder,
# and its processes. Sourced, not run.
#
# DIR/settings          what the cluster was made with
# DIR/env               what clients need (exists once the cluster was complete)
# DIR/ca.pem            the cluster's CA
# DIR/pids/nodeN.pid    the node's process
# DIR/nodeN/            cofre.toml, pin, log, data/, with SoftHSM tokens/ too
# DIR/lock              held while a script changes any of it
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# resolve_dir PATH: the absolute path of a folder that need not exist. The path
# stands in TOML and shell strings, so it has no character that those would
# interpret.
resolve_dir() {
	[[ -n $1 ]] || die "--dir needs a folder"
	[[ $1 != *[\'\"\\$'\n\r']* ]] || die "--dir: quotes, backslashes and line breaks are not supported: $1"
	mkdir -p -- "$1" && (cd -- "$1" && pwd -P)
}

# lock: one script at a time changes the cluster in $dir. The lock goes with the
# process; nodes are started without the descriptor.
lock() {
	exec 9>"$dir/lock"
	if command -v flock >/dev/null; then
		flock -w 300 9 || die "another scripts/up or scripts/down works on $dir"
	fi
}

node_config() { echo "$dir/$1/cofre.toml"; }

# has_argument PID ARGUMENT: the process was started with this argument.
has_argument() {
	if [[ -r /proc/$1/cmdline ]]; then
		grep -qzxF -- "$2" "/proc/$1/cmdline"
	else
		grep -qF -- "$2" <<<"$(ps -ww -o args= -p "$1" 2>/dev/null)"
	fi
}

# running_pid NODE: the node's process id; fails where the node does not run. A
# pid file outlives a killed node and its number may belong to another process
# by now, so the process must be one that serves this node's configuration.
running_pid() {
	local pid
	pid=$(cat "$dir/pids/$1.pid" 2>/dev/null) || return 1
	[[ $pid =~ ^[0-9]+$ ]] || return 1
	has_argument "$pid" "$(node_config "$1")" || return 1
	echo "$pid"
}

# stop_node NODE: asks the node to stop, and insists after 20 s.
stop_node() {
	local pid
	if pid=$(running_pid "$1"); then
		kill -TERM "$pid" 2>/dev/null || true
		kill -CONT "$pid" 2>/dev/null || true # it may have been paused
		wait_until 20 gone "$pid" || kill -KILL "$pid" 2>/dev/null
		wait_until 5 gone "$pid" || die "$1 (process $pid) does not end"
	fi
	rm -f "$dir/pids/$1.pid"
}

# gone PID: no such process, or one that only waits for its parent to notice.
gone() {
	[[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) == Z* ]] || ! kill -0 "$1" 2>/dev/null
}

# wait_until SECONDS COMMAND...: runs it until it succeeds.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.05
	done
}

# stop_all: stops the nodes that have a pid file, the last node first.
stop_all() {
	local file
	while read -r file; do
		stop_node "$(basename "$file" .pid)"
	done < <(find "$dir/pids" -name 'node*.pid' 2>/dev/null | sort -rV)
}
