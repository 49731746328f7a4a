# SoftHSM2: finding it, installing it, making tokens. Sourced, not run.
# shellcheck shell=bash

# softhsm_module: the path of the PKCS #11 module; fails where there is none.
softhsm_module() {
	local path
	for path in "${SOFTHSM2_MODULE:-}" /usr/lib/softhsm/libsofthsm2.so \
		/usr/lib/*/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so \
		/usr/local/lib/softhsm/libsofthsm2.so /opt/homebrew/lib/softhsm/libsofthsm2.so; do
		[[ ! -f $path ]] || { echo "$path" && return; }
	done
	return 1
}

# need_softhsm: installs SoftHSM2 from Debian's packages where it is missing.
need_softhsm() {
	if softhsm_module >/dev/null && command -v softhsm2-util >/dev/null; then return; fi
	install_packages softhsm2
	softhsm_module >/dev/null || die "SoftHSM2 is needed: install the package softhsm2"
}

# install_packages NAME...: from Debian, where we are root; fails otherwise.
install_packages() {
	if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
		die "missing: $*. Install it, or run this as root on Debian."
	fi
	echo "installing $*"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq || die "cannot read Debian's package lists"
	apt-get install -y -qq --no-install-recommends "$@" >/dev/null || die "cannot install $*"
}

# make_token FOLDER LABEL: a token in FOLDER/tokens with the PIN in FOLDER/pin,
# and FOLDER/softhsm2.conf, which SOFTHSM2_CONF names. softhsm2-util takes PINs
# as arguments only: other users of this machine may see them while it runs.
make_token() {
	mkdir "$1/tokens"
	cat >"$1/softhsm2.conf" <<-EOF
		directories.tokendir = $1/tokens
		objectstore.backend = file
		log.level = ERROR
	EOF
	SOFTHSM2_CONF=$1/softhsm2.conf softhsm2-util --init-token --free --label "$2" \
		--so-pin "$(random_hex)" --pin "$(cat "$1/pin")" >/dev/null || die "cannot make a SoftHSM2 token"
}
