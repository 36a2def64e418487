# shellcheck shell=sh
# Shared by the build root's scripts: where things are, how they are named.
# Sourced with $TOP set to the project's top folder.

ENV_DIR=$TOP/toolchain/env
CACHE=${LUYTRE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/luytre}

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	say "error: $*"
	exit 1
}

# Key of the build root: every file that decides what is inside.
env_key()
{
	cat "$ENV_DIR/packages.txt" "$ENV_DIR/mkroot" | sha256sum | cut -c1-16
}

env_root()
{
	printf '%s/env-%s\n' "$CACHE" "$(env_key)"
}

# Run a command as root: directly, by sudo, or stop with one clear sentence.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo --preserve-env=LUYTRE_CACHE,LUYTRE_MIRROR,HOME "$@"
	else
		die "this step needs root (or sudo), and sudo is not installed: run it as root"
	fi
}
