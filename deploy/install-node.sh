#!/bin/sh
# Installs Arca's package on this node and names the runtime `arca` to containerd and CRI-O:
#
#   install-node.sh PACKAGE
#
# containerd.toml, containerd-2.toml and crio.conf are beside it. Nothing is done twice; a service is
# restarted only where its configuration changes, and one that would not take it keeps its old one.
set -eu
package=$(readlink -f "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "install-node: $*" >&2
  exit 1
}

# The part with the path of the package's program.
part() { sed 's|/usr/local/bin/arca|/usr/bin/arca|' "$here/$1"; }

install_package() {
  command -v apt-get > /dev/null || fail "no apt-get: expected Debian 12 or 13; see docs/release.md"
  wanted=$(dpkg-deb -f "$package" Version)
  # shellcheck disable=SC2016 # the fields are dpkg-query's
  found=$(dpkg-query -W -f='${db:Status-Abbrev}${Version}' arca 2> /dev/null || true)
  [ "$found" != "ii $wanted" ] || return 0
  apt-get update -qq || echo "install-node: apt-get update failed; going on with what is known" >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" \
    || fail "$package cannot be installed"
}

configure_containerd() {
  command -v containerd > /dev/null || return 0
  file=/etc/containerd/config.toml
  [ -s "$file" ] || {
    mkdir -p /etc/containerd
    echo 'version = 2' > "$work/old"
  }
  [ ! -s "$file" ] || cp "$file" "$work/old"
  ! grep -q 'runtimes\.["'\'']\{0,1\}arca["'\'']\{0,1\}\]' "$work/old" || return 0
  case $(sed -n 's/^version *= *\([0-9]*\).*/\1/p' "$work/old" | head -n 1) in
    2) name=containerd.toml ;;
    3) name=containerd-2.toml ;;
    *) fail "$file: expected version = 2 or 3; \`containerd config migrate\` gives a newer one" ;;
  esac
  part "$name" > "$work/part"
  # Where runtimes are named already, runc's table is there or left out on purpose.
  ! grep -q '\.runtimes\.' "$work/old" || sed -i '/^# Naming a runtime/,$d' "$work/part"
  { cat "$work/old"; echo; cat "$work/part"; } > "$work/new"
  containerd --config "$work/new" config dump > "$work/dump" 2> "$work/error" \
    || fail "$file: containerd would not take the new one: $(tail -n 1 "$work/error")"
  grep -q 'BinaryName = .*/usr/bin/arca' "$work/dump" \
    || fail "$file: containerd does not see the runtime arca in the new one"
  [ ! -s "$file" ] || cp -p "$file" "$file.before-arca"
  cat "$work/new" > "$file"
  systemctl restart containerd
}

configure_crio() {
  [ -d /etc/crio ] || return 0
  file=/etc/crio/crio.conf.d/50-arca.conf
  part crio.conf > "$work/crio"
  ! cmp -s "$work/crio" "$file" || return 0
  mkdir -p "${file%/*}"
  cat "$work/crio" > "$file"
  systemctl restart crio
}

install_package
configure_containerd
configure_crio
echo "arca $(dpkg-query -W -f='${Version}' arca) is installed; what this node can run:"
arca doctor || true
