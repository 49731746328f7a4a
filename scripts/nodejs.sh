# Packages of JavaScript. Sourced, not run.
# shellcheck shell=bash

# install_javascript FOLDER: the packages that FOLDER/package-lock.json pins, into
# FOLDER/node_modules; nothing where they are there. Fails where they are required
# and cannot be had, and says so otherwise.
install_javascript() {
	if cmp -s "$1/package-lock.json" "$1/node_modules/.pinned"; then return; fi
	if node --version >/dev/null 2>&1 && npm --version >/dev/null 2>&1; then
		echo "installing the packages of $1"
		# npm ci verifies the hashes of the lock file.
		if npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error >&2; then
			cp "$1/package-lock.json" "$1/node_modules/.pinned"
			return
		fi
		echo "warning: npm cannot install the packages of $1: tests with clients in JavaScript are skipped" >&2
	else
		echo "warning: Node.js or npm is missing: tests with clients in JavaScript are skipped" >&2
	fi
	[[ ${COFRE_REQUIRE_AWS_CLIENTS-} != 1 ]]
}
