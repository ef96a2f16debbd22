#!/bin/sh
# Makes .venv with the program `switchboard`; with the argument `dev` also the tools of the tests.
# A stamp named by the content of pyproject.toml and constraints.txt makes the second run immediate.
set -eu
cd "$(dirname "$0")/.."
want=${1:-run}

say() { printf '%s\n' "$*" >&2; }
refuse() { say "switchboard: $*"; exit 3; }

python=${PYTHON:-}
if [ -z "$python" ]; then
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 &&
       "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
fi
[ -n "$python" ] || refuse "Python 3.11 or newer is needed: install the package python3."

install_packages() { # installs Debian packages when we may; the exit status says whether it worked
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
  say "installing $* ..."
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1 && return 0
  apt-get update -q >/dev/null 2>&1 && apt-get install -y -q --no-install-recommends "$@" >/dev/null
}

PATH=$PATH:/usr/sbin:/sbin
missing=
for pair in nft:nftables iptables:iptables conntrack:conntrack ip:iproute2; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
if [ -n "$missing" ]; then
  # shellcheck disable=SC2086 # a list of package names
  install_packages $missing || refuse "these packages are missing:$missing. Install them: apt-get install$missing"
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  install_packages "python$version-venv" || install_packages python3-venv ||
    refuse "Python's venv module is missing: apt-get install python3-venv"
fi

[ "$want" = dev ] && extras='[dev]' || extras=
digest=$(cat pyproject.toml constraints.txt scripts/fetch_helm.py | cksum | cut -d' ' -f1)
for stamp in ".venv/.$want-$digest" ".venv/.dev-$digest"; do
  [ -e "$stamp" ] && [ -x .venv/bin/switchboard ] && exit 0
done

[ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || { rm -rf .venv; "$python" -m venv .venv; }
say "installing Python packages into .venv ..."
.venv/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".$extras" ||
  refuse "pip could not install the packages that pyproject.toml names (its reason is above)."
[ "$want" = run ] || .venv/bin/python scripts/fetch_helm.py || refuse "helm, which the tests use, could not be fetched."
: > ".venv/.$want-$digest"
